"""From evidence to verdicts, ladder, limits and drive authority, through the whole core."""

from __future__ import annotations

import math

import msgspec
import pytest
from good_seat import Seat
from helpers_core import BUS, FACTSHEET, MS, OPERATOR, SECOND, VIEWER, World, of

from protocols import operator, vehicle
from protocols.supervision import LimitSource, Purpose, Rung, Verdict, Why
from supervisor.core import events as e
from supervisor.core import views
from supervisor.core.config import CoreConfig
from supervisor.core.effects import Count, PreferLayers, Record, SendCommand, WithdrawDrive
from supervisor.core.objectives import DEFAULTS, GovernorConfig, LadderConfig, Objective, Segment

# ------------------------------------------------------------------- evidence


def test_a_good_seat_meets_every_objective_and_driving_may_be_offered() -> None:
    seat = Seat()
    assert {track.verdict for track in seat.bus.supervised.in_force} == {Verdict.UNKNOWN}
    seat.drive(16)
    found = {o.key: (o.verdict, o.reason) for o in seat.view().objectives}
    assert found.pop("drive-heartbeat") == (Verdict.UNKNOWN, Why.NOT_IN_USE)
    assert set(found.values()) == {(Verdict.MET, Why.WITHIN)}
    view = seat.view()
    assert view.drive == operator_drive(True)
    assert view.closed_loop.ms == pytest.approx(120 + 20 + 2, abs=6)
    assert view.closed_loop.uncertainty_ms == pytest.approx(3 + 5 + 2, abs=0.5)
    assert view.clock_trusted
    assert view.round_trip_ms == pytest.approx(10.0)
    # It promises sound and this seat gets pictures alone.
    assert {view.key for view in views.open_alarms(seat.fleet)} == {"audio.lost"}


def operator_drive(available: bool, *reasons: str):
    from protocols.supervision import DriveView

    return DriveView(available=available, reasons=list(reasons))


def test_when_nobody_watches_the_age_of_the_picture_is_unknown_at_the_next_look() -> None:
    seat = Seat()
    seat.drive(16)
    seat.do(e.OperatorDisconnected(OPERATOR))
    seat.who = None
    seat.drive(0.6)
    assert (seat.verdict("monitor-g2g"), seat.why("monitor-g2g")) == ("unknown", "nobody_watches")
    assert "closed_loop" in seat.view().drive.reasons
    assert seat.verdict("monitor-telemetry") == "met", "that needs no console"


def test_a_viewer_or_a_hidden_page_is_no_evidence() -> None:
    seat = Seat()
    seat.who = VIEWER
    seat.do(e.OperatorConnected(VIEWER))
    seat.drive(10)
    assert seat.why("monitor-g2g") == "nobody_watches"
    seat.who = OPERATOR
    seat.drive(2)
    assert seat.bus.loop.watcher == OPERATOR.session
    hidden = operator.PresentationReport(False, [operator.Presented(str(BUS), "front", 0, 10.0)])
    seat.who = None
    seat.do(e.PresentationReported(OPERATOR, hidden))
    assert seat.bus.loop.watcher == ""


@pytest.mark.parametrize(
    ("nonsense", "fault"),
    [
        ({"ages_ms": [-1.0] * 30}, "implausible"),
        ({"ages_ms": [math.nan] * 30}, "implausible"),
        ({"uncertainty_ms": None}, "implausible"),
        ({"uncertainty_ms": math.inf}, "implausible"),
        ({"camera": "roof"}, "unknown_camera"),
        ({"vehicle": "no/where"}, "unknown_vehicle"),
    ],
)
def test_a_browser_that_reports_nonsense_is_counted_and_proves_nothing(nonsense, fault) -> None:
    seat = Seat()
    seat.tile = nonsense
    effects = seat.drive(8)
    assert Count("presentation", fault) in effects
    assert Count("presentation", "accepted") not in effects
    assert (seat.verdict("monitor-g2g"), seat.why("monitor-g2g")) == ("unknown", "nobody_watches")


def test_a_picture_younger_on_a_screen_than_at_the_hub_is_a_lie() -> None:
    seat = Seat()
    seat.drive(3)
    stream = seat.bus.streams["front"]
    captured = seat.now_ns - 400 * MS
    # Sender report and frame say: 80 ms old when it was complete at the hub.
    from test_core_clocks import ntp_of

    seat.frames += 1
    said = {"sender_rtp": 9_000, "sender_ntp": ntp_of(seat, captured)}
    seat.publish(seat.frames, **said)
    seat.now_ns += MS
    seat.exchange(10.0)
    seat.frames += 1
    frame = {"arrived_ns": captured + 180 * MS, "arrived_rtp": 9_000 + 100 * 90}
    seat.publish(seat.frames, **said, **frame)
    arrival = stream.arrival(seat.now_ns)
    assert arrival is not None
    assert arrival.least_ms == pytest.approx(80.0, abs=arrival.uncertainty_ms)
    assert views.vehicle_view(seat.fleet, BUS, seat.now_ns).streams[0].arrival_ms == (
        pytest.approx(arrival.ms, abs=0.01)
    )
    floor = arrival.least_ms - arrival.uncertainty_ms - 3.0
    assert Count("presentation", "impossible") in seat.report(ages_ms=[floor - 0.1])
    seat.now_ns += SECOND
    assert Count("presentation", "accepted") in seat.report(ages_ms=[floor + 0.1])


