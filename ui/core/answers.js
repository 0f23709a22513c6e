// @ts-check
/**
 * What an operator who has control may order, and why not now. The hub and the vehicle
 * decide again; this is what a blocked control says in words. Pure.
 *
 * @typedef {import('./store.js').State} State
 * @typedef {{visible: boolean, still_ms: number, age: {ok: boolean, age_ms?: number}}} Shown
 * @typedef {{kind: string, body: any, option?: any}} Card  `body`: as `protocols.commands`
 */
import { MAY_CONTROL, standingOf } from './control.js';
import { latestCommand } from './select.js';

const IN_PROGRESS = ['asking', 'accepted', 'recording', 'sent', 'received'];
/** What lets the vehicle move is decided on a picture. */
const MOVES = ['resume', 'alternate_path', 'follow_path', 'pull_over'];
export const WAIT_S = 60;

/** A person decides on a picture no older than this (the ASSIST objective, 400 ms, with margin). */
export const MAX_DECISION_AGE_MS = 1_000;

/**
 * Answer cards, the gentlest intervention first.
 *
 * @param {any} request RequestView, or null when the vehicle did not ask
 * @returns {Card[]}
 */
export function cardsFor(request) {
  const request_id = request?.id ?? '';
  /** @type {Card[]} */
  const cards = [{ kind: 'resume', body: { type: 'resume', request_id } }];
  if (request) {
    cards.push({ kind: 'wait', body: { type: 'wait', request_id, more_s: WAIT_S } });
    for (const option of request.options ?? []) {
      cards.push({ kind: 'alternate_path', option, body: { type: 'alternate_path', request_id, option_id: option.option_id } });
    }
  }
  cards.push({ kind: 'pull_over', body: { type: 'pull_over', request_id } });
  return cards;
}

/**
 * Why this order cannot be given now; '' means it can.
 *
 * @param {State} state
 * @param {string} id of the vehicle
 * @param {string} type of the order
 * @param {Shown} picture
 * @param {number} [frozen_ms] A press comes a moment after the decision: for it the age of
 *   the picture that was decided on is what counts, so pass `MAX_DECISION_AGE_MS`.
 */
export function orderBlockedBy(state, id, type, picture, frozen_ms = 300) {
  const vehicle = state.vehicles[id];
  if (state.socket !== 'open') return 'hub_lost';
  if (!MAY_CONTROL.includes(state.welcome?.role)) return 'role';
  if (!vehicle) return 'no_vehicle';
  if (!vehicle.commands.includes(type)) return 'not_supported';
  if (vehicle.link !== 'online') return 'link';
  const standing = standingOf(state, id);
  if (standing !== 'held' && knowsControl(state, vehicle)) return CONTROL_REASON[standing];
  const latest = latestCommand(state, id);
  if (latest?.type === type && IN_PROGRESS.includes(latest.state)) return 'in_progress';
  return MOVES.includes(type) ? pictureBlocks(picture, frozen_ms) : standingStill(vehicle, type);
}

/** Where there is no control to be had, the hub's word on the order counts alone. @param {State} state @param {any} vehicle */
function knowsControl({ taking }, vehicle) {
  const denied = taking !== null && taking.vehicle === vehicle.id && taking.refused === 'not_supported';
  return vehicle.commands.includes('take_control') && !denied;
}

const CONTROL_REASON = /** @type {Record<string, string>} */ ({
  unknown: 'hub_lost', free: 'no_control', asking: 'confirming', offered: 'confirming',
  confirming: 'confirming', releasing: 'releasing', other: 'held_by_other',
});

/** @param {Shown} picture @param {number} frozen_ms */
function pictureBlocks(picture, frozen_ms) {
  if (!picture.visible) return 'no_picture';
  if (picture.still_ms > frozen_ms) return 'frozen';
  if (!picture.age.ok) return 'age_unknown';
  return (picture.age.age_ms ?? Infinity) > MAX_DECISION_AGE_MS ? 'too_old' : '';
}

/** @param {any} vehicle @param {string} type */
function standingStill(vehicle, type) {
  const moves = vehicle.pose !== null && Math.abs(vehicle.pose.speed_mps) > 0.1;
  return type === 'doors' && moves ? 'moving' : '';
}

/** Equipment that this vehicle's factsheet names. @param {any} vehicle @returns {string[]} */
export function equipmentOf(vehicle) {
  return ['doors', 'announce', 'implement'].filter((type) => vehicle.commands.includes(type));
}
