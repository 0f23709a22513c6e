// @ts-check
/** The attention queue. @type {import('../labels.js').Words} */
export const QUEUE = {
  'queue.title': ['介入要求', 'Take-over requests'],
  'queue.empty': ['要求はありません', 'No requests'],
  'queue.empty_unknown': ['不明 — ハブ未接続', 'Unknown — hub not connected'],
  'queue.left': ['残り時間', 'Time left'],
  'queue.no_limit': ['制限なし', 'no limit'],
  'queue.passed': ['時間切れ', 'time is up'],
  'queue.open': ['開く Enter', 'Open Enter'],
  'queue.answered_by': ['{who} が対応中', '{who} is answering'],
  'queue.unanswered': ['応答なし — 時間切れ', 'Unanswered — the time is over'],
  'queue.mine': ['あなたの担当', 'yours'],
  'queue.everybody': ['全員へ — 準備のできた席なし', 'to everybody — no seat is armed'],
  'queue.others_seat': ['担当 {who}', 'with {who}'],
  'queue.others': ['ほかの席の担当', 'Other seats'],
  'queue.step.neighbour': ['隣席も呼出中', 'a second seat is called'],
  'queue.step.supervisor': ['主任者を呼出中', 'supervisors are called'],
  'queue.look': ['見る', 'Look'],
  'queue.closed_applied': ['発進許可 — 車両で適用済', 'Allowed to proceed — applied by the vehicle'],
  'queue.closed_cleared': ['車両が要求を取り下げました', 'The vehicle withdrew its request'],
};
