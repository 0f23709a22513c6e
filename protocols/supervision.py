"""How well a vehicle can be supervised, as consoles show it: objectives, the measured
loop, the speed limit, the enforcement ladder. Part of the messages in
`protocols.operator`; every `*_ns` is the *hub's monotonic clock*.
"""

from __future__ import annotations

import enum

import msgspec


class Purpose(enum.StrEnum):
    """What the picture and the link are used for; each has objectives of its own."""

    MONITOR = "monitor"
    ASSIST = "assist"
    DRIVE = "drive"


class Indicator(enum.StrEnum):
    """What is measured. Milliseconds unless said; `*` marks those that must be *at least*
    their limit, the others at most.

    G2G: Capture to display of each displayed frame (glass to glass).
    COMMAND_DELAY: From the hub to the vehicle's *applied*.
    CLOSED_LOOP: Both together, with the way from the console to the hub.
    TELEMETRY_AGE: Age of the newest telemetry, since the vehicle sent it.
    HEARTBEAT_GAP: Time since the last heartbeat.
    FRAME_GAP: Time since the last complete frame at the hub, of the worst camera.
    CLOCK_UNCERTAINTY: Half-width of the error bar of the vehicle's clock.
    PICTURE_HEIGHT *: Lines of the received picture, of the worst camera.
    BITRATE *: kbit/s of video received, of the worst camera.
    """

    G2G = "g2g"
    COMMAND_DELAY = "command_delay"
    CLOSED_LOOP = "closed_loop"
    TELEMETRY_AGE = "telemetry_age"
    HEARTBEAT_GAP = "heartbeat_gap"
    FRAME_GAP = "frame_gap"
    CLOCK_UNCERTAINTY = "clock_uncertainty"
    PICTURE_HEIGHT = "picture_height"
    BITRATE = "bitrate"


class Verdict(enum.StrEnum):
    """How an objective stands. `met` needs fresh, trusted evidence."""

    MET = "met"
    AT_RISK = "at_risk"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


class Why(enum.StrEnum):
    """Reason of a verdict; the words are the console's. `numbers` of each in brackets.

    WITHIN: Enough samples keep the limit [over, samples].
    BUDGET_USED: At risk: within, but most of what may be over is used [over, samples].
    IN_DOUBT: At risk: the error bars reach beyond the limit [doubtful, samples].
    OVER_LIMIT: More samples are over the limit than may be [over, samples, allowed].
    RECOVERING: It would be better by now, and has to stay so first [in_ms].
    NO_EVIDENCE: Never measured.
    STALE: Nothing new was measured [age_ms].
    TOO_FEW: Not enough samples yet [samples, needed].
    UNTRUSTED: Measured, but by a clock that is not trusted [uncertainty_ms, if known].
    NOBODY_WATCHES: No visible console of a person who may act shows it.
    NOT_IN_USE: Judged only while its purpose is in use.
    """

    WITHIN = "within"
    BUDGET_USED = "budget_used"
    IN_DOUBT = "in_doubt"
    OVER_LIMIT = "over_limit"
    RECOVERING = "recovering"
    NO_EVIDENCE = "no_evidence"
    STALE = "stale"
    TOO_FEW = "too_few"
    UNTRUSTED = "untrusted"
    NOBODY_WATCHES = "nobody_watches"
    NOT_IN_USE = "not_in_use"


class ObjectiveView(msgspec.Struct, frozen=True, kw_only=True):
    """One objective of one vehicle.

    Attributes:
        key: From the configuration, unique.
        value: The newest measurement in the indicator's unit; None: none.
        uncertainty: Half-width of its error bar.
        limit: Of the indicator; `share` of the samples of `window_s` must keep it.
        reason, numbers: Why; see `Why`.
        since_ns: Since when the verdict stands.
        measured_ns: When `value` was measured.
        budget_left: Share of the error budget of the long window not used, 0 to 1;
            None without evidence.
        burn_short, burn_long: Burn rate over the two windows: 1 uses the budget up
            exactly; None without evidence.
    """

    key: str
    purpose: Purpose
    indicator: Indicator
    verdict: Verdict
    value: float | None
    uncertainty: float | None
    limit: float
    share: float
    window_s: float
    reason: Why
    numbers: dict[str, float] = {}
    since_ns: int = 0
    measured_ns: int | None = None
    budget_left: float | None = None
    burn_short: float | None = None
    burn_long: float | None = None


class ClosedLoopView(msgspec.Struct, frozen=True, kw_only=True):
    """Picture and command together: how late an action is on what is seen.

    Attributes:
        ms: g2g + command delay + the console's way to the hub; None while a part is
            unknown.
        uncertainty_ms: Sum of their error bars.
        g2g_ms, g2g_uncertainty_ms: 95th percentile of the newest report of the console
            that counts, worst camera `camera`.
        command_ms, command_uncertainty_ms: The slowest of the newest commands.
        at_ns: When the older part was measured.
        missing: Parts that are unknown: `g2g`, `command`.
    """

    ms: float | None
    uncertainty_ms: float | None
    g2g_ms: float | None = None
    g2g_uncertainty_ms: float | None = None
    command_ms: float | None = None
    command_uncertainty_ms: float | None = None
    camera: str = ""
    at_ns: int | None = None
    missing: list[str] = []


