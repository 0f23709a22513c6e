"""What the law asks people to do after an event, as checklists with clocks.

Road Traffic Act 75-22 to 75-24 (informed by, read through secondary pages): after an
accident the fire service is told and field staff sent *at once*, and the police is told;
when specified operation ends, or a vehicle stands on a level crossing, others are. The
clocks run from the event. Every `*_ns` is the *hub's monotonic clock*.

The same Structs are the configuration (`[[core.duty]]`, `[[core.contact]]`) and what a
console is sent.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.fields import FullName, Text

Key = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z0-9][a-z0-9_-]*$")]
Name = Annotated[str, Meta(max_length=32)]
Words = Annotated[str, Meta(min_length=1, max_length=200)]
Hint = Annotated[str, Meta(max_length=300)]
Reason = Annotated[str, Meta(max_length=300)]
Within = Annotated[float, Meta(gt=0, le=86_400)]
AlarmKey = Annotated[str, Meta(min_length=1, max_length=64)]
Phone = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[0-9+*#() -]+$")]

LONGEST_AGO_S = 86_400.0


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom a step calls. Of several with one `role` the most particular one that applies
    holds: road segment before site before everywhere.

    Attributes:
        role: What a step asks for: `fire`, `police`, `field_team`, `railway`, ...
        site: Only there; empty: everywhere.
        segment: Only on this road segment (`[[core.segment]]`); empty: anywhere.
        name: Shown beside the number.
        phone: As it is dialled from the monitoring room.
        note: Shown below it: what to say first, which crossing, which hours.
    """

    role: Key
    name: Words
    phone: Phone
    site: Name = ""
    segment: Name = ""
    note: Hint = ""


class DutyStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to do.

    Attributes:
        key: Its name, unique within the duty.
        ja, en: What to do, one line.
        hint_ja, hint_en: How, and what to say.
        within_s: Seconds from the event until it is overdue.
        contact: Role of the `Contact` to call; empty: nobody.
    """

    key: Key
    ja: Words
    en: Words
    within_s: Within
    contact: Annotated[str, Meta(max_length=32)] = ""
    hint_ja: Hint = ""
    hint_en: Hint = ""


class DutySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One checklist.

    Attributes:
        key: Its name, unique; one of the configuration replaces the built-in one.
        ja, en: Its title.
        law: Where it comes from, shown as it is.
        alarms: Rows of the alarm catalogue that start it for their vehicle.
        segments: Those alarms start it only on these road segments; empty: anywhere.
        enabled: Offered and started at all.
    """

    key: Key
    ja: Words
    en: Words
    steps: Annotated[list[DutyStep], Meta(min_length=1, max_length=16)]
    law: Hint = ""
    alarms: Annotated[list[AlarmKey], Meta(max_length=16)] = []
    segments: Annotated[list[Name], Meta(max_length=64)] = []
    enabled: bool = True


class StepState(enum.StrEnum):
    """Where one step stands."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class DutyStepView(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a running duty, with its words as they were when it began.

    Attributes:
        due_ns: Until when it is to be done.
        contact: Role to be called; empty: nobody.
        contact_name, phone, contact_note: Of the contact; `phone` empty although `contact`
            is not: **not configured**, and shown as such.
        by, at_ns: Who marked it, and when.
        note: What he noted; of a skipped step the reason.
        overdue: It was, or is, later than `due_ns`.
    """

    key: str
    ja: str
    en: str
    due_ns: int
    hint_ja: str = ""
    hint_en: str = ""
    contact: str = ""
    contact_name: str = ""
    phone: str = ""
    contact_note: str = ""
    state: StepState = StepState.OPEN
    by: str = ""
    at_ns: int | None = None
    note: str = ""
    overdue: bool = False


class DutyView(msgspec.Struct, frozen=True, kw_only=True):
    """One duty under way or over; the newest replaces the older.

    Attributes:
        id: Unique.
        key, ja, en, law: Of its `DutySpec` when it began.
        vehicle: `site/vehicle`.
        trigger: Id of the alarm that started it; empty: by hand.
        started_by: Account; empty: the alarm alone.
        in_charge: Account: who started it, or else marked its first step, or took over his
            shift; empty: nobody yet.
        event_ns: The event: all clocks run from here.
        started_ns: When the duty was opened.
        ended_ns: When the last step was marked, or it was given up; None: open.
        ended_by: Who did that.
        abandoned: Why it was given up; empty: it was not.
    """

    id: str
    key: str
    ja: str
    en: str
    law: str
    vehicle: str
    steps: list[DutyStepView]
    event_ns: int
    started_ns: int
    trigger: str = ""
    started_by: str = ""
    note: str = ""
    ended_ns: int | None = None
    ended_by: str = ""
    abandoned: str = ""
    in_charge: str = ""


class CoverageView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody who may act has a vehicle on screen, by what consoles report.

    Attributes:
        in_operation: Somebody has to.
        accounts: Who has, by name; pictures that stand still do not count.
        gap_since_ns: Since when nobody has, although it is in operation; None: no gap.
        reason: Of the gap: `nobody` shows it, `no_picture` moves where it is shown, or its
            `link` is lost; empty without one.
    """

    vehicle: str
    in_operation: bool
    accounts: list[str]
    gap_since_ns: int | None = None
    reason: str = ""


# ---------------------------------------------------------------- console → hub


class StartDuty(msgspec.Struct, frozen=True, tag="start_duty", forbid_unknown_fields=True):
    """Start a duty by hand. One that is open for this vehicle is not started twice.

    Attributes:
        key: Of the `DutySpec`.
        ago_s: How long ago the event was; the clocks run from it.
    """

    key: Annotated[str, Meta(max_length=32)]
    vehicle: FullName
    ago_s: Annotated[float, Meta(ge=0, le=LONGEST_AGO_S)] = 0.0
    note: Text = ""


class MarkDutyStep(msgspec.Struct, frozen=True, tag="mark_duty_step", forbid_unknown_fields=True):
    """Say that a step is done, is skipped, or is open again (marked by mistake).

    Attributes:
        duty: `DutyView.id`.
        note: Needed unless it is done.
    """

    duty: Annotated[str, Meta(max_length=160)]
    step: Annotated[str, Meta(max_length=32)]
    state: StepState
    note: Reason = ""


class AbandonDuty(msgspec.Struct, frozen=True, tag="abandon_duty", forbid_unknown_fields=True):
    """Give a duty up as a whole: a false alarm, a wrong vehicle.

    Attributes:
        reason: In words; needed.
    """

    duty: Annotated[str, Meta(max_length=160)]
    reason: Annotated[str, Meta(min_length=1, max_length=300)]
