// @ts-check
/** Plain http: what a browser withholds. @type {import('../labels.js').Words} */
export const SECURE = {
  'secure.plain': ['https でないため、パスワードと映像は同じネットワークから読めます。', 'NOT HTTPS: everyone on this network can read passwords and pictures.'],
  'secure.missing': ['使えない機能: {names}', 'Not available: {names}'],
  'secure.help': ['https にする方法', 'How to get https'],
  'secure.sealed': ['遠隔操作と停止の直接経路', 'driving and the direct way of a stop'],
  'secure.microphone': ['マイク', 'microphone'],
  'secure.gamepad': ['ゲームパッド・ハンドル', 'gamepad or wheel'],
  'secure.wakelock': ['消灯防止', 'keeping the screen awake'],
  'secure.notifications': ['通知', 'notifications'],
  'secure.output': ['スピーカーの選択', 'choice of loudspeaker'],
  'secure.webcodecs': ['WebCodecs', 'WebCodecs'],
};
