// @ts-check
/** Keyboard events → wishes. Capture phase: a focused button never sees our keys. */
import { actionFor, isRepeat } from '../core/keys.js';
import { controlOf, isMine } from '../core/control.js';
import { openRequests } from '../core/select.js';
import { HOLD_KEY_MS } from './taking.js';

/** A slider is no text: Space beside it is still STOP. */
const TEXT = 'input:not([type="range"]), textarea, select, [contenteditable]';
const CONTROL = 'button, a[href], summary';

/**
 * @param {import('./console.js').Console} desk
 * @returns {() => void} unbind
 */
export function bindKeys(desk) {
  /** The keyboard was last used on the take-over screen: a button there that is disabled
   * or goes under the finger drops the focus, and Tab has to walk on from that place. */
  let walking = false;
  /** @param {KeyboardEvent} event */
  const read = (event) => {
    const at = event.target instanceof Element ? event.target : document.body;
    const nowhere = at === document.body || at === document.documentElement;
    if (!nowhere) walking = at.closest('.takeover') !== null;
    return actionFor(event, {
      inText: at.closest(TEXT) !== null,
      onControl: at.closest(CONTROL) !== null,
      hasRequests: openRequests(desk.state.peek()).length > 0,
      inTakeover: walking && document.querySelector('.takeover') !== null,
    });
  };
  /** @param {KeyboardEvent} event */
  const down = (event) => {
    const action = read(event);
    if (action === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (isRepeat(event)) return;
    if (action === 'control') hold.begin(event.timeStamp);
    else if (action === 'talk') void desk.talk.begin(desk.state.peek().focused);
    else act(desk, action);
  };
  /** A button is clicked when Space is let go: not here. @param {KeyboardEvent} event */
  const up = (event) => {
    if (event.code === 'KeyL') hold.letGo(event.timeStamp);
    if (event.code === 'KeyT') desk.talk.end();
    if (event.code !== 'Space' || read(event) === null) return;
    event.preventDefault();
    event.stopPropagation();
  };
  /** After a click with the pointer, Enter must not press the same button again. @param {MouseEvent} event */
  const click = (event) => {
    const button = event.target instanceof Element && event.target.closest('button');
    if (event.detail > 0) walking = false;
    if (button instanceof HTMLElement && event.detail > 0) button.blur();
  };
  const hold = new Hold(desk);
  window.addEventListener('blur', hold.end);
  window.addEventListener('keydown', down, { capture: true });
  window.addEventListener('keyup', up, { capture: true });
  window.addEventListener('click', click);
  return () => {
    hold.end();
    window.removeEventListener('blur', hold.end);
    window.removeEventListener('keydown', down, { capture: true });
    window.removeEventListener('keyup', up, { capture: true });
    window.removeEventListener('click', click);
  };
}

/**
 * A key that has to be held for a second, and shows how far it is. What counts is when the
 * key went down and up: on a busy page the timer that looks may come after the key is up.
 */
class Hold {
  #desk;
  #from_ms = 0;
  /** @type {number | undefined} */
  #timer;

  /** @param {import('./console.js').Console} desk */
  constructor(desk) {
    this.#desk = desk;
  }

  /** @param {number} at_ms */
  begin(at_ms) {
    if (this.#timer !== undefined) return;
    this.#from_ms = at_ms;
    this.#timer = window.setInterval(() => this.#look(performance.now()), 50);
  }

  /** @param {number} at_ms */
  letGo(at_ms) {
    if (this.#timer !== undefined) this.#look(at_ms);
    this.end();
  }

  end = () => {
    window.clearInterval(this.#timer);
    this.#timer = undefined;
    this.#desk.holding.value = 0;
  };

  /** @param {number} at_ms */
  #look(at_ms) {
    const share = (at_ms - this.#from_ms) / HOLD_KEY_MS;
    this.#desk.holding.value = Math.min(1, Math.max(0, share));
    if (share < 1) return;
    const { focused } = this.#desk.state.peek();
    this.end();
    if (focused !== null) this.#desk.taking.toggle(focused);
  }
}

/** @param {import('./console.js').Console} desk @param {import('../core/keys.js').Action} action */
function act(desk, action) {
  if (action.startsWith('tile_')) return desk.focusTile(Number(action.at(-1)));
  switch (action) {
    case 'stop':
      return desk.stopVehicle(desk.state.peek().focused);
    case 'emergency_stop':
      return desk.emergencyStop(desk.state.peek().focused);
    case 'top_card':
      return desk.openTopCard();
    case 'next_request':
      return desk.nextRequest();
    case 'acknowledge':
      return desk.acknowledgeTop();
    case 'silence':
      return desk.silence();
    case 'map':
    case 'duties':
    case 'handover':
    case 'fleet':
      return desk.dispatch({ type: 'local.screen', screen: desk.state.peek().screen === action ? 'watch' : action });
    case 'history':
      return desk.histories.toggle(desk.state.peek().focused);
    case 'camera':
      return desk.nextCamera();
    case 'rewind':
      return desk.rewindFocused();
    case 'help':
      desk.help.value = !desk.help.peek();
      return undefined;
    case 'leave_field':
      return document.activeElement instanceof HTMLElement ? document.activeElement.blur() : undefined;
    case 'language':
      return desk.toggleLanguage();
    default:
      return escape(desk);
  }
}

/** One step back. @param {import('./console.js').Console} desk */
function escape(desk) {
  if (desk.help.peek()) desk.help.value = false;
  else if (desk.shiftCheck.peek()) desk.shiftCheck.value = false;
  else if (desk.budget.shown.peek()) desk.budget.shown.value = false;
  else if (desk.histories.shown.peek() !== null) desk.histories.toggle(null);
  else if (desk.rewind.replay.peek() !== null) desk.rewind.close();
  else if (!drives(desk)) desk.dispatch({ type: 'local.screen', screen: 'watch' });
}

/** Who drives does not leave the picture by a slip of a finger. @param {import('./console.js').Console} desk */
function drives(desk) {
  const state = desk.state.peek();
  const control = state.intervene === null ? null : controlOf(state, state.intervene);
  return isMine(state, control) && control.purpose === 'drive';
}
