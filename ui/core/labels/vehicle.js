// @ts-check
/** A vehicle: link, mode, place, task. @type {import('../labels.js').Words} */
export const VEHICLE = {
  'reason.obstacle': ['前方に障害物', 'Obstacle ahead'],
  'reason.blocked': ['進路がふさがれている', 'Path is blocked'],
  'reason.sensor': ['センサー異常', 'Sensor fault'],
  'reason.odd_exit': ['走行領域外', 'Outside ODD'],
  'reason.at stop': ['停留所に停車中', 'At a stop'],
  'reason.end of the route': ['経路の終点', 'End of the route'],
  'reason.link lost': ['通信断 — 走行領域内で走行を継続', 'Link lost — carries on inside its ODD'],
  'reason.waiting for the hub': ['ハブを待っています', 'Waiting for the hub'],
  'reason.other': ['車両からの要求', 'The vehicle asks'],

  'link.online': ['通信 正常', 'Link online'],
  'link.degraded': ['通信 低下', 'Link degraded'],
  'link.one_way': ['片方向断 — 車両に届いていません', 'One way — the vehicle does not hear us'],
  'link.lost': ['通信断', 'Link lost'],
  'link.offline': ['停止中（オフライン）', 'Offline'],
  'link.unknown': ['通信 不明', 'Link unknown'],
  'link.age': ['{age}前', '{age} ago'],
  'link.promise': ['約束された動作: {what}', 'Promised: {what}'],
  'link.last_position': ['最終位置 {age}前', 'Last position {age} ago'],

  'mode.STOP': ['停車中', 'Standing'],
  'mode.AUTONOMOUS': ['自動運転中', 'Autonomous'],
  'mode.LOCAL': ['車内操作', 'Local'],
  'mode.REMOTE_ASSIST': ['遠隔支援中', 'Remote assist'],
  'mode.REMOTE_DRIVE': ['遠隔操作中', 'Remote drive'],
  'mode.unknown': ['モード不明', 'Mode unknown'],

  'mrm.MRM_OPERATING': ['MRM 実行中', 'MRM operating'],
  'mrm.MRM_SUCCEEDED': ['MRM 完了', 'MRM succeeded'],
  'mrm.MRM_FAILED': ['MRM 失敗', 'MRM FAILED'],

  'odd.NEAR_EXIT': ['走行領域の端', 'Near ODD exit'],
  'odd.OUTSIDE': ['走行領域外', 'Outside ODD'],

  'behaviour.NONE': ['走行を続ける', 'carries on'],
  'behaviour.COMFORTABLE_STOP': ['緩やかに停止する', 'comfortable stop'],
  'behaviour.EMERGENCY_STOP': ['緊急停止する', 'emergency stop'],
  'behaviour.PULL_OVER': ['路肩に停車する', 'pulls over'],
  'behaviour.unknown': ['不明', 'unknown'],

  'tile.limit': ['制限 {n}（{who}）', 'limit {n} ({who})'],
  'tile.no_limit': ['制限 —', 'limit —'],
  'tile.asks': ['介入要求', 'NEEDS YOU'],
  'tile.next.bus': ['次の停留所', 'Next stop'],
  'tile.next.other': ['次の作業', 'Next task'],
  'tile.progress': ['進捗', 'Progress'],
  'tile.unknown': ['不明', 'unknown'],
  'tile.delay': ['遅延', 'Delay'],
  'tile.aged': ['{age}前の値', '{age} old'],
  'tile.empty': ['車両がまだ登録されていません。ハブの設定を確認してください。', 'No vehicle is known yet. Check the hub’s configuration.'],

  'rows.title': ['映像のない車両', 'Vehicles without video'],
};
