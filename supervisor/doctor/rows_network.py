"""What can be found of the network: ports, UDP, addresses, servers."""

from __future__ import annotations

from typing import Final

from supervisor.doctor.finding import Level
from supervisor.doctor.row import row

_OK, _INFO, _WARNING, _FAILURE, _UNKNOWN = Level

ROWS: Final = {
    "ports.free": row(_OK, "{about} は空いています。", "{about} is free."),
    "ports.any": row(
        _OK,
        "{about}: 空きポートを自動で選べるアドレスです。",
        "{about}: any free port can be taken on this address.",
    ),
    "ports.ours": row(
        _OK,
        "{about} は、この設定で動作中のハブが使っています。",
        "{about} is held by the running hub of this configuration.",
    ),
    "ports.fallback": row(
        _INFO,
        "{about} は使用中です。ハブは別のポートを使います (fallback_ports)。",
        "{about} is taken; the hub takes another one (fallback_ports).",
    ),
    "ports.taken": row(
        _FAILURE,
        "{about} は別のプログラムが使っています: {who}。ハブは起動しません。",
        "{about} is taken by another program: {who}. The hub does not start.",
        "そのプログラムを終了するか、設定で別のポートにしてください。",
        "End that program, or set another port.",
    ),
    "ports.taken_unseen": row(
        _FAILURE,
        "{about} は使用中です。どのプログラムかは、このユーザーには見えません。",
        "{about} is taken, by a program this user may not see.",
        "`sudo ss -lnptu` で確かめて終了するか、設定で別のポートにしてください。",
        "`sudo ss -lnptu` names it: end it, or set another port.",
    ),
    "ports.unseen": row(
        _UNKNOWN,
        "{about} は使用中で、ハブは動作中ですが、ハブが使っているのかは見えません。",
        "{about} is taken and a hub runs, but whether it is the hub cannot be seen.",
        "ハブと同じユーザーで実行してください。",
        "Run it as the user that the hub runs as.",
    ),
    "ports.refused": row(
        _FAILURE,
        "{about} は使えません: {reason}",
        "{about} cannot be used: {reason}",
        "`ip address` で listen のアドレスを確かめてください。"
        "1024 未満のポートには権限が必要です。",
        "Check `listen` against `ip address`; ports below 1024 need a privilege.",
    ),
    "udp.arrived": row(
        _OK,
        "{about} ポート {value} に届きました(このマシン内で)。",
        "A datagram to {about} port {value} arrived, within this machine.",
    ),
    "udp.lost": row(
        _FAILURE,
        "{about} への UDP が届きません: {reason}。映像が通りません。",
        "UDP to {about} does not arrive: {reason}. No video will pass.",
        "media.listen と、このマシンのファイアウォールを確かめてください。",
        "Check media.listen and this machine's firewall.",
    ),
    "udp.lost_elsewhere": row(
        _WARNING,
        "{about} への UDP が届きません: {reason}。映像には使わないアドレスです。",
        "UDP to {about} does not arrive: {reason}. Video does not use this address.",
        "このアドレスを使うつもりなら、ファイアウォールを確かめてください。",
        "If you mean to use this address, check the firewall.",
    ),
    "batches.sent": row(
        _OK,
        "カーネルは UDP を一括送信できます ({value})。",
        "The kernel sends UDP in batches ({value}).",
    ),
    "batches.no_send": row(
        _WARNING,
        "UDP を一括送信できません (UDP_SEGMENT)。送信の負荷が数倍になります。",
        "No UDP in batches (UDP_SEGMENT): sending costs several times as much.",
        "Linux 4.18 以降のカーネルを使ってください。"
        "コンテナーでは実行環境の制限を確かめてください。",
        "Use Linux 4.18 or newer; in a container look at what its runtime forbids.",
    ),
    "batches.received": row(
        _OK,
        "カーネルは UDP を一括受信できます ({value})。",
        "The kernel receives UDP in batches ({value}).",
    ),
    "batches.unseen": row(
        _INFO,
        "UDP_GRO は有効にできますが、今回は一括で届きませんでした。",
        "UDP_GRO can be switched on, but nothing came in a batch this time.",
    ),
    "batches.no_receive": row(
        _WARNING,
        "UDP を一括受信できません (UDP_GRO)。受信の負荷が数倍になります。",
        "No UDP in batches (UDP_GRO): receiving costs several times as much.",
        "Linux 5.0 以降のカーネルを使ってください。",
        "Use Linux 5.0 or newer.",
    ),
    "batches.not_arrived": row(
        _WARNING,
        "試しに送ったデータがすべては届かず、一括受信を確認できません。",
        "What was sent did not arrive whole, so receiving in batches could not be seen.",
        "UDP の送受信の項目を先に直してください。",
        "Mend UDP to and from this machine first.",
    ),
    "buffers.granted": row(
        _OK,
        "{about}: 必要な {asked} KiB を確保できました({value} {unit})。",
        "{about}: all of {asked} KiB was granted ({value} {unit}).",
    ),
    "buffers.small": row(
        _WARNING,
        "{about}: {asked} KiB が必要ですが {value} {unit} でした。"
        "混雑時に映像のパケットを失います。",
        "{about}: {value} {unit} granted of {asked} KiB. Bursts of video will lose packets.",
        "`sudo sysctl -w {about}={bytes}`。恒久的には /etc/sysctl.d/ に書いてください。",
        "`sudo sysctl -w {about}={bytes}`, and for good in /etc/sysctl.d/.",
    ),
    "candidates.offered": row(
        _OK,
        "{about} を車両とブラウザーに伝えます。このマシンのアドレスです。",
        "{about} is told to vehicles and browsers; it is an address of this machine.",
    ),
    "candidates.foreign": row(
        _INFO,
        "{about} を伝えますが、このマシンのアドレスではありません。"
        "転送の有無はここからは確かめられません。",
        "{about} is told, but is no address of this machine; whether it leads here cannot be "
        "seen from here.",
        "ルーターなどで、そのアドレスの UDP ポートをこのマシンに転送してください。",
        "See that its UDP ports are forwarded to this machine.",
    ),
    "candidates.no_address": row(
        _FAILURE,
        "media の {about} は IP アドレスではありません。誰も接続できません。",
        "{about} in [media] is no IP address: nobody can connect to it.",
        "media.listen と media.announce には IP アドレスを書いてください。",
        "Write IP addresses in media.listen and media.announce.",
    ),
    "candidates.none": row(
        _FAILURE,
        "全アドレス ({about}) で待ち受けますが、伝えるアドレスがありません。ハブは起動しません。",
        "Media listens on every address ({about}) and none is told. The hub does not start.",
        "media.announce に、車両とブラウザーから届くアドレスを書いてください。",
        "Set media.announce to the addresses that vehicles and browsers reach.",
    ),
    "candidates.loopback": row(
        _WARNING,
        "{about} だけを伝えます。他のマシンの車両や端末には映像が届きません。",
        "Only {about} is told: vehicles and seats on other machines get no video.",
        "media.listen(または media.announce)に、"
        "このマシンのネットワークのアドレスを書いてください。",
        "Set media.listen (or media.announce) to this machine's address on the network.",
    ),
    "candidates.demo": row(
        _INFO,
        "デモのため {about} だけを伝えます。",
        "A demo: only {about} is told.",
    ),
    "stun.none": row(
        _INFO,
        "STUN/TURN サーバーは指定されていません。ハブ自身は使いません。",
        "No STUN or TURN server was named; the hub itself uses none.",
        "確かめるには `--stun ホスト:ポート` を付けてください。",
        "To try one: `--stun host:port`.",
    ),
    "stun.answers": row(
        _OK,
        "{about} が {value} {unit} で応答しました。外からは {seen} に見えます。",
        "{about} answered after {value} {unit}; it sees this machine as {seen}.",
    ),
    "stun.elsewhere": row(
        _INFO,
        "{about} が {value} {unit} で応答しました。"
        "外からは {seen} に見え、media.announce にはありません。",
        "{about} answered after {value} {unit}; it sees this machine as {seen}, which is not in "
        "media.announce.",
        "外から接続させるなら media.announce に加えてください。",
        "If peers come from out there, add it to media.announce.",
    ),
    "stun.silent": row(
        _WARNING,
        "{about} が応答しません: {reason}",
        "{about} does not answer: {reason}",
        "アドレス、ポート、途中のファイアウォール(UDP)を確かめてください。",
        "Check its address and port, and firewalls on the way (UDP).",
    ),
    "broker.answers": row(
        _OK,
        "{about} にサインインできました({value} {unit})。",
        "{about} took the login ({value} {unit}).",
    ),
    "broker.program": row(
        _INFO,
        "内蔵ブローカー {about} があります。ハブが起動していないため、応答は確かめていません。",
        "The embedded broker {about} is there; the hub does not run, so it was not asked.",
    ),
    "broker.no_program": row(
        _FAILURE,
        "内蔵ブローカーがありません: {reason}",
        "There is no embedded broker: {reason}",
        "`./enkan` で起動すると導入されます。"
        "または telemetry.broker に別のブローカーを書いてください。",
        "Start by `./enkan`, which installs it, or name another one in telemetry.broker.",
    ),
    "broker.unsaid": row(
        _UNKNOWN,
        "ハブは動作中ですが、ブローカーの場所がわかりません: {reason}",
        "A hub runs, but does not say where its broker is: {reason}",
        "ハブの準備ができてから、もう一度実行してください。",
        "Run it again once the hub is ready.",
    ),
    "broker.no_login": row(
        _UNKNOWN,
        "試すための車両の認証情報がありません: {reason}",
        "There is no vehicle's login to try it with: {reason}",
        "`enkan credentials add-vehicle` で作ってください。",
        "Make one: `enkan credentials add-vehicle`.",
    ),
    "broker.address": row(
        _FAILURE,
        "ブローカーのアドレスを読めません: {reason}",
        "The broker's address cannot be read: {reason}",
        "telemetry.broker を直してください。",
        "Mend telemetry.broker.",
    ),
    "broker.silent": row(
        _FAILURE,
        "{about} から応答がありません: {reason}。テレメトリも指令も届きません。",
        "{about} does not answer: {reason}. Neither telemetry nor commands will pass.",
        "ブローカーが動いているか、telemetry.broker とファイアウォールを確かめてください。",
        "See that it runs; check telemetry.broker and firewalls.",
    ),
    "broker.login": row(
        _FAILURE,
        "{about} はサインインを拒みました(コード {value})。",
        "{about} refuses the login (code {value}).",
        "telemetry.broker のユーザー名とパスワードを確かめてください。",
        "Check user and password in telemetry.broker.",
    ),
    "broker.refuses": row(
        _FAILURE,
        "{about} は接続を拒みました(コード {value})。",
        "{about} refuses the connection (code {value}).",
        "MQTT 3.1.1 に対応し、準備ができているか、ブローカーのログを確かめてください。",
        "See in its log whether it takes MQTT 3.1.1 and is ready.",
    ),
}
