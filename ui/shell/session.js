// @ts-check
/** The sign-in of this page: given again, renewed, begun anew without losing the screen. */
import { call, Unreachable } from './api.js';

/**
 * @typedef {{key: string, values: Record<string, string|number>}} Problem  a label, and what it says
 */

/** What went wrong with a password. @param {number} status @param {Headers} headers @param {string} wrong its label @returns {Problem | null} null: nothing */
export function problemOf(status, headers, wrong = 'signin.bad') {
  if (status < 300) return null;
  if (status === 401 || status === 403) return { key: wrong, values: {} };
  if (status === 429) return { key: 'signin.many', values: { wait_s: Number(headers.get('retry-after')) } };
  if (status === 503) return { key: 'signin.busy_hub', values: {} };
  return { key: 'signin.failed', values: { status } };
}

/**
 * Begin a session.
 *
 * @param {string} name @param {string} password @param {string} [wrong] label for a wrong one
 * @returns {Promise<Problem | null>} null: signed in
 */
export function signIn(name, password, wrong) {
  return send('/api/session', { name, password }, wrong);
}

/** Give the password of this session once more. @param {string} password @returns {Promise<Problem | null>} null: it counts */
export function prove(password) {
  return send('/api/session/proof', { password }, 'session.wrong');
}

/** @param {string} path @param {object} body @param {string} [wrong] */
async function send(path, body, wrong) {
  try {
    const { status, headers } = await call(path, { method: 'POST', body, within_ms: 10_000 });
    return problemOf(status, headers, wrong);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return { key: 'signin.unreachable', values: {} };
  }
}

/** The words of a problem. @param {(key: string, values?: Record<string, string|number>) => string} t @param {Problem} problem */
export function wordsOf(t, { key, values }) {
  if (!('wait_s' in values)) return t(key, values);
  const wait_s = Number(values.wait_s);
  return t(key, { wait: wait_s > 0 ? t('signin.seconds', { n: Math.ceil(wait_s) }) : t('signin.minute') });
}
