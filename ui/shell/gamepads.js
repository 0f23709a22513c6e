// @ts-check
/** Gamepads and wheels as the browser shows them, and what was learnt of each. */
import { calibrationOf } from '../core/calibration.js';

const STORE = 'enkan.gamepad.';

/** The first connected pad with something to steer by, or null. @returns {import('../core/calibration.js').Pad | null} */
export function readPad() {
  // Absent over plain http on a network.
  const pads = navigator.getGamepads?.() ?? [];
  for (const pad of pads) {
    if (!pad?.connected || pad.axes.length === 0) continue;
    return { id: pad.id, mapping: pad.mapping, axes: pad.axes, buttons: pad.buttons.map(({ value }) => value) };
  }
  return null;
}

/** @param {string} id @returns {import('../core/calibration.js').Calibration | null} */
export function loadCalibration(id) {
  const text = localStorage.getItem(STORE + id);
  try {
    return text === null ? null : calibrationOf(JSON.parse(text), id);
  } catch {
    return null; // Damaged: as if it had never been learnt.
  }
}

/** @param {import('../core/calibration.js').Calibration} calibration */
export function keepCalibration(calibration) {
  localStorage.setItem(STORE + calibration.id, JSON.stringify(calibration));
}
