"""Every finding there can be: how bad it is, what it means, what to do; in both languages.

The texts name `{about}`, `{value}`, `{unit}` and what the check put into `fill`. What is
well needs no action: there the action is empty.
"""

from __future__ import annotations

from typing import Final

from supervisor.doctor import rows_machine, rows_network
from supervisor.doctor.finding import Finding, Level

LEVELS: Final = {
    Level.OK: {"ja": "正常", "en": "OK"},
    Level.INFO: {"ja": "情報", "en": "INFO"},
    Level.WARNING: {"ja": "警告", "en": "WARNING"},
    Level.FAILURE: {"ja": "異常", "en": "FAILURE"},
    Level.UNKNOWN: {"ja": "不明", "en": "UNKNOWN"},
}
"""Words of the levels; they are always written, so that no colour is needed."""

CHECKS: Final = {
    "config": {"ja": "設定ファイル", "en": "Configuration"},
    "ports": {"ja": "ポート", "en": "Ports"},
    "udp": {"ja": "UDP の送受信", "en": "UDP to and from this machine"},
    "batches": {"ja": "UDP の一括送受信 (GSO/GRO)", "en": "UDP in batches (GSO/GRO)"},
    "buffers": {"ja": "UDP バッファ", "en": "UDP buffers"},
    "candidates": {"ja": "ICE 候補アドレス", "en": "ICE candidates"},
    "stun": {"ja": "STUN/TURN", "en": "STUN/TURN"},
    "clock": {"ja": "時刻同期", "en": "Clock"},
    "certificate": {"ja": "証明書", "en": "Certificate"},
    "state": {"ja": "状態フォルダー", "en": "State folder"},
    "disk": {"ja": "ディスクの空き", "en": "Room on disk"},
    "fsync": {"ja": "ディスクの書き込み確認 (fsync)", "en": "Confirmed writes (fsync)"},
    "broker": {"ja": "ブローカー (MQTT)", "en": "Broker (MQTT)"},
    "files": {"ja": "開けるファイル数", "en": "Open files"},
    "processors": {"ja": "プロセッサー", "en": "Processors"},
    "browser": {"ja": "ブラウザー", "en": "Browser"},
}
"""Names of the checks."""

WORDS: Final = {
    "do": {"ja": "対処", "en": "do"},
    "end": {"ja": "終了コード", "en": "exit code"},
}
"""Other words of the report."""

ROWS: Final = {**rows_network.ROWS, **rows_machine.ROWS}
"""By code; the part before the dot is the check, or `check` for all of them."""


def means(finding: Finding, language: str) -> str:
    """Return what a finding means."""
    return _say(ROWS[finding.code].means[language], finding)


def action(finding: Finding, language: str) -> str:
    """Return what to do; empty if nothing."""
    return _say(ROWS[finding.code].action[language], finding)


def _say(text: str, finding: Finding) -> str:
    value = "—" if finding.value is None else str(finding.value)
    known = {"about": finding.about, "value": value, "unit": finding.unit, **finding.fill}
    return text.format_map(known).strip()
