// @ts-check
/** Cameras of a vehicle. @type {import('../labels.js').Words} */
export const CAMERAS = {
  'camera.front': ['前方', 'Front'],
  'camera.left': ['左側', 'Left'],
  'camera.right': ['右側', 'Right'],
  'camera.rear': ['後方', 'Rear'],
  'camera.cabin': ['車内', 'Cabin'],
  'camera.implement': ['作業機', 'Implement'],
  'cameras.enlarge': ['{camera} を大きく表示 (C)', 'Show {camera} large (C)'],
  'cameras.more': ['他 {n} 台: C で切替', '{n} more: C'],
};
