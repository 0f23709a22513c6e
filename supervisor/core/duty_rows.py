"""The duties this hub knows without configuration, and how configured ones join them.

Built-in rows name no number: which fire service answers depends on where the vehicle is,
not on where the monitoring room is, and 119 or 110 dialled in the room reach the services
of the room. The numbers come from `[[core.contact]]`; one that is missing is named at
start-up and shown as *not configured* where it is needed.

The seconds are our own reading of "at once" (Road Traffic Act 75-22 to 75-24).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from protocols.duties import Contact, DutySpec, DutyStep

LAW: Final = "道路交通法 第75条の22〜第75条の24 / Road Traffic Act 75-22 to 75-24"

_FIELD_TEAM: Final = DutyStep(
    key="field_team",
    ja="現場措置業務実施者を現場へ向かわせる",
    en="Send field staff to the scene",
    hint_ja="車両名、場所、状況を伝え、到着予定時刻を聞いて記録する。",
    hint_en="Say which vehicle, where and what happened; note when they will arrive.",
    within_s=120.0,
    contact="field_team",
)

BUILT_IN: Final[tuple[DutySpec, ...]] = (
    DutySpec(
        key="accident",
        ja="交通事故",
        en="Accident",
        law=LAW,
        alarms=["vehicle.collision"],
        steps=[
            DutyStep(
                key="fire",
                ja="現場の消防に通報する",
                en="Call the fire service of the scene",
                hint_ja="場所、負傷者の数、火災の有無。この部屋の119は現場の消防につながりません。",
                hint_en="Place, injured people, fire. 119 dialled here is not the scene's service.",
                within_s=60.0,
                contact="fire",
            ),
            _FIELD_TEAM,
            DutyStep(
                key="police",
                ja="現場の警察に報告する",
                en="Report to the police of the scene",
                hint_ja="日時、場所、死傷者と負傷の程度、損壊した物、講じた措置。",
                hint_en="Date, place, casualties and how bad, damage, what has been done.",
                within_s=180.0,
                contact="police",
            ),
            DutyStep(
                key="passengers",
                ja="車内に呼びかけ、負傷者を確かめる",
                en="Speak to the cabin and check for injured people",
                hint_ja="車内通話で救助の見込みを伝え、車外へ出てよいかを指示する。",
                hint_en="By intercom: say that help comes, and whether to leave the vehicle.",
                within_s=180.0,
            ),
        ],
    ),
    DutySpec(
        key="end_of_operation",
        ja="特定自動運行の終了",
        en="End of specified operation",
        law=LAW,
        alarms=["odd.exit", "mrm.failed"],
        steps=[
            DutyStep(
                key="place",
                ja="停止位置が交通を妨げないか映像と音で確かめる",
                en="Check by video and sound that it stands where it hinders nobody",
                hint_ja="交差点、踏切、横断歩道、緊急車両の進路。警察官の指示があれば従う。",
                hint_en="Junctions, level crossings, zebra crossings, emergency vehicles, police.",
                within_s=60.0,
            ),
            _FIELD_TEAM,
            DutyStep(
                key="passengers",
                ja="乗客に案内する",
                en="Tell the passengers",
                within_s=180.0,
            ),
            DutyStep(
                key="police",
                ja="交通に危険または支障があれば警察に報告する",
                en="If traffic is endangered or hindered, tell the police",
                hint_ja="不要なら理由を付けて省略する。",
                hint_en="Skip it with the reason if there is no need.",
                within_s=300.0,
                contact="police",
            ),
        ],
    ),
    DutySpec(
        key="level_crossing",
        ja="踏切内での停止",
        en="Standing on a level crossing",
        law=LAW,
        steps=[
            DutyStep(
                key="railway",
                ja="鉄道事業者に通報し、列車を止める",
                en="Tell the railway, have trains stopped",
                hint_ja="踏切名または踏切番号、線路内に車両があること。",
                hint_en="Name or number of the crossing, a vehicle is on the track.",
                within_s=30.0,
                contact="railway",
            ),
            DutyStep(
                key="passengers",
                ja="乗客を踏切の外へ避難させる",
                en="Have the passengers leave the crossing",
                within_s=60.0,
            ),
            _FIELD_TEAM,
            DutyStep(
                key="police",
                ja="警察に報告する",
                en="Report to the police",
                within_s=180.0,
                contact="police",
            ),
        ],
    ),
)


def effective(configured: Iterable[DutySpec]) -> dict[str, DutySpec]:
    """Return the duties in force by key: built-in ones, replaced and added to."""
    rows = {spec.key: spec for spec in BUILT_IN}
    rows.update((spec.key, spec) for spec in configured)
    return {key: spec for key, spec in rows.items() if spec.enabled}


def contact_for(
    contacts: Iterable[Contact], role: str, site: str, segment: str = ""
) -> Contact | None:
    """Return whom to call there, the most particular first; None: not configured.

    Of two that are equally particular the first holds.
    """
    found: Contact | None = None
    best = -1
    for one in contacts:
        if one.role != role or one.site not in ("", site) or one.segment not in ("", segment):
            continue
        particular = 2 * bool(one.segment) + bool(one.site)
        if particular > best:
            found, best = one, particular
    return found


def not_configured(
    configured: Iterable[DutySpec], contacts: Sequence[Contact], sites: Iterable[str]
) -> list[str]:
    """Return `role@site` for every contact that a duty would need there and nobody gave."""
    roles = {
        step.contact: None
        for spec in effective(configured).values()
        for step in spec.steps
        if step.contact
    }
    return [
        f"{role}@{site}"
        for site in dict.fromkeys(sites)
        for role in roles
        if contact_for(contacts, role, site) is None
    ]


def problems(
    configured: Sequence[DutySpec],
    contacts: Sequence[Contact],
    segments: Iterable[str],
    alarm_keys: Iterable[str],
) -> str:
    """Return what does not fit together, or an empty text."""
    known_segments, known_alarms = set(segments), set(alarm_keys)
    keys: set[str] = set()
    for spec in configured:
        if spec.key in keys:
            return f"duty {spec.key!r} is there twice"
        keys.add(spec.key)
        steps = [step.key for step in spec.steps]
        if len(set(steps)) < len(steps):
            return f"duty {spec.key!r} has two steps of one key"
        for segment in spec.segments:
            if segment not in known_segments:
                return f"duty {spec.key!r}: there is no segment {segment!r}"
        for alarm in spec.alarms:
            if alarm not in known_alarms:
                return f"duty {spec.key!r}: the alarm catalogue has no row {alarm!r}"
    for contact in contacts:
        if contact.segment and contact.segment not in known_segments:
            return f"contact {contact.name!r}: there is no segment {contact.segment!r}"
    return ""
