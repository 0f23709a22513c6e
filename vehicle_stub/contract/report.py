"""The words of the contract test kit, in Japanese and English."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Final

from vehicle_stub.contract.run import Finding, Verdict

DOCUMENT: Final = "docs/vehicle-contract.md"


class Language(enum.StrEnum):
    """Of the report."""

    JA = "ja"
    EN = "en"


RULE_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "connection": (
        "接続をセッション付きで保持発行する",
        "says ONLINE, retained, with its session",
    ),
    "factsheet": ("仕様を保持発行し、stop に従う", "says, retained, what it is and obeys"),
    "stop": ("stop はタグだけで従う", "obeys a stop by its tag alone"),
    "stop-repeated": ("同じ stop には同じ答え", "answers a repeated stop again"),
    "heartbeat": ("毎秒2回の鼓動、ハブの鼓動を返す", "beats twice a second and echoes the hub"),
    "state": ("状態を5秒ごとに保持発行する", "says its state, retained, every 5 s"),
    "obeyed": ("正しい指令は適用する", "applies what is right in every way"),
    "bad-tag": ("別の鍵・改変された指令を拒否", "refuses another key, or a changed command"),
    "misaddressed": ("他の車両宛ての指令を拒否", "refuses what was made for another vehicle"),
    "wrong-session": ("前回起動時の指令を拒否", "refuses what was meant for another start"),
    "old-epoch": ("古いエポックを拒否", "refuses an epoch that was fenced off"),
    "replayed": ("再送された番号を拒否", "refuses a seq that is not newer"),
    "reordered": ("追い越された指令を拒否", "refuses what was overtaken"),
    "overtaken-by-stop": ("stop より前の指令を拒否", "refuses what a stop has overtaken"),
    "duplicated": ("同じIDには同じ答え、効果は一度", "answers a repeated id as before"),
    "stale": ("期限切れの指令を拒否", "refuses what is past its time"),
    "future": ("未来の指令を拒否", "refuses what comes from ahead of its clock"),
    "unknown-type": ("知らない種類を拒否", "refuses a type it does not know"),
    "malformed": (
        "読めない指令を拒否し、動作を続ける",
        "refuses what it cannot read",
    ),
    "unknown-field": ("契約にない項目を拒否", "refuses a field the contract does not have"),
    "retained": ("保存された指令を拒否", "refuses a stored command"),
    "emergency-stop": ("非常停止はタグだけで従う", "obeys an emergency stop by its tag alone"),
    "stop-frame": ("停止フレームと指令は一つの効果", "a stop frame and its command are one"),
    "frame-without-control": (
        "操縦権のない操縦フレームを無視",
        "ignores control frames of who has no control",
    ),
    "no-control": ("操縦権なしの指令を拒否", "refuses what needs control while nobody has it"),
    "take": ("新しいエポックで操縦権を渡す", "gives control in a new epoch, and says to whom"),
    "same-epoch": ("一つのエポックに保持者は一人", "no epoch has two holders"),
    "not-holder": ("保持者以外の指令を拒否", "refuses what needs control from anybody else"),
    "fast-heartbeats": ("操縦権の間は毎秒10回の鼓動", "beats ten times a second under control"),
    "envelope": ("自身の限界を超える経路を拒否", "refuses a path outside its own envelope"),
    "kept": ("貸与が続く間、操縦権も続く", "keeps control while the lease is heard"),
    "lapse": ("貸与が聞こえなければ失効する", "lets control lapse without the lease"),
    "not-rearmed": ("失効した操縦権は自然に戻らない", "does not take lapsed control up again"),
    "release": ("返却に応じ、保持者なしと言う", "gives control back and says so"),
    "fence": ("高いエポックで操縦権は終わる", "a higher epoch ends control"),
    "readable": ("発言はすべて契約の形", "says nothing outside the form of the contract"),
    "still": ("検査中ずっと停止していた", "has stood all the while"),
}

VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.KEPT: ("遵守", "kept"),
    Verdict.BROKEN: ("違反", "BROKEN"),
    Verdict.NOT_APPLICABLE: ("対象外", "not applicable"),
}

CANNOT: Final[dict[str, tuple[str, str]]] = {
    "not_heard": (
        "車両の鼓動とテレメトリが聞こえません。ブローカー、車両名、アカウントを確認してください",
        "neither heartbeats nor telemetry are heard: check broker, name and account",
    ),
    "moves": (
        "車両が動いています。停止させてからやり直してください",
        "it moves: have it stand, then try again",
    ),
    "does_not_stop": (
        "stop が適用されません。この車両を検査してはいけません",
        "it does not apply a stop: this vehicle must not be checked",
    ),
    "other_hub": (
        "別のハブがこの車両と話しています。止めてからやり直してください",
        "another hub talks to this vehicle: end that first",
    ),
    "not_confirmed": (
        "検査は車両を停止させ、操縦権（支援）を取得・返却しますが、動かしません。"
        "車両が停止していることを確かめ、--standing を付けてください",
        "The check stops the vehicle, takes control to assist and gives it back; it never "
        "moves it. See that it stands, then add --standing",
    ),
}


def text(pair: tuple[str, str], language: Language) -> str:
    """Return the words in this language."""
    return pair[0] if language is Language.JA else pair[1]


def line(finding: Finding, language: Language) -> str:
    """Return one finding as a line."""
    rule = finding.rule
    words = f"{text(VERDICTS[finding.verdict], language)}  {rule.key}: "
    words += f"{text(RULE_TEXTS[rule.key], language)}  ({DOCUMENT} §{rule.section})"
    return f"{words}\n    {finding.why}" if finding.why else words


def summary(findings: Sequence[Finding], language: Language) -> str:
    """Return how many rules came out how."""
    parts = []
    for verdict, words in VERDICTS.items():
        count = sum(finding.verdict is verdict for finding in findings)
        parts.append(f"{text(words, language)} {count}")
    return ", ".join(parts)


def as_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return the findings for `--json`."""
    return [
        {
            "rule": finding.rule.key,
            "verdict": finding.verdict.value,
            "why": finding.why,
            "section": f"{DOCUMENT} §{finding.rule.section}",
            "ja": RULE_TEXTS[finding.rule.key][0],
            "en": RULE_TEXTS[finding.rule.key][1],
        }
        for finding in findings
    ]
