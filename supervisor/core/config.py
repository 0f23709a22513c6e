"""Limits of the core, with units. `supervisor.config` puts them in the hub's file."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocols.duties import Contact, DutySpec
from supervisor.core.objectives import (
    DEFAULTS,
    GovernorConfig,
    LadderConfig,
    Objective,
    Segment,
)

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Window = Annotated[float, Meta(ge=20, le=86_400)]
Milliseconds = Annotated[float, Meta(gt=0, le=60_000)]


class AttentionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is called when nobody answers.

    Attributes:
        neighbour_at, supervisor_at: Share of the time to respond after which one more seat,
            and then every supervisor, is asked too.
        minimal_risk: Ask the vehicle for its minimal-risk manoeuvre when a take-over request
            stays unanswered.
    """

    neighbour_at: Annotated[float, Meta(gt=0, le=1)] = 0.5
    supervisor_at: Annotated[float, Meta(gt=0, le=1)] = 0.75
    minimal_risk: bool = True


class CoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a value counts as old, and how long a decision may take.

    Attributes:
        link_degraded_s: Heartbeat silence, in either direction, after which the link is
            *degraded*. At 2 Hz two beats in a row are missing.
        link_slow_ms: Round trip of the heartbeats above which the link is called degraded.
        link_lost_s: Heartbeat silence after which the link is *lost*.
        telemetry_stale_s: Age above which telemetry is *stale*.
        frame_frozen_ms: Age of the last frame above which the picture is *frozen*.
        stream_live_ms: Silence above which a stream is no longer *live*.
        clock_trusted_ms: Clock uncertainty above which mapped times are *unknown*.
        picture_limit_ms: Oldest picture on which a `resume` may be decided.
        decision_limit_s: Longest time for which a decision waits for its record; a slower
            audit store makes it refused, and the asker knows within a tenth of a second.
        stop_ttl_s, resume_ttl_s: For how long the vehicle may still obey.
        confirm_grace_s: Beyond the ttl, until a command without result is `unconfirmed`.
        seat_report_s: Age from which a seat's report does not count any more.
        offer_s: For how long control is offered before it is free again.
        take_ttl_s, release_ttl_s: For how long the vehicle may obey the taking and the
            release of control.
        release_again_s: A release without an answer is repeated after this.
        release_limit_s: A vehicle that has not confirmed a release for so long is called
            beyond reach.
        control_silence_s: Told to the vehicle: hub silence after which control lapses there.
        storage_low_mib: Room on the disk of the hub's state below which an alarm asks for more.
        energy_low: Share of battery or tank below which an alarm asks to end the task.
        geofence_m: How far a vehicle may be from its route before it has left it.
        burn_short_s, burn_long_s: The two windows over which error budgets burn.
        objective: What is promised; replaces the whole list.
        segment: Road segments that objectives may name.
        governor: The blind-distance rule.
        ladder: Enforcement.
        attention: Escalation of what nobody answers.
        duty: Checklists beside the built-in ones; one of the same key replaces it.
        contact: Whom their steps call.
    """

    link_degraded_s: Seconds = 1.2
    link_slow_ms: Milliseconds = 400.0
    link_lost_s: Seconds = 3.0
    telemetry_stale_s: Seconds = 1.0
    frame_frozen_ms: Milliseconds = 300.0
    stream_live_ms: Milliseconds = 300.0
    clock_trusted_ms: Milliseconds = 20.0
    picture_limit_ms: Milliseconds = 1_000.0
    decision_limit_s: Seconds = 0.07
    stop_ttl_s: Seconds = 5.0
    resume_ttl_s: Seconds = 2.0
    confirm_grace_s: Seconds = 1.0
    seat_report_s: Seconds = 1.5
    offer_s: Seconds = 10.0
    take_ttl_s: Seconds = 2.0
    release_ttl_s: Seconds = 5.0
    release_again_s: Seconds = 2.0
    release_limit_s: Seconds = 15.0
    control_silence_s: Annotated[float, Meta(ge=0.2, le=10)] = 1.5
    storage_low_mib: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_024
    energy_low: Annotated[float, Meta(ge=0, le=0.9)] = 0.2
    geofence_m: Annotated[float, Meta(gt=0, le=100_000)] = 50.0
    burn_short_s: Window = 300.0
    burn_long_s: Window = 3_600.0
    objective: Annotated[list[Objective], Meta(max_length=64)] = msgspec.field(
        default_factory=lambda: list(DEFAULTS)
    )
    segment: Annotated[list[Segment], Meta(max_length=256)] = []
    governor: GovernorConfig = GovernorConfig()
    ladder: LadderConfig = LadderConfig()
    attention: AttentionConfig = AttentionConfig()
    duty: Annotated[list[DutySpec], Meta(max_length=64)] = []
    contact: Annotated[list[Contact], Meta(max_length=1_000)] = []
