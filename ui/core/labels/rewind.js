// @ts-check
/** The last ten seconds, shown again. @type {import('../labels.js').Words} */
export const REWIND = {
  'rewind.title': ['直前の映像の再生', 'Replay of what was just seen'],
  'rewind.mark': ['再生 REPLAY', 'REPLAY 再生'],
  'rewind.ago': ['−{n} 秒', '−{n} s'],
  'rewind.ago_arrival': ['受信 −{n} 秒', 'received −{n} s'],
  'rewind.close': ['再生を閉じる Esc', 'Close the replay Esc'],
  'rewind.scrub': ['再生位置', 'Position'],
  'rewind.pause': ['一時停止', 'Pause'],
  'rewind.play': ['再生', 'Play'],
  'rewind.repeat': ['もう一度', 'Repeat'],
  'rewind.half': ['½ 速', '½ speed'],
  'rewind.again': ['最新 R', 'Newest R'],
  'rewind.reach': ['長さ {span}', '{span} long'],
  'rewind.reach_dropped': ['長さ {span}（上限で短縮）', '{span} long (cut to its limit)'],
  'rewind.reach_title': ['さかのぼれる長さ', 'How far back it reaches'],
  'rewind.empty': ['このカメラの映像はまだ残っていません', 'Nothing is kept of this camera yet'],
  'rewind.broken': ['再生できません: {why}', 'Cannot be replayed: {why}'],
  'rewind.starting': ['巻き戻しを準備中', 'The rewind is being prepared'],
  'rewind.unsupported': ['このブラウザでは巻き戻しができません（符号化映像の保持に未対応）', 'This browser cannot rewind (it does not hand out encoded pictures)'],
  'rewind.failed': ['巻き戻しは使えません（保持処理が応答しない）。映像は正常です', 'No rewind (its keeper does not answer); live pictures are not affected'],
  'help.rewind': ['大きな映像の直前 10 秒を再生', 'Replay the last 10 s of the large picture'],
};
