// @ts-check
/** Alarms. @type {import('../labels.js').Words} */
export const ALARMS = {
  'alarm.line_empty': ['未確認の警報なし', 'No unacknowledged alarms'],
  'alarm.line_unknown': ['警報は不明 — ハブ未接続', 'Alarms unknown — hub not connected'],
  'alarm.more': ['ほか {n} 件', '{n} more'],
  'alarm.ack': ['確認', 'Acknowledge'],
  'alarm.silence': ['消音', 'Silence'],
  'alarm.since': ['発生', 'Raised'],
  'alarm.vehicle': ['対象', 'Where'],
  'alarm.priority': ['優先度', 'Priority'],
  'alarm.state': ['状態', 'State'],
  'alarm.title': ['警報', 'Alarm'],
  'alarm.cause': ['原因', 'Cause'],
  'alarm.consequence': ['放置した場合', 'If ignored'],
  'alarm.action': ['対応', 'What to do'],
  'alarm.none': ['現在の警報はありません', 'No alarms at present'],
  'alarm.by': ['{who} が確認', 'acknowledged by {who}'],
  'alarm.unacknowledged': ['未確認', 'Unacknowledged'],
  'alarm.acknowledged': ['確認済', 'Acknowledged'],
  'alarm.returned_unacknowledged': ['復帰・未確認', 'Returned, unacknowledged'],
  'alarm.shelved': ['保留', 'Shelved'],
  'alarm.suppressed_by_design': ['設計抑制', 'Suppressed by design'],
  'alarm.out_of_service': ['対象外', 'Out of service'],

  'priority.1': ['緊急', 'Urgent'],
  'priority.2': ['高', 'High'],
  'priority.3': ['低', 'Low'],
};
