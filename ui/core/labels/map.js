// @ts-check
/** The map. @type {import('../labels.js').Words} */
export const MAP = {
  'map.no_webgl': ['地図を表示できません（WebGL が使えません）。位置を一覧で示します。', 'The map cannot be drawn (WebGL is not available). Positions are listed instead.'],
  'map.no_base': ['背景地図なし', 'no base map'],
  'map.no_position': ['位置不明', 'Position unknown'],
  'map.loading': ['地図を準備中', 'Preparing the map'],
  'map.tiles_failed': ['{credit}を取得できません（内蔵地図のみ）', 'No {credit} (local base map only)'],
  'map.tiles_greyed': ['色調を変えて表示（新しいタブで開く）', 'Shown in other tones (opens in a new tab)'],
  'map.follow': ['追従', 'Follow'],
  'map.follow_long': ['選択中の車両を地図の中央に保つ（地図を手で動かすと解除）', 'Keep the focused vehicle in the middle (ends when the map is moved by hand)'],
  'map.fleet': ['全車両', 'Whole fleet'],
  'map.fleet_long': ['全車両が入るように地図を表示', 'Show the map with every vehicle on it'],
  'map.legend': ['地図の凡例', 'Key of the map'],
  'map.kind.operating_area': ['走行領域', 'Operating area'],
  'map.kind.headland': ['枕地', 'Headland'],
  'map.kind.handover_spot': ['引継ぎ地点', 'Handover spot'],
};
