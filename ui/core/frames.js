// @ts-check
/**
 * Control frames as they travel: 32 bytes of HMAC-SHA256 over the JSON that follows them
 * (`protocols.drive`). The tag is over the bytes as sent; that they are the very bytes the
 * hub's side would write is held by a test all the same. Pure, but for `sealed`, which
 * needs WebCrypto and so a secure context.
 *
 * @typedef {{session_id: string, epoch: number, seq: number, issued_ns: number, deadman: boolean,
 *            speed_mps: number, curvature: number, brake: number}} DriveFrame
 */
const UTF8 = new TextEncoder();

/** @param {DriveFrame} frame */
export function driveJson({ session_id, epoch, seq, issued_ns, deadman, speed_mps, curvature, brake }) {
  return `{"type":"drive","session_id":${JSON.stringify(session_id)},"epoch":${epoch},"seq":${seq},` +
    `"issued_ns":${issued_ns},"deadman":${deadman},"speed_mps":${real(speed_mps)},` +
    `"curvature":${real(curvature)},"brake":${real(brake)}}`;
}

/** @param {{command_id: string, operator: string}} frame */
export function stopJson({ command_id, operator }) {
  return `{"type":"emergency_stop","command_id":${JSON.stringify(command_id)},"operator":${JSON.stringify(operator)}}`;
}

/** A number that is a real one in the schema. @param {number} value */
function real(value) {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/**
 * The instant of issue on the vehicle's clock, as far as this console knows it.
 *
 * @param {number} now_ms browser clock
 * @param {number} hub_offset_ms hub = browser + offset
 * @param {number} vehicle_offset_ns hub = vehicle + offset
 */
export function issuedNs(now_ms, hub_offset_ms, vehicle_offset_ns) {
  return Math.round((now_ms + hub_offset_ms) * 1e6 - vehicle_offset_ns);
}

/** @param {string} hexadecimal @returns {Uint8Array<ArrayBuffer>} */
export function bytesOf(hexadecimal) {
  return Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** @param {SubtleCrypto} subtle @param {string} hexadecimal @returns {Promise<CryptoKey>} */
export function importKey(subtle, hexadecimal) {
  return subtle.importKey('raw', bytesOf(hexadecimal), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** The frame as it travels. @param {SubtleCrypto} subtle @param {CryptoKey} key @param {string} json @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function sealed(subtle, key, json) {
  const payload = UTF8.encode(json);
  const tag = new Uint8Array(await subtle.sign('HMAC', key, payload));
  const frame = new Uint8Array(tag.length + payload.length);
  frame.set(tag);
  frame.set(payload, tag.length);
  return frame;
}

/** @param {Uint8Array} bytes */
export function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
