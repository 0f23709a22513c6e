// @ts-check
/** Pictures, sound and their age. @type {import('../labels.js').Words} */
export const VIDEO = {
  'video.frozen': ['映像停止 {n} 秒', 'VIDEO FROZEN {n} s'],
  'video.waiting': ['映像を待っています', 'Waiting for video'],
  'video.not_publishing': ['車両が映像を送っていません', 'The vehicle sends no video'],
  'video.failed': ['映像接続を再試行中', 'Video connection: trying again'],
  'video.no_webrtc': ['このブラウザは映像を受信できません', 'This browser cannot receive video'],
  'video.sound_on': ['♪ 音声 出力中', '♪ Sound on'],
  'video.sound_none': ['音声なし', 'No sound'],

  'age.no_picture': ['映像なし', 'no picture'],
  'age.hub_clock_unknown': ['ハブ時刻 不明', 'hub clock unknown'],
  'age.hub_clock_untrusted': ['ハブ時刻 信頼不可', 'hub clock untrusted'],
  'age.vehicle_clock_unknown': ['車両時刻 不明', 'vehicle clock unknown'],
  'age.vehicle_clock_untrusted': ['車両時刻 信頼不可', 'vehicle clock untrusted'],
  'age.clocks_disagree': ['時刻が矛盾', 'clocks disagree'],
  'age.unsupported': ['ブラウザ非対応', 'browser cannot tell'],

  'video.repeated': ['同じ映像の繰り返し', 'SAME PICTURE REPEATED'],
  'video.frozen_small': ['停止 {n} 秒', 'FROZEN {n} s'],
  'video.repeated_small': ['繰り返し', 'REPEATED'],
  'video.repeated_note': ['車両は動いていますが、映像は変わっていません', 'The vehicle moves, its picture does not'],

  'stage.title': ['映像遅延の内訳', 'Where the picture’s age comes from'],
  'stage.capture_encode': ['撮影・符号化', 'Capture, encode'],
  'stage.uplink': ['上り回線', 'Uplink'],
  'stage.hub': ['ハブ', 'Hub'],
  'stage.downlink': ['下り回線・待ち', 'Downlink, buffer'],
  'stage.display': ['復号・表示', 'Decode, display'],
};
