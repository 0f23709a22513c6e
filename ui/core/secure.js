// @ts-check
/**
 * What a browser withholds from a page that did not come over https (W3C Secure Contexts;
 * `localhost` counts as https). Pure: what is there comes in.
 *
 * @typedef {'microphone'|'gamepad'|'sealed'|'wakelock'|'output'|'notifications'|'webcodecs'} Feature
 * @typedef {{secure: boolean, present: Readonly<Record<Feature, boolean>>}} Context
 */

/** What weighs most in an operator's hand comes first. @type {readonly Feature[]} */
export const FEATURES = ['sealed', 'microphone', 'gamepad', 'wakelock', 'notifications', 'output', 'webcodecs'];

/**
 * What does not work because of plain http; empty over https, whatever else this browser
 * lacks: a certificate would not bring that.
 *
 * @param {Context} context
 * @returns {Feature[]}
 */
export function withheld({ secure, present }) {
  return secure ? [] : FEATURES.filter((feature) => !present[feature]);
}
