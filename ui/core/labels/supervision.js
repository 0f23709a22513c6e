// @ts-check
/** Objectives, enforcement, limits. @type {import('../labels.js').Words} */
export const SUPERVISION = {
  'objectives.title': ['監視の目標', 'Objectives'],

  'purpose.monitor': ['監視', 'monitoring'],
  'purpose.assist': ['支援', 'assistance'],
  'purpose.drive': ['遠隔操作', 'remote driving'],

  'verdict.met': ['目標 達成', 'Objectives met'],
  'verdict.at_risk': ['目標 注意', 'Objective at risk'],
  'verdict.violated': ['目標 違反', 'Objective violated'],
  'verdict.unknown': ['目標 不明', 'Objectives unknown'],

  'indicator.g2g': ['映像遅延', 'Picture age'],
  'indicator.command_delay': ['指令遅延', 'Command delay'],
  'indicator.closed_loop': ['往復遅延', 'Closed loop'],
  'indicator.telemetry_age': ['数値の古さ', 'Telemetry age'],
  'indicator.heartbeat_gap': ['通信の途切れ', 'Heartbeat gap'],
  'indicator.frame_gap': ['映像の途切れ', 'Frame gap'],
  'indicator.clock_uncertainty': ['時刻の不確かさ', 'Clock uncertainty'],
  'indicator.picture_height': ['解像度（行）', 'Picture lines'],
  'indicator.bitrate': ['映像の情報量', 'Video bitrate'],

  'why.within': ['範囲内（{over}/{samples} が超過）', 'within ({over} of {samples} over)'],
  'why.budget_used': ['余裕わずか（{over}/{samples} が超過）', 'little left ({over} of {samples} over)'],
  'why.in_doubt': ['誤差が限度にかかる（{doubtful}/{samples}）', 'in doubt by error bars ({doubtful} of {samples})'],
  'why.over_limit': ['{over}/{samples} が超過（許容 {allowed}）', '{over} of {samples} over, {allowed} allowed'],
  'why.recovering': ['回復中 あと {in_ms}', 'recovering, {in_ms} to go'],
  'why.no_evidence': ['まだ測定なし', 'not measured yet'],
  'why.stale': ['{age_ms} 新しい測定なし', 'nothing new for {age_ms}'],
  'why.too_few': ['標本不足（{samples}/{needed}）', 'too few samples ({samples} of {needed})'],
  'why.untrusted': ['時刻が信頼できない', 'clock not trusted'],
  'why.nobody_watches': ['見ている席がない', 'no seat shows it'],
  'why.not_in_use': ['対象外', 'not in use'],

  'ladder.now': ['措置中: {what}', 'In force: {what}'],
  'ladder.next': ['{in} 後に {what}', '{what} in {in}'],
  'ladder.eases': ['{in} 後に緩和: {what}', 'eases in {in}: {what}'],

  'rung.none': ['通常', 'normal'],
  'rung.protect_focus': ['選択映像を優先', 'focused camera protected'],
  'rung.smaller_layers': ['他の映像を縮小', 'other pictures smaller'],
  'rung.speed_limit': ['速度制限', 'speed limit'],
  'rung.withdraw_drive': ['操作権の取消', 'driving withdrawn'],
  'rung.minimal_risk': ['リスク最小化制御の要求', 'minimal-risk request'],

  'loop.missing': ['不明（{what}）', 'unknown ({what})'],

  'limit.title': ['速度制限', 'Speed limit'],
  'limit.by.vehicle': ['車両', 'vehicle'],
  'limit.by.governor': ['遅延による', 'by delay'],
  'limit.by.unknown_delay': ['遅延不明による', 'delay unknown'],
  'limit.by.ladder': ['目標違反による', 'objective violated'],
  'limit.state.recording': ['記録中', 'being recorded'],
  'limit.state.sent': ['送信済', 'sent'],
  'limit.state.applied': ['適用済', 'applied'],
  'limit.state.refused': ['拒否', 'refused'],
  'limit.state.unconfirmed': ['未確認', 'unconfirmed'],
  'limit.state.unsupported': ['車両が非対応', 'not supported'],

  'drive.no': ['遠隔操作 不可', 'No remote driving'],
  'drive.clock': ['時刻', 'clock'],
  'drive.link': ['通信', 'link'],
  'drive.closed_loop': ['往復遅延 不明', 'closed loop unknown'],
  'drive.ladder': ['措置中', 'enforcement'],
  'drive.unsupported': ['車両が非対応', 'not supported by the vehicle'],
  'drive.recovering': ['回復を確認中', 'settling'],
};