class LimitSource(enum.StrEnum):
    """Who set a speed limit.

    VEHICLE: Nobody limits it below its own maximum.
    GOVERNOR: The blind-distance governor, from the measured closed loop.
    UNKNOWN_DELAY: The governor's fallback: the closed loop is unknown.
    LADDER: The enforcement ladder, because an objective is violated.
    OPERATOR: A person, until he takes it back.
    """

    VEHICLE = "vehicle"
    GOVERNOR = "governor"
    UNKNOWN_DELAY = "unknown_delay"
    LADDER = "ladder"
    OPERATOR = "operator"


class SpeedLimitView(msgspec.Struct, frozen=True, kw_only=True):
    """The limit the hub has the vehicle drive by.

    Attributes:
        kmh: What was last decided.
        set_by: Who limits.
        why: Key of the objective; of a person's limit, his account; or empty.
        allowed_kmh: What the blind-distance rule allows now, whether it is in force or
            not; None while the closed loop is unknown.
        state: `recording`, `sent`, `applied` (the vehicle said so), `refused`,
            `unconfirmed`, `unsupported` (the vehicle knows no such command).
        expires_ns: When the vehicle falls back to its own lower default unless it is
            renewed; None before it was applied.
        distance_m: The blind distance D of the rule.
    """

    kmh: float
    set_by: LimitSource
    why: str
    allowed_kmh: float | None
    state: str
    expires_ns: int | None
    distance_m: float


class Rung(enum.StrEnum):
    """The steps of enforcement, in their order; each keeps those below it."""

    NONE = "none"
    PROTECT_FOCUS = "protect_focus"
    SMALLER_LAYERS = "smaller_layers"
    SPEED_LIMIT = "speed_limit"
    WITHDRAW_DRIVE = "withdraw_drive"
    MINIMAL_RISK = "minimal_risk"


class LadderView(msgspec.Struct, frozen=True, kw_only=True):
    """Where enforcement stands, and what comes next unless it gets better.

    Attributes:
        rung: In force since `since_ns`.
        objective: Key of the objective that holds it there or drives it on; empty: none.
        next_rung: Announced, up or down; None: nothing is due.
        next_at_ns: When `next_rung` takes effect, hub clock: the countdown.
    """

    rung: Rung = Rung.NONE
    since_ns: int = 0
    objective: str = ""
    next_rung: Rung | None = None
    next_at_ns: int | None = None


class DriveView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether remote driving may be offered.

    Attributes:
        available: Every condition holds.
        reasons: Why not: `objective:KEY`, `clock`, `link`, `closed_loop`, `ladder`,
            `unsupported`; `recovering`: nothing any more, for less than 3 s; empty when
            available.
    """

    available: bool
    reasons: list[str] = []


class FreezeCause(enum.StrEnum):
    """How it is known that a picture stands still.

    GAP: No new frame reaches the hub.
    CONTENT: Frames come, but show one picture, although the vehicle moves.
    PRESENTATION: Frames reach the hub, but the console that counts shows none.
    """

    GAP = "gap"
    CONTENT = "content"
    PRESENTATION = "presentation"


class FrozenView(msgspec.Struct, frozen=True):
    """A picture that stands still. `camera` is `*` when every one is meant."""

    camera: str
    cause: FreezeCause


class LossView(msgspec.Struct, frozen=True):
    """Share of the video packets of all cameras that were lost over the last second, 0 to 1.

    Attributes:
        before: Before repair.
        after: Given up although they were asked for again.
    """

    before: float
    after: float


class SupervisionView(msgspec.Struct, frozen=True, kw_only=True):
    """How well one vehicle can be supervised now, and what follows from it. Sent at once
    when a verdict, rung, limit or freeze changes, else once a second.

    Attributes:
        vehicle: `site/vehicle`.
        at_ns: When this was true.
        purpose: What it is used for now; `drive` while driven, `assist` while it asks.
        segment: Road segment it is on; empty: none that is configured.
        objectives: Those in force here, in the order of the configuration.
        round_trip_ms: Of the newest heartbeat exchanges, hub and vehicle; None: unknown.
        clock_trusted: Whether times of this vehicle can be used.
        loss: Of its video on the way to the hub; None: no video comes.
    """

    vehicle: str
    at_ns: int
    purpose: Purpose
    segment: str
    objectives: list[ObjectiveView]
    closed_loop: ClosedLoopView
    speed_limit: SpeedLimitView | None
    ladder: LadderView
    drive: DriveView
    round_trip_ms: float | None
    clock_trusted: bool
    frozen: list[FrozenView] = []
    loss: LossView | None = None
