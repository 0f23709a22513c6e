// @ts-check
/**
 * Which key means what. Pure: takes the parts of a keyboard event that matter.
 * By position (`event.code`), so that a Japanese and a US keyboard behave alike.
 *
 * @typedef {{code: string, repeat?: boolean, isComposing?: boolean, keyCode?: number, ctrlKey?: boolean,
 *            altKey?: boolean, metaKey?: boolean, shiftKey?: boolean}} Press
 * @typedef {'stop'|'top_card'|'next_request'|'acknowledge'|'silence'|'map'|'camera'|'rewind'|'talk'|'escape'|
 *           'help'|'language'|'leave_field'|'control'|'emergency_stop'|'duties'|'handover'|'history'|'fleet'|'tile_1'|'tile_2'|'tile_3'|'tile_4'|'tile_5'|'tile_6'|'tile_7'|
 *           'tile_8'|'tile_9'} Action
 */

/** @type {Readonly<Record<string, Action>>} */
const BY_CODE = {
  Space: 'stop', Enter: 'top_card', NumpadEnter: 'top_card', Tab: 'next_request',
  KeyA: 'acknowledge', KeyS: 'silence', KeyM: 'map', KeyC: 'camera', KeyR: 'rewind', KeyT: 'talk', KeyL: 'control', KeyD: 'duties', KeyF: 'fleet', KeyG: 'history', KeyH: 'handover', Escape: 'escape',
  F1: 'help', F2: 'language',
};

/**
 * @param {Press} press
 * @param {{inText: boolean, onControl: boolean, hasRequests: boolean, inTakeover?: boolean}} where
 *   `inText`: a text field has the focus. `onControl`: a button or link has it.
 *   `inTakeover`: it is somewhere on the take-over screen.
 * @returns {Action | null} null: not ours, let the browser have it.
 */
export function actionFor(press, where) {
  // While an IME composes, a key belongs to it, also where a browser says so by 229 alone.
  if (press.isComposing || press.keyCode === 229) return null;
  if (where.inText) return press.code === 'Escape' ? 'leave_field' : null;
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  const action = /^(Digit|Numpad)[1-9]$/.test(press.code)
    ? /** @type {Action} */ (`tile_${press.code.at(-1)}`)
    : BY_CODE[press.code];
  if (action === undefined) return null;
  if (action === 'stop' && press.shiftKey) return 'emergency_stop';
  // Enter on a focused button is that button's; Space is always STOP.
  if (action === 'top_card' && where.onControl) return null;
  // Without a request, and wherever it walks already, Tab walks through the page as everywhere.
  if (action === 'next_request' && (press.shiftKey || !where.hasRequests || where.onControl || where.inTakeover)) return null;
  return action;
}

/** A held key acts once. @param {Press} press */
export function isRepeat(press) {
  return press.repeat === true;
}
