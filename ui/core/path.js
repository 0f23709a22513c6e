// @ts-check
/**
 * A path that an operator draws for a vehicle: points on the map, from where it stands.
 * Pure.
 *
 * @typedef {readonly [number, number]} Point  longitude, latitude in degrees, WGS 84
 * @typedef {readonly Point[]} Path
 */
const EARTH_M = 6_371_008.8;
/** As `protocols.commands.FollowPath`; the vehicle's own place is the first. */
export const MAX_POINTS = 200;
/** Longer than this is not assistance any more. */
export const MAX_LENGTH_M = 500;
const MIN_STEP_M = 0.5;

/** Metres between two points (haversine). @param {Point} a @param {Point} b */
export function distance([lon1, lat1], [lon2, lat2]) {
  const rad = Math.PI / 180;
  const h = Math.sin(((lat2 - lat1) * rad) / 2) ** 2 +
    Math.cos(lat1 * rad) * Math.cos(lat2 * rad) * Math.sin(((lon2 - lon1) * rad) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** @param {Path} path */
export function lengthOf(path) {
  return path.slice(1).reduce((sum, point, at) => sum + distance(path[at], point), 0);
}

/** Seconds at a steady speed. @param {Path} path @param {number} speed_mps */
export function durationOf(path, speed_mps) {
  return speed_mps > 0 ? lengthOf(path) / speed_mps : Infinity;
}

/** One more point, unless it lies on the last. @param {Path} path @param {Point} point @returns {Path} */
export function withPoint(path, point) {
  const last = path[path.length - 1];
  if (path.length >= MAX_POINTS - 1 || (last && distance(last, point) < MIN_STEP_M)) return path;
  return [...path, point];
}

/** @param {Path} path @returns {Path} */
export function withoutLast(path) {
  return path.slice(0, -1);
}

/**
 * The whole path, beginning where the vehicle stands now.
 *
 * @param {{longitude: number, latitude: number} | null} pose
 * @param {Path} path
 * @returns {Path}
 */
export function fromVehicle(pose, path) {
  return pose === null ? path : [[pose.longitude, pose.latitude], ...path];
}

/** Why this path cannot be sent; '' when it can. @param {{longitude: number, latitude: number} | null} pose @param {Path} path */
export function pathProblem(pose, path) {
  if (pose === null) return 'no_position';
  if (path.length === 0) return 'empty';
  if (lengthOf(fromVehicle(pose, path)) > MAX_LENGTH_M) return 'too_long';
  return '';
}
