// @ts-check
/** Take-over: what is asked, and what blocks an answer. @type {import('../labels.js').Words} */
export const TAKEOVER = {
  'takeover.title': ['介入', 'Take-over'],
  'takeover.reason': ['理由', 'Reason'],
  'takeover.says': ['車両の説明', 'The vehicle says'],
  'takeover.decide': ['判断', 'Decide'],
  'takeover.no_request': ['車両からの要求はありません', 'The vehicle has not asked'],
  'takeover.back': ['監視へ戻る Esc', 'Back to Watch Esc'],
  'takeover.fallback': ['時間切れの場合', 'If time runs out'],
  'takeover.fallback_text': ['車両は自ら最小リスクの動作を行います', 'the vehicle performs its own minimal-risk manoeuvre'],

  'blocked.hub_lost': ['ハブに接続していない', 'not connected to the hub'],
  'blocked.role': ['この役割には許可の権限がない', 'your role may not allow this'],
  'blocked.no_vehicle': ['車両が不明', 'the vehicle is unknown'],
  'blocked.link': ['車両との通信が正常でない', 'the link to the vehicle is not online'],
  'blocked.in_progress': ['許可を送信中', 'an answer is on its way'],
  'blocked.not_supported': ['この車両は対応していない', 'this vehicle does not support it'],
  'blocked.no_picture': ['映像が見えていない', 'no picture is shown'],
  'blocked.frozen': ['映像が停止している', 'the picture is frozen'],
  'blocked.age_unknown': ['映像の経過時間が不明', 'the age of the picture is unknown'],
  'blocked.no_control': ['操作権がない（L 長押し）', 'you do not have control (hold L)'],
  'blocked.confirming': ['操作権の確認待ち', 'control is not confirmed yet'],
  'blocked.releasing': ['操作権を返却中', 'control is being given back'],
  'blocked.held_by_other': ['他の人が操作権を保持している', 'somebody else has control'],
  'blocked.moving': ['走行中はできない', 'not while it moves'],
  'blocked.too_old': ['映像が古すぎる', 'the picture is too old'],
};
