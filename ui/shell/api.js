// @ts-check
/** REST calls to the hub, same origin, each with a time limit. */

/** No answer at all, or none in time. */
export class Unreachable extends Error {}

/**
 * @param {string} path
 * @param {{method?: string, body?: object, within_ms?: number}} [options]
 * @returns {Promise<{status: number, body: any, headers: Headers}>}
 * @throws {Unreachable}
 */
export async function call(path, { method = 'GET', body, within_ms = 5_000 } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body ? { 'content-type': 'application/json' } : {},
      body: body ? JSON.stringify(body) : undefined,
      signal: AbortSignal.timeout(within_ms),
    });
  } catch (error) {
    throw new Unreachable(String(error));
  }
  return { status: response.status, body: await bodyOf(response), headers: response.headers };
}

/** JSON or null; an error page of something in between is no JSON. @param {Response} response */
async function bodyOf(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/** A UUID; `crypto.randomUUID` exists only in secure contexts. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
