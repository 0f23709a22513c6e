// @ts-check
/** Histories of a vehicle's numbers. @type {import('../labels.js').Words} */
export const HISTORY = {
  'history.title': ['履歴（直近 10 分）', 'History (last 10 min)'],
  'history.open': ['履歴', 'History'],
  'history.open_of': ['{who} の履歴 (G)', 'History of {who} (G)'],
  'history.close': ['閉じる (Esc)', 'Close (Esc)'],
  'history.none': ['値なし', 'no value'],
  'history.now': ['現在', 'now'],
  'history.limit': ['限度 {n}', 'limit {n}'],
  'history.least': ['下限 {n}', 'at least {n}'],
  'history.gap': ['線の切れ目は「不明」。この画面を開いてからの記録です。', 'A break in a line means “unknown”. Kept since this page was opened.'],
  'history.loading': ['グラフを準備中', 'Preparing the charts'],
  'history.g2g': ['映像の遅延（撮影→表示）', 'Picture delay (capture → display)'],
  'history.rtt': ['往復時間 ハブ↔車両', 'Round trip hub ↔ vehicle'],
  'history.loss': ['パケット損失', 'Packet loss'],
  'history.loss_before': ['修復前', 'before repair'],
  'history.loss_after': ['修復後', 'after repair'],
  'history.kbps': ['映像ビットレート', 'Video bit rate'],
  'history.speed': ['速度', 'Speed'],
  'help.history': ['選択中の車両の履歴', 'History of the focused vehicle'],
};