def test_an_untrusted_clock_makes_ages_unknown_and_says_so() -> None:
    seat = Seat()
    seat.drive(16)
    for _ in range(3):  # the vehicle's clock jumps to and fro
        seat.now_ns += SECOND
        seat.exchange(10.0)
        t4 = seat.now_ns
        seat.beat(echo=vehicle.Echo(t4 - 10 * MS, 5), sent_ns=5)
    seat.tile = {"ages_ms": [], "uncertainty_ms": None}
    seat.drive(8)
    assert not seat.view().clock_trusted
    assert (seat.verdict("monitor-telemetry"), seat.why("monitor-telemetry")) == (
        "unknown",
        "untrusted",
    )
    assert seat.why("monitor-g2g") == "untrusted"
    assert seat.alarm("clock.untrusted") == "unacknowledged"
    assert {"clock", "closed_loop"} <= set(seat.view().drive.reasons)
    seat.tile = {}
    seat.drive(75)
    assert seat.verdict("monitor-telemetry") == "met"
    assert seat.alarm("clock.untrusted") == "normal"


def test_a_round_trip_of_a_second_degrades_the_link_and_blocks_driving() -> None:
    seat = Seat()
    seat.exchange = lambda rtt: World.exchange(seat, 1_000.0)  # type: ignore[method-assign]
    seat.drive(10)
    assert seat.alarm("link.degraded") == "unacknowledged"
    assert seat.alarm("clock.untrusted") == "suppressed_by_design"
    assert {"clock"} <= set(seat.view().drive.reasons)
    assert seat.view().round_trip_ms == pytest.approx(1_000.0, abs=1)


# --------------------------------------------------------------------- ladder


def test_a_late_picture_climbs_the_ladder_as_announced_and_back() -> None:
    seat = Seat()
    seat.drive(16)
    seat.g2g = 900.0
    effects = seat.drive(1.0)
    assert seat.verdict("monitor-g2g") == "violated", "with the first bad report"
    ladder = seat.view().ladder
    assert (ladder.rung, ladder.next_rung) == (Rung.NONE, Rung.PROTECT_FOCUS)
    assert ladder.objective == "monitor-g2g"
    assert ladder.next_at_ns is not None
    assert ladder.next_at_ns > seat.now_ns
    effects = seat.drive(8)
    assert of(effects, PreferLayers) == [
        PreferLayers(BUS, "front", "high", "auto"),
        PreferLayers(BUS, "front", "high", "low"),
    ]
    kinds = [record.kind for record in of(effects, Record) if record.kind.startswith("ladder")]
    assert kinds == ["ladder.taken", "ladder.announced", "ladder.taken"]
    assert seat.bus.supervised.ladder.rung is Rung.SMALLER_LAYERS
    assert seat.view().ladder.next_rung is None, "this objective leads no further"
    assert seat.alarm("video.late") == "unacknowledged"
    seat.g2g = 120.0
    effects = seat.drive(70)
    assert seat.bus.supervised.ladder.rung is Rung.NONE
    assert of(effects, PreferLayers)[-1] == PreferLayers(BUS, "", None, None)
    assert seat.alarm("video.late") == "normal"


def test_while_it_is_driven_what_is_not_known_counts_like_a_violation() -> None:
    seat = Seat()
    seat.drive(16)
    assert seat.view().drive.available
    seat.mode = vehicle.OperationMode.REMOTE_DRIVE
    seat.drive(1)
    assert seat.view().purpose is Purpose.DRIVE
    seat.do(e.OperatorDisconnected(OPERATOR))
    seat.who = None
    seat.drive(16)
    assert of(seat.log, WithdrawDrive)[0].reasons == ()
    assert of(seat.log, WithdrawDrive)[1].reasons != ()
    assert seat.bus.supervised.ladder.rung is Rung.WITHDRAW_DRIVE
    assert "ladder" in seat.view().drive.reasons
    assert seat.bus.supervised.governor.kmh == 0.0, "nobody drives blind"
    assert seat.bus.supervised.limit_source is LimitSource.UNKNOWN_DELAY


