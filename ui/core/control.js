// @ts-check
/**
 * Who has control of what, as this console may say it. Pure.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {import('./store.js').Gone} Gone
 * @typedef {any} ControlView  protocols.authority.ControlView
 * @typedef {'unknown'|'free'|'asking'|'offered'|'confirming'|'held'|'releasing'|'other'} Standing
 */

/** As `supervisor.console.access`; the hub has the last word. */
export const MAY_CONTROL = ['operator', 'supervisor'];
export const MAY_PREEMPT = ['supervisor'];

/** An ask without an answer for so long is over. */
export const ASK_WITHIN_MS = 5_000;

/** @param {State} state @param {string} vehicle @returns {ControlView | null} */
export function controlOf(state, vehicle) {
  return state.controls[vehicle] ?? null;
}

/** This very console, not another one of the same account. @param {State} state @param {ControlView | null} control */
export function isMine(state, control) {
  const seat = state.welcome?.seat ?? '';
  return control !== null && control.state !== 'free' && seat !== '' && control.seat === seat;
}

/**
 * Where control of a vehicle stands for this seat. What an old or lost socket said is not
 * known any more.
 *
 * @param {State} state
 * @param {string} vehicle
 * @returns {Standing}
 */
export function standingOf(state, vehicle) {
  if (state.socket !== 'open' || state.seq === null) return 'unknown';
  const control = controlOf(state, vehicle);
  if (control !== null && control.state !== 'free') return isMine(state, control) ? control.state : 'other';
  return state.taking?.vehicle === vehicle && state.taking.refused === '' ? 'asking' : 'free';
}

/** The vehicle under this seat's control, also while that begins or ends. @param {State} state @returns {string | null} */
export function heldVehicle(state) {
  if (state.socket !== 'open') return null;
  const found = Object.values(state.controls).find(
    (control) => isMine(state, control) && ['confirming', 'held', 'releasing'].includes(control.state),
  );
  return found?.vehicle ?? null;
}

/** Held, and confirmed by the vehicle. @param {State} state @param {string} vehicle */
export function holds(state, vehicle) {
  return standingOf(state, vehicle) === 'held';
}

/**
 * Why this seat cannot ask for control now; '' when it can. `other`: somebody has it;
 * whose role lets preempt may, with a reason.
 *
 * @param {State} state
 * @param {string} vehicle
 * @param {boolean} armed
 * @param {string} [preempt] the reason for taking it from its holder
 */
export function takeBlockedBy(state, vehicle, armed, preempt = '') {
  if (state.socket !== 'open' || state.seq === null) return 'hub_lost';
  if (!MAY_CONTROL.includes(state.welcome?.role)) return 'role';
  const view = state.vehicles[vehicle];
  if (!view) return 'no_vehicle';
  if (!view.commands.includes('take_control')) return 'not_supported';
  if (!['online', 'degraded'].includes(view.link)) return 'link';
  if (!armed) return 'unarmed';
  const elsewhere = heldVehicle(state);
  if (elsewhere !== null && elsewhere !== vehicle) return 'holds_other';
  const standing = standingOf(state, vehicle);
  if (standing === 'other') {
    if (!MAY_PREEMPT.includes(state.welcome?.role)) return 'held_by_other';
    return preempt.trim() === '' ? 'no_reason' : '';
  }
  return ['free', 'offered', 'unknown'].includes(standing) ? '' : standing;
}

/** The steps of taking control, for drawing: how many are reached. @param {Standing} standing */
export function stepsReached(standing) {
  return { asking: 1, offered: 2, confirming: 3, held: 4 }[/** @type {string} */ (standing)] ?? 0;
}

/** @param {State} state @param {readonly any[]} controls newer views @returns {Pick<State, 'controls'|'gone'|'taking'>} */
export function withControls(state, controls, at_ms = 0) {
  const next = { controls: { ...state.controls }, gone: state.gone, taking: state.taking };
  for (const control of controls) {
    const before = state.controls[control.vehicle] ?? null;
    next.controls[control.vehicle] = control;
    const had = isMine(state, before) && before.state === 'held';
    const coming = isMine(state, before) && ['offered', 'confirming'].includes(before.state);
    const has = isMine(state, control) && (control.state !== 'releasing' || BY_WISH.includes(control.ended));
    if (had && !has) next.gone = lostNow(control, at_ms);
    next.gone = withReason(next.gone, control);
    const { taking } = next;
    if (taking === null || taking.vehicle !== control.vehicle) continue;
    if (has && control.state === 'held' && control.purpose === taking.purpose) {
      next.taking = null;
      next.gone = next.gone?.vehicle === control.vehicle ? null : next.gone;
    } else if (coming && !has && taking.refused === '') {
      // What was asked for, and ended before it was held, is answered.
      next.taking = { ...taking, refused: control.ended || 'declined' };
    }
  }
  return next;
}

const BY_WISH = ['handed_back', 'declined'];

/** Who takes control from somebody says why; that may come a step later. @param {Gone | null} gone @param {ControlView} control @returns {Gone | null} */
function withReason(gone, control) {
  if (gone === null || gone.vehicle !== control.vehicle || gone.how !== 'preempted' || gone.reason || !control.reason) return gone;
  return { ...gone, reason: control.reason };
}

/** How control ended, unless it was given back here. @param {ControlView} control @param {number} at_ms */
function lostNow(control, at_ms) {
  const another = !['free', 'releasing'].includes(control.state);
  const how = another ? 'preempted' : control.ended || 'session_ended';
  if (BY_WISH.includes(how)) return null;
  const by = another ? control.holder : (control.ended_by ?? '');
  return { vehicle: control.vehicle, how, by, reason: control.reason ?? '', at_ms };
}

/** Causes of an intervention, one tap each; the text is in the labels. */
export const CAUSES = /** @type {const} */ ([
  'obstacle', 'parked', 'person', 'weather', 'sensor', 'traffic', 'passenger', 'other',
]);

/**
 * What has to be so before control is given back. `null`: nobody knows.
 *
 * @param {State} state
 * @param {any} vehicle VehicleView
 * @returns {{item: string, ok: boolean | null}[]}
 */
export function handBackChecklist(state, vehicle) {
  const known = state.socket === 'open' && ['online', 'degraded'].includes(vehicle.link);
  const standing = vehicle.pose ? Math.abs(vehicle.pose.speed_mps) < 0.1 : null;
  const asks = Object.values(state.requests).some((one) => one.vehicle === vehicle.id && ['open', 'unanswered'].includes(one.state));
  const doors = vehicle.doors_open ?? null;
  const checks = [
    { item: 'link', ok: vehicle.link === 'online' },
    { item: 'request', ok: !asks },
    { item: 'mrm', ok: known ? vehicle.mrm === 'NORMAL' : null },
    // Assisted it drives by itself, too; only a driven one has to stand.
    { item: 'moves', ok: known ? vehicle.mode !== 'REMOTE_DRIVE' || standing : null },
  ];
  if (doors !== null) checks.push({ item: 'doors', ok: known ? !doors : null });
  return checks;
}
