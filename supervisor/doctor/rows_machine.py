"""What can be found of the configuration, the machine, its disk and its certificate."""

from __future__ import annotations

from typing import Final

from supervisor.doctor.finding import CONFIG_REFUSED, Level
from supervisor.doctor.row import row

_OK, _INFO, _WARNING, _FAILURE, _UNKNOWN = Level

ROWS: Final = {
    "check.timeout": row(
        _UNKNOWN,
        "{value} {unit} 以内に終わらず、確認できませんでした。",
        "It did not end within {value} {unit}: not checked.",
        "もう一度実行してください。続く場合は、応答しないディスクや名前解決を疑ってください。",
        "Run it again; if it stays so, suspect a disk or a name server that does not answer.",
    ),
    "check.needs_config": row(
        _UNKNOWN,
        "設定ファイルを使えないため、確認できませんでした。",
        "Not checked: there is no usable configuration.",
        "先に設定ファイルを直してください。",
        "Mend the configuration first.",
    ),
    "check.denied": row(
        _UNKNOWN,
        "システムに断られ、確認できませんでした: {reason}",
        "Not checked, the system refused: {reason}",
        "ハブを動かすユーザーで実行してください。",
        "Run it as the user that the hub runs as.",
    ),
    "config.loads": row(
        _OK,
        "{about} を読み込めました。車両 {value} 台。",
        "{about} can be used; {value} vehicles.",
    ),
    "config.no_vehicles": row(
        _WARNING,
        "{about} に車両がありません。ハブはすべての車両を拒否します。",
        "{about} has no vehicle: the hub refuses all of them.",
        "[[vehicle]] を追加してください。",
        "Add a [[vehicle]] for each.",
    ),
    CONFIG_REFUSED: row(
        _FAILURE,
        "この設定ではハブは起動しません: {reason}",
        "The hub does not start with this: {reason}",
        "示された箇所を直してください。全項目の見本: `enkan sample-config`",
        "Mend what is named; `enkan sample-config` shows every key.",
    ),
    "clock.kept": row(
        _OK,
        "時刻は同期されています(誤差の上限 {value} {unit})。",
        "The clock is kept (error at most {value} {unit}).",
    ),
    "clock.free": row(
        _WARNING,
        "時刻が同期されていません。記録の時刻を他の記録と照合できません。",
        "The clock is not kept: times on record cannot be held against others.",
        "chrony か systemd-timesyncd を有効にしてください(`timedatectl`)。",
        "Enable chrony or systemd-timesyncd (`timedatectl` tells).",
    ),
    "clock.stale": row(
        _WARNING,
        "時刻の誤差の上限が {value} {unit} です。時刻サーバーが長く応答していません。",
        "The clock may be off by {value} {unit}: no time server has answered for long.",
        "`chronyc tracking` か `timedatectl timesync-status` で確かめてください。",
        "Look at `chronyc tracking` or `timedatectl timesync-status`.",
    ),
    "certificate.refused": row(
        _FAILURE,
        "ハブは起動しません: {reason}",
        "The hub does not start: {reason}",
        "ファイルのパスと組み合わせを確かめるか、`enkan certs` で作り直してください。",
        "Check the paths and that the two belong together, or make new ones: `enkan certs`.",
    ),
    "certificate.none": row(
        _INFO,
        "証明書はありません。コンソールは {about} だけです。",
        "No certificate; the console is on {about} only.",
    ),
    "certificate.plain": row(
        _WARNING,
        "コンソール ({about}) は暗号化されません。パスワードも映像も網内で読まれます。",
        "The console on {about} is plain http: passwords and pictures can be read there.",
        "`enkan certs` で証明書を作り、[console] に設定してください (docs/https.md)。",
        "Make a certificate with `enkan certs` and name it in [console] (docs/https.md).",
    ),
    "certificate.fits": row(
        _OK, "{about} は読めて、鍵と対応します。", "{about} can be read and belongs to its key."
    ),
    "certificate.holds": row(
        _OK,
        "{about}: あと {value} 日有効です({until})。",
        "{about} holds for {value} days (until {until}).",
    ),
    "certificate.ends_soon": row(
        _WARNING,
        "{about}: あと {value} 日で切れます({until})。",
        "{about} ends in {value} days ({until}).",
        "`enkan certs --renew --out フォルダー` で更新してください。再起動は不要です。",
        "Renew it: `enkan certs --renew --out FOLDER`; no restart is needed.",
    ),
    "certificate.ended": row(
        _FAILURE,
        "{about}: {until} に切れています。ブラウザーは接続を拒みます。",
        "{about} ended {until}: browsers refuse it.",
        "`enkan certs --renew --out フォルダー` で更新してください。再起動は不要です。",
        "Renew it: `enkan certs --renew --out FOLDER`; no restart is needed.",
    ),
    "certificate.early": row(
        _FAILURE,
        "{about}: {from} までは無効です。",
        "{about} is not valid before {from}.",
        "このマシンの時刻を確かめてください。",
        "Check this machine's clock.",
    ),
    "certificate.names": row(
        _OK, "アクセスする名前と一致します: {about}", "It is for the names in use: {about}"
    ),
    "certificate.names_unsaid": row(
        _INFO,
        "証明書の名前: {about}。アクセスに使う名前は設定にないため、照合していません。",
        "It is for {about}; the configuration names none to compare with.",
    ),
    "certificate.other_names": row(
        _WARNING,
        "{about} は証明書にありません(証明書の名前: {names})。ブラウザーは警告します。",
        "{about} is not in the certificate, which is for {names}: browsers will warn.",
        "`enkan certs` で、その名前を含む証明書を作ってください。",
        "Make one with that name: `enkan certs`.",
    ),
    "certificate.key_own": row(
        _OK,
        "秘密鍵 {about} は所有者だけが読めます ({value})。",
        "Only its owner may read {about} ({value}).",
    ),
    "certificate.key_open": row(
        _WARNING,
        "秘密鍵 {about} を他のユーザーが読めます ({value})。",
        "Other users of this machine may read the key {about} ({value}).",
        "`chmod 600 {about}`。読まれた恐れがあれば作り直してください。",
        "`chmod 600 {about}`; if others may have read it, make a new one.",
    ),
    "state.missing": row(
        _FAILURE,
        "{about} がありません。アカウントと車両の認証情報がないため、ハブは起動しません。",
        "{about} is not there, so neither are accounts and secrets: the hub does not start.",
        "`enkan credentials add-account 名前 --file {about}/credentials.json` で作ってください。",
        "`enkan credentials add-account NAME --file {about}/credentials.json` makes it.",
    ),
    "state.no_folder": row(
        _FAILURE,
        "{about} はフォルダーではありません。",
        "{about} is no folder.",
        "hub.state_dir を直すか、そのファイルを移してください。",
        "Change hub.state_dir, or move that file away.",
    ),
    "state.read_only": row(
        _FAILURE,
        "{about} にこのユーザーは書き込めません ({mode})。",
        "This user may not write to {about} ({mode}).",
        "ハブを動かすユーザーで実行するか、`chown` で所有者を直してください。",
        "Run it as the hub's user, or give the folder to that user (`chown`).",
    ),
    "state.open": row(
        _WARNING,
        "{about} を他のユーザーが開けます ({mode})。",
        "Other users may open {about} ({mode}).",
        "`chmod 700 {about}`",
        "`chmod 700 {about}`",
    ),
    "state.foreign": row(
        _INFO,
        "{about} は別のユーザーのものです ({mode})。ハブもそのユーザーで動かしてください。",
        "{about} belongs to another user ({mode}); run the hub as that user.",
    ),
    "state.own": row(
        _OK,
        "{about} は書き込めて、所有者だけのものです ({mode})。",
        "{about} can be written and is its owner's alone ({mode}).",
    ),
    "state.closed": row(
        _OK,
        "秘密や記録のファイル {value} 個は、所有者だけが読めます。",
        "The {value} files with secrets and records are their owner's alone.",
    ),
    "state.many": row(
        _UNKNOWN,
        "秘密や記録のファイルが多く、{value} 個までしか確認していません。",
        "There are many files with secrets or records: only {value} were looked at.",
        "journal.keep_days か keep_mib を小さくしてください。",
        "Lower journal.keep_days or keep_mib.",
    ),
    "state.readable": row(
        _FAILURE,
        "秘密や記録のファイル {value} 個を他のユーザーが読めます: {about}",
        "Other users may read {value} files with secrets or records: {about}",
        "`chmod 600` を実行してください。読まれた恐れがあれば、認証情報を作り直してください。",
        "`chmod 600` them; if others may have read them, make new secrets.",
    ),
    "state.credentials": row(
        _FAILURE,
        "認証情報を使えません: {reason}",
        "The credentials cannot be used: {reason}",
        "`enkan credentials add-account 名前 --file {about}` で作ってください。",
        "`enkan credentials add-account NAME --file {about}` makes the file.",
    ),
    "state.no_secret": row(
        _FAILURE,
        "認証情報のない車両があります: {about}。ハブは起動しません。",
        "{about} has no secrets: the hub does not start.",
        "`enkan credentials add-vehicle` で作ってください。",
        "Make them: `enkan credentials add-vehicle`.",
    ),
    "state.no_account": row(
        _WARNING,
        "アカウントがなく、誰もサインインできません。",
        "There is no account: nobody can sign in.",
        "`enkan credentials add-account` で作ってください。",
        "Make one: `enkan credentials add-account`.",
    ),
    "state.secrets": row(
        _OK,
        "設定した車両 {value} 台すべてに認証情報があります。",
        "Each of the {value} configured vehicles has its secrets.",
    ),
    "disk.room": row(
        _OK,
        "{about}: 空き {value} {unit}(今後の記録に {grows} MiB)。",
        "{about}: {value} {unit} free ({grows} MiB may still be written).",
    ),
    "disk.will_fill": row(
        _WARNING,
        "{about}: 空き {value} {unit}。記録は今後 {grows} MiB まで増え、足りなくなります。",
        "{about}: {value} {unit} free, but journal and broker may still write {grows} MiB.",
        "journal.keep_mib を小さくするか、ディスクを増やしてください。",
        "Lower journal.keep_mib, or give it more disk.",
    ),
    "disk.low": row(
        _WARNING,
        "{about}: 空き {value} {unit}。{low} MiB を下回るとハブはアラームを出します。",
        "{about}: {value} {unit} free; below {low} MiB the hub raises an alarm.",
        "ファイルを減らすか、ディスクを増やしてください。",
        "Free space, or give it more disk.",
    ),
    "disk.full": row(
        _FAILURE,
        "{about}: 空き {value} {unit}。監査を記録できず、操作は拒否されます。",
        "{about}: {value} {unit} free. Nothing can be put on record, so orders are refused.",
        "ファイルを減らすか、ディスクを増やしてください。",
        "Free space, or give it more disk.",
    ),
    "fsync.quick": row(
        _OK,
        "{count} 回の中央値 {value} {unit}(上限 {limit} ms)。",
        "Half of {count} writes took at most {value} {unit} (limit {limit} ms).",
    ),
    "fsync.too_slow": row(
        _FAILURE,
        "{count} 回の中央値 {value} {unit} が上限 {limit} ms を超えます。"
        "操作の多くが拒否されます。",
        "Half of {count} writes took longer than {value} {unit}, the limit is {limit} ms: most "
        "decisions will be refused.",
        "hub.state_dir をローカルの SSD に置いてください。ネットワークディスクは避けてください。",
        "Put hub.state_dir on a local SSD, not on a network disk.",
    ),
    "fsync.steady": row(
        _OK,
        "{count} 回の最大 {value} {unit}(上限 {limit} ms)。",
        "The slowest of {count} writes took {value} {unit} (limit {limit} ms).",
    ),
    "fsync.stalls": row(
        _WARNING,
        "{count} 回の最大 {value} {unit} が上限 {limit} ms を超えます。操作が時々拒否されます。",
        "The slowest of {count} writes took {value} {unit}, the limit is {limit} ms: now and then "
        "a decision will be refused.",
        "同じディスクを使う他のプログラムを減らすか、ローカルの SSD を使ってください。",
        "Keep other programs off this disk, or use a local SSD (core.decision_limit_s).",
    ),
    "fsync.no_folder": row(
        _UNKNOWN,
        "{about} がないため、測れませんでした。",
        "Not measured: {about} is not there.",
        "状態フォルダーを先に作ってください。",
        "Make the state folder first.",
    ),
    "files.enough": row(
        _OK,
        "上限 {value}({vehicles} 台に必要な目安 {wanted})。{about}",
        "Limit {value}; {wanted} will do for {vehicles} vehicles. {about}",
    ),
    "files.few": row(
        _WARNING,
        "上限 {value} は、{vehicles} 台に必要な目安 {wanted} に足りません。{about}",
        "Limit {value}; {vehicles} vehicles may need {wanted}. {about}",
        "`ulimit -n {wanted}`、systemd では LimitNOFILE={wanted} を設定してください。",
        "`ulimit -n {wanted}`, or LimitNOFILE={wanted} in systemd.",
    ),
    "processors.enough": row(_OK, "{value} 個を使えます。", "{value} can be used."),
    "processors.one": row(
        _WARNING,
        "{value} 個しか使えません。映像の処理と判断が互いに待たせます。",
        "Only {value} can be used: video and decisions hold each other up.",
        "2 個以上にしてください。",
        "Give it two or more.",
    ),
    "processors.governor": row(_INFO, "周波数の制御: {about}", "Frequency governor: {about}"),
    "processors.powersave": row(
        _INFO,
        "周波数の制御: {about}。省電力のため遅延が揺らぐことがあります。",
        "Frequency governor: {about}; saving power may make delays unsteady.",
        "遅延が揺らぐ場合は performance にしてください (`cpupower frequency-set -g performance`)。",
        "If delays are unsteady: `cpupower frequency-set -g performance`.",
    ),
    "processors.virtual": row(
        _INFO,
        "仮想マシンです。他の仮想マシンの負荷で遅延が揺らぐことがあります。",
        "A virtual machine: others on its host may make delays unsteady.",
    ),
    "processors.unsaid": row(
        _UNKNOWN,
        "仮想マシンかどうかは、このシステムではわかりません。",
        "Whether this is a virtual machine, the system does not say.",
    ),
    "browser.found": row(_INFO, "このマシンにあります: {about}", "Installed here: {about}"),
    "browser.none": row(
        _INFO,
        "このマシンにはありません。コンソールは別のマシンでも開けます。",
        "None is installed here; the console can be opened on another machine.",
    ),
}