def test_the_last_rung_asks_for_the_manoeuvre_only_where_it_is_configured() -> None:
    late = next(o for o in DEFAULTS if o.key == "drive-late")
    config = CoreConfig(
        objective=[msgspec.structs.replace(late, enforce=Rung.MINIMAL_RISK)],
        ladder=LadderConfig(minimal_risk=True),
    )
    for minimal_risk in (False, True):
        seat = Seat(msgspec.structs.replace(config, ladder=LadderConfig(minimal_risk=minimal_risk)))
        seat.mode = vehicle.OperationMode.REMOTE_DRIVE
        seat.g2g = 900.0
        effects = seat.drive(40)
        asked = [c.body for c in seat.sent if isinstance(c.body, vehicle.MinimalRisk)]
        if minimal_risk:
            assert asked[0] == vehicle.MinimalRisk("objective:drive-late")
            assert "minimal_risk.ordered" in [record.kind for record in of(effects, Record)]
        else:
            assert asked == []


# ------------------------------------------------------------------- governor


def assisting(seat: Seat) -> None:
    seat.event("takeover.requested")
    seat.drive(1)
    assert seat.view().purpose is Purpose.ASSIST


def test_the_limit_follows_the_closed_loop_with_its_error_bar_and_is_recorded_with_it() -> None:
    seat = Seat()
    seat.drive(16)
    assert seat.limits() == [50.0], "the vehicle's own: monitoring needs none"
    seat.g2g = 380.0
    assisting(seat)
    effects = seat.drive(2)
    # 2.78 m / (380 + 20 + 2 ms, ± 3 + 5 + 2 ms) is 24.3 km/h
    assert seat.limits()[-1] == 20.0
    assert seat.view().speed_limit.set_by is LimitSource.GOVERNOR
    assert seat.view().speed_limit.state == "applied"
    assert seat.view().speed_limit.allowed_kmh == pytest.approx(24.3, abs=0.3)
    told = [r for r in of(seat.log, Record) if r.kind == "limit.ordered"][-1]
    assert told.data["kmh"] == 20.0
    assert told.data["source"] == "governor"
    assert told.data["loop_ms"] + told.data["loop_uncertainty_ms"] == pytest.approx(412, abs=3)
    assert told.data["camera"] == "front"
    assert of(effects, Record)


def test_an_unknown_loop_falls_to_the_configured_limit_and_rises_step_by_step_again() -> None:
    seat = Seat()
    seat.drive(16)
    assisting(seat)
    seat.do(e.OperatorDisconnected(OPERATOR))
    seat.who = None
    seat.drive(1)
    assert seat.limits()[-1] == 5.0
    assert seat.view().speed_limit.set_by is LimitSource.UNKNOWN_DELAY
    seat.do(e.OperatorConnected(OPERATOR))
    seat.who = OPERATOR
    seat.drive(60)
    assert seat.limits() == [50.0, 5.0, *[5.0 * n for n in range(2, 11)]]


def test_a_limit_is_renewed_under_one_record_and_expires_at_the_vehicle_when_it_is_not() -> None:
    seat = Seat()
    seat.drive(21)
    orders = [c for c in seat.sent if isinstance(c.body, vehicle.LimitSpeed)]
    assert 9 <= len(orders) <= 11, "every two seconds"
    assert len({c.command_id for c in orders}) == len(orders)
    assert [c.seq for c in orders] == sorted({c.seq for c in orders})
    assert {c.body.hold_ms for c in orders} == {6_500}
    kinds = [r.kind for r in of(seat.log, Record)]
    assert kinds.count("limit.ordered") == 1
    assert kinds.count("limit.result") == 1
    expires = seat.view().speed_limit.expires_ns
    assert seat.now_ns + 4 * SECOND < expires <= seat.now_ns + int(6.5 * SECOND)
    seat.answers = False
    seat.drive(7)
    assert seat.view().speed_limit.expires_ns is None


def test_nothing_is_ordered_that_could_not_be_recorded() -> None:
    seat = Seat()
    seat.drive(16)
    seat.audit_ok = False
    seat.g2g = 380.0
    assisting(seat)
    before = len(seat.sent)
    seat.drive(6)
    assert seat.sent[before:] == [], "neither the new limit nor the old, higher one"
    assert seat.view().speed_limit.state == "recording"
    assert Count("order", "not_recorded") in seat.log
    seat.audit_ok = True
    seat.drive(3)
    assert seat.limits()[-1] == 20.0


def test_a_vehicle_that_knows_no_limits_is_told_none_and_cannot_be_driven() -> None:
    seat = Seat(factsheet=FACTSHEET)
    seat.drive(16)
    assert seat.sent == []
    assert seat.view().speed_limit.state == "unsupported"
    assert "unsupported" in seat.view().drive.reasons


