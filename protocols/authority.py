"""Who has control of a vehicle, as consoles ask for it and see it.

    FREE ──AskControl──▶ OFFERED ──AcceptControl──▶ CONFIRMING ──vehicle applied──▶ HELD
      ▲                     │ 10 s                     │ refused, silent              │
      └─────────────────────┴──────────────────────────┘      GiveBackControl, seat   │
      ▲                                                        lost, preempted, lapsed │
      └───────────vehicle applied, or said to be beyond reach── RELEASING ◀────────────┘

Control is held by one *seat* (one signed-in console) of one operator; he holds at most one
vehicle. Every `*_ns` is the *hub's monotonic clock*.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.fields import Counter, FullName, Token
from protocols.supervision import Purpose


class ControlState(enum.StrEnum):
    """Where control of one vehicle stands."""

    FREE = "free"
    OFFERED = "offered"
    CONFIRMING = "confirming"
    HELD = "held"
    RELEASING = "releasing"


class ControlView(msgspec.Struct, frozen=True, kw_only=True):
    """Control of one vehicle; everybody sees who has it.

    Attributes:
        vehicle: `site/vehicle`.
        holder: Account that has control, is offered it, or is giving it back; may be empty.
        seat: His console (the `seat` of `SeatView`), so that a console knows itself.
        purpose: What for.
        epoch: Fencing token of the control; 0 before the first.
        request_id: The take-over request it was taken for; may be empty.
        since_ns: Of the state.
        until_ns: When the state ends by itself unless something happens; None: never.
        ended: Why control last ended: `handed_back`, `preempted`, `seat_lost`, `refused`,
            `declined`, `unconfirmed`, `link_lost`, `deadman`, `drive_withdrawn`,
            `hub_restarted`, `hub_ending`, `session_ended`; empty before the first end.
        ended_by: Account or vehicle that ended it.
        reason: Of a preemption, in the words of who did it.
        vehicle_confirms: The vehicle's own word agrees with this state.
    """

    vehicle: str
    state: ControlState
    holder: str = ""
    seat: str = ""
    purpose: Purpose = Purpose.MONITOR
    epoch: int = 0
    request_id: str = ""
    since_ns: int = 0
    until_ns: int | None = None
    ended: str = ""
    ended_by: str = ""
    reason: str = ""
    vehicle_confirms: bool = True


class DriveKey(msgspec.Struct, frozen=True, tag="drive_key"):
    """Hub → the holder's seat alone: with this, and the session and epoch that belong to it,
    frames can be made (`protocols.drive`).

    Attributes:
        key: Hexadecimal.
    """

    vehicle: str
    session_id: str
    epoch: int
    key: str


class StopKeys(msgspec.Struct, frozen=True, tag="stop_keys"):
    """Hub → one console, after the snapshot: its account's stop key for each vehicle,
    hexadecimal; only to roles that may stop."""

    keys: dict[str, str]


# ---------------------------------------------------------------- console → hub


class AskControl(msgspec.Struct, frozen=True, tag="ask_control", forbid_unknown_fields=True):
    """Ask for control. The answer is an offer (`ControlView` OFFERED to this seat) or a
    `Refusal` whose `ref` is the vehicle.

    Attributes:
        purpose: `assist` or `drive`.
        request_id: The take-over request this is for; may be empty.
        preempt: Why it has to be taken from its holder, in words; empty: do not. Needs a
            role that may preempt.
    """

    vehicle: FullName
    purpose: Purpose = Purpose.ASSIST
    request_id: Annotated[str, Meta(max_length=64)] = ""
    preempt: Annotated[str, Meta(max_length=200)] = ""


class AcceptControl(msgspec.Struct, frozen=True, tag="accept_control", forbid_unknown_fields=True):
    """Take what was offered to this seat."""

    vehicle: FullName


class GiveBackControl(
    msgspec.Struct, frozen=True, tag="give_back_control", forbid_unknown_fields=True
):
    """Give control back, or decline an offer.

    Attributes:
        cause: One-tap cause code of the intervention; may be empty.
    """

    vehicle: FullName
    cause: Annotated[str, Meta(max_length=64)] = ""


class DriveRelay(msgspec.Struct, frozen=True, tag="drive_relay", forbid_unknown_fields=True):
    """A sealed frame over the hub, for when the data channel does not carry.

    Attributes:
        frame: The bytes of `protocols.drive`, base64.
    """

    vehicle: FullName
    frame: Annotated[str, Meta(max_length=1_400)]


class SeatReport(msgspec.Struct, frozen=True, tag="seat", forbid_unknown_fields=True):
    """Twice a second, and at once when something changes: can this seat warn and act?
    A seat is armed when all four hold; control needs a report that is younger than 1.5 s.

    Attributes:
        visible, focused: The page is in front; it has the keyboard.
        sound: The operator has heard the sounds at the start of the shift.
        ready: The start-of-shift check is done.
        gamepad: A pad or wheel is connected and calibrated.
        lost: What has just been lost, at once: `blur`, `hidden`, `gamepad`, `sleep`; control
            for driving ends. Empty otherwise.
    """

    visible: bool
    focused: bool
    sound: bool
    ready: bool
    gamepad: bool = False
    lost: Annotated[str, Meta(max_length=16)] = ""


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in console of somebody who may act, for supervisors and for routing.

    Attributes:
        seat: Not a secret, and not what signs anybody in.
        armed: It can warn its operator now.
        why_not: `hidden`, `silent`, `unchecked`, `handed_over`, `no_report`; empty when armed.
        holds: Vehicle under its control; may be empty.
        requests: Open requests that are routed to it.
        load: 0 to 1 and above; from 1 on the seat is overloaded.
    """

    seat: Token
    account: str
    role: str
    armed: bool
    why_not: list[str]
    holds: str = ""
    requests: Counter = 0
    load: float = 0.0


class AttentionView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the attention queue, best first.

    Attributes:
        id: Unique; `vehicle` and what is asked.
        request_id: Of the take-over request; empty for an alarm.
        alarm_id: Of the alarm; empty for a request.
        rank: 1 is served first.
        raised_ns, deadline_ns: Since when, and until when somebody has to act; None: no end.
        seats: Where it is shown as *yours*; empty: no armed seat, everybody sees it.
        step: `routed`, `neighbour` (50 % of the time is gone), `supervisor` (75 %),
            `unanswered` (the hub has asked for the minimal-risk manoeuvre).
        taken_by: Account that has control for it; may be empty.
    """

    id: str
    vehicle: str
    request_id: str = ""
    alarm_id: str = ""
    priority: int = 2
    rank: int
    reason: str = ""
    raised_ns: int
    deadline_ns: int | None = None
    seats: list[str] = []
    step: str = "routed"
    taken_by: str = ""