def test_while_the_link_is_not_fresh_no_limit_is_sent() -> None:
    seat = Seat()
    seat.drive(5)
    before = len(seat.sent)
    for _ in range(60):
        seat.tick()
    assert len(of(seat.log, SendCommand)) <= before + 1
    seat.restart_vehicle("run-2")
    seat.drive(2)
    assert seat.sent[-1].session_id == "run-2"


def test_a_refused_limit_is_recorded_once_and_shown() -> None:
    seat = Seat()
    seat.answers = False
    seat.drive(3)
    for _ in range(3):
        seat.drive(2)
        command = seat.sent[-1]
        seat.do(
            e.CommandResultReceived(
                BUS,
                vehicle.CommandResult(
                    seat.session, command.command_id, vehicle.ResultState.REFUSED, 5,
                    vehicle.RefusalReason.NOT_POSSIBLE_NOW,
                ),
            )
        )  # fmt: skip
    assert seat.view().speed_limit.state == "refused"
    assert [r.kind for r in of(seat.log, Record)].count("limit.result") == 1


def test_a_broker_that_does_not_take_an_order_is_tried_again_with_the_next_renewal() -> None:
    seat = Seat()
    seat.answers = False
    seat.drive(3)
    first = seat.sent[-1]
    effects = seat.do(e.CommandSent(BUS, first.command_id, False))
    assert effects == [Count("order", "broker")]
    seat.drive(3)
    assert seat.sent[-1].command_id != first.command_id


# ------------------------------------------------------------------- segments


def test_the_most_particular_objective_is_in_force_where_the_vehicle_is() -> None:
    square = [(139.0, 36.0), (139.1, 36.0), (139.1, 36.5), (139.0, 36.5)]
    base = {"purpose": Purpose.MONITOR, "indicator": DEFAULTS[0].indicator, "share": 0.9}
    config = CoreConfig(
        objective=[
            Objective(key="all", limit=500.0, **base),
            Objective(key="crossing", limit=100.0, segment="crossing", **base),
            Objective(key="elsewhere", limit=1.0, site="other", **base),
        ],
        segment=[Segment(name="crossing", site="maebashi", area=square)],
    )
    seat = Seat(config)
    inside = {"longitude": 139.06, "latitude": 36.39}
    outside = {"longitude": 139.2, "latitude": 36.39}
    telemetry = seat.telemetry
    here = outside
    seat.telemetry = lambda **changes: telemetry(**{**here, **changes})  # type: ignore
    seat.drive(10)
    assert [o.key for o in seat.view().objectives] == ["all"]
    assert seat.verdict("all") == "met"
    here = inside
    seat.drive(0.1)
    assert seat.view().segment == "crossing"
    assert [(o.key, o.verdict) for o in seat.view().objectives] == [
        ("crossing", Verdict.VIOLATED)
    ], "the past was counted for it all along"


# ------------------------------------------------------------ reproducibility


def test_the_same_story_gives_the_same_effects_also_from_a_saved_state() -> None:
    from supervisor.core.snapshot import capture, restore

    def story(seat: Seat) -> None:
        seat.drive(6)
        seat.g2g = 700.0
        assisting(seat)
        seat.drive(6)

    one, two = Seat(), Seat()
    story(one)
    story(two)
    assert one.log == two.log
    assert capture(one.fleet) == capture(two.fleet)
    two.fleet = restore(capture(one.fleet))
    one.log.clear()
    two.log.clear()
    one.drive(10)
    two.drive(10)
    assert one.log == two.log
    assert capture(one.fleet) == capture(two.fleet)


def test_the_governors_configuration_is_used() -> None:
    seat = Seat(CoreConfig(governor=GovernorConfig(distance_m=1.0, purposes=(Purpose.MONITOR,))))
    seat.drive(30)
    assert seat.limits()[-1] == 20.0, "1 m in (120 + 20 + 2 ± 10) ms is 23.7 km/h"


def test_driving_is_withdrawn_at_once_and_offered_again_after_a_hold() -> None:
    seat = Seat()
    seat.drive(20)
    assert seat.view().drive.available
    seat.do(e.OperatorDisconnected(OPERATOR))
    seat.who = None
    effects = seat.drive(0.6)
    assert [bool(w.reasons) for w in of(effects, WithdrawDrive)] == [True]
    seat.do(e.OperatorConnected(OPERATOR))
    seat.who = OPERATOR
    effects = seat.drive(2)
    while seat.view().drive.reasons != ["recovering"]:
        effects += seat.drive(0.1)
    begin = seat.now_ns
    while not seat.view().drive.available:
        effects += seat.drive(0.1)
    assert 2.8 * SECOND <= seat.now_ns - begin <= 3.8 * SECOND
    assert [w.reasons for w in of(effects, WithdrawDrive)] == [()]
    kinds = [r.kind for r in of(seat.log, Record) if r.kind.startswith("drive.")]
    assert kinds == ["drive.available", "drive.withdrawn", "drive.available"]
