"""Control, emergency stop and driving in the page: what it asks, says, and never takes up."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Page, expect

from protocols import drive
from protocols.operator import Role
from protocols.supervision import ClosedLoopView, DriveView, LadderView, Purpose, SupervisionView
from protocols.vehicle import AlternatePath, Doors, EmergencyStop, FollowPath, PathOption, Wait
from supervisor import clock
from supervisor.console.config import ConsoleConfig
from supervisor.console.map_tiles import MapTiles
from supervisor.core import effects, events
from support import pad
from support.waiting import until
from ui.fake_control import COMMAND_KEY, SESSION
from ui.fake_hub import ACCOUNT, BUS_1, BUS_2, PASSWORD, FakeHub
from ui.seat import Seat, check_shift, sign_in
from ui.test_operator_page import PICTURE_MS, SOON_MS, live

pytestmark = [pytest.mark.browser, pytest.mark.integration]
BUS = "maebashi-bus-02"


async def hold(page: Page, key: str) -> None:
    await page.keyboard.down(key)
    await page.wait_for_timeout(1_300)  # the key itself asks for a second
    await page.keyboard.up(key)


async def focused(page: Page, name: str) -> None:
    await page.get_by_test_id(f"tile-{name}").click(position={"x": 40, "y": 12}, timeout=SOON_MS)
    await expect(page.get_by_test_id(f"tile-{name}")).to_have_attribute("data-focused", "true")


async def standing(page: Page, expected: str) -> None:
    await expect(page.get_by_test_id(f"control-{BUS}")).to_have_attribute(
        "data-standing", expected, timeout=SOON_MS
    )


async def test_one_key_asks_and_takes_and_answers_wait_for_the_vehicles_word(seat: Seat) -> None:
    async with seat() as (hub, page):
        await live(page, BUS)
        await check_shift(page)
        hub.control.slowly = True
        options = [PathOption("left", "左から / On the left", [(139.07, 36.39), (139.08, 36.39)])]
        hub.ask_for_a_person(BUS_2, options=options)
        await expect(page.get_by_test_id(f"card-{BUS}")).to_be_visible(timeout=SOON_MS)
        await page.keyboard.press("Enter")
        await standing(page, "confirming")
        wait = page.get_by_test_id(f"answer-wait-{BUS}")
        await expect(wait).to_have_attribute("data-blocked", "confirming")
        await expect(page.get_by_test_id("control")).to_contain_text("取得中")
        hub.control.go_on(BUS_2)
        await standing(page, "held")
        await expect(page.get_by_test_id("frame")).to_have_attribute("data-control", str(BUS_2))
        await expect(page.get_by_test_id("control")).to_contain_text("bus-02 を保持")
        await wait.click()
        await until(lambda: len(hub.asked(Wait)) == 1, "wait")
        await page.get_by_test_id("answer-alternate_path-left").click(timeout=PICTURE_MS)
        await until(lambda: len(hub.asked(AlternatePath)) == 1, "the vehicle's own way")
        way = hub.asked(AlternatePath)[0]
        assert way.body == AlternatePath("e1", "left")
        assert way.picture_age_ms is not None, "what moves is decided on a picture"
        await page.get_by_test_id("more-equipment").click()
        await page.get_by_test_id("equip-doors_open").click(timeout=SOON_MS)
        await until(lambda: hub.asked(Doors), "doors")
        hub.control.slowly = False
        await hold(page, "l")
        await standing(page, "free")
        await expect(page.get_by_test_id("banner-gone")).to_be_hidden()
        asked = [e for e in hub.events if isinstance(e, events.ControlAsked)]
        assert [(e.vehicle_id, e.request_id) for e in asked] == [(BUS_2, "e1")]


async def test_a_short_press_of_l_does_nothing_and_a_long_one_takes(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        await focused(page, BUS)
        await page.keyboard.press("l")
        await hold(page, "l")
        strip = page.get_by_test_id("control")
        await expect(strip).to_have_attribute("data-vehicle", str(BUS_2), timeout=SOON_MS)
        await expect(strip).to_have_attribute("data-standing", "held", timeout=SOON_MS)
        asked = [e for e in hub.events if isinstance(e, events.ControlAsked)]
        assert len(asked) == 1
        await expect(page.get_by_test_id(f"holder-{BUS}")).to_have_attribute("data-mine", "true")


async def test_a_key_held_for_a_second_counts_on_a_page_that_was_too_busy_to_look(
    seat: Seat,
) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        await focused(page, BUS)
        await page.keyboard.down("l")
        await page.evaluate(
            "setTimeout(() => { const end = performance.now() + 1_600;"
            " while (performance.now() < end) {} }, 0)"
        )
        await asyncio.sleep(1.2)  # how long the finger stays is what is tested
        await page.keyboard.up("l")
        await standing(page, "held")
        assert [e.vehicle_id for e in hub.events if isinstance(e, events.ControlAsked)] == [BUS_2]


async def test_whose_control_it_is_is_said_and_a_refusal_has_words(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        hub.control.preempt(BUS_2, "mori", "")
        await expect(page.get_by_test_id(f"holder-{BUS}")).to_contain_text("mori", timeout=SOON_MS)
        hub.control.views.clear()
        hub.console.show(effects.ShowSeats())
        hub.control.refuse = "drive"
        hub.ask_for_a_person(BUS_1)
        await page.get_by_test_id("card-maebashi-bus-01").click(timeout=SOON_MS)
        box = page.get_by_test_id("control-maebashi-bus-01")
        await expect(box).to_have_attribute("data-refused", "drive", timeout=SOON_MS)
        await expect(box).to_contain_text("条件を満たさない")
        await page.keyboard.press("F2")
        await expect(box).to_contain_text("conditions for driving")


async def test_who_is_preempted_sees_at_once_by_whom_and_why(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        await focused(page, BUS)
        await hold(page, "l")
        await expect(page.get_by_test_id("control")).to_have_attribute(
            "data-standing", "held", timeout=SOON_MS
        )
        hub.control.preempt(BUS_2, "mori", "歩行者が近い")
        gone = page.get_by_test_id("banner-gone")
        await expect(gone).to_have_attribute("data-how", "preempted", timeout=SOON_MS)
        await expect(gone).to_contain_text("mori")
        await expect(gone).to_contain_text("歩行者が近い")
        await expect(page.get_by_test_id("control")).to_have_attribute("data-standing", "none")
        await page.get_by_test_id("gone-dismiss").click()
        await expect(gone).to_be_hidden()


async def test_a_supervisor_takes_it_with_a_reason_and_not_without(seat: Seat) -> None:
    async with seat(publishing=False, role=Role.SUPERVISOR) as (hub, page):
        await check_shift(page)
        hub.control.preempt(BUS_2, "mori", "")
        hub.ask_for_a_person(BUS_2)
        await page.get_by_test_id(f"card-{BUS}").click(timeout=SOON_MS)
        take = page.get_by_test_id(f"preempt-{BUS}")
        await expect(take).to_be_disabled(timeout=SOON_MS)
        await page.get_by_test_id(f"preempt-reason-{BUS}").fill("a child on the road")
        await take.click()
        await standing(page, "held")
        (asked,) = [e for e in hub.events if isinstance(e, events.ControlAsked)]
        assert asked.preempt == "a child on the road"


async def test_nothing_is_taken_up_again_after_a_reload_or_a_lost_socket(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        await check_shift(page)
        await focused(page, BUS)
        await hold(page, "l")
        strip = page.get_by_test_id("control")
        await expect(strip).to_have_attribute("data-standing", "held", timeout=SOON_MS)
        async with hub.away():
            await expect(strip).to_have_attribute("data-standing", "unknown", timeout=SOON_MS)
        gone = page.get_by_test_id("banner-gone")
        await expect(gone).to_have_attribute("data-how", "seat_lost", timeout=SOON_MS)
        await expect(strip).to_have_attribute("data-standing", "none", timeout=SOON_MS)
        await hold(page, "l")
        await expect(strip).to_have_attribute("data-standing", "held", timeout=SOON_MS)
        await page.reload()
        await expect(gone).to_have_attribute("data-how", "reloaded", timeout=SOON_MS)
        await expect(strip).to_have_attribute("data-standing", "none", timeout=SOON_MS)
        assert len([e for e in hub.events if isinstance(e, events.ControlAsked)]) == 2
        # Of the check that was done only the sound has to be proven again.
        banner = page.get_by_test_id("banner-unarmed")
        await expect(banner).to_have_attribute("data-why", "silent", timeout=SOON_MS)


async def test_a_seat_says_twice_a_second_and_at_once_how_it_stands(seat: Seat) -> None:
    async with seat(publishing=False) as (hub, page):
        banner = page.get_by_test_id("banner-unarmed")
        await expect(banner).to_have_attribute("data-why", "unchecked silent", timeout=SOON_MS)
        await check_shift(page)
        await until(lambda: hub.control.told and hub.control.told[-1].ready, "the check is told")
        await expect(banner).to_be_hidden()
        await page.evaluate("window.dispatchEvent(new Event('blur'))")
        await until(lambda: any(one.lost == "blur" for one in hub.control.told), "blur is told")
        await expect(banner).to_have_attribute("data-why", "blur")
        await expect(page.get_by_test_id("frame")).to_have_attribute("data-armed", "false")
        await page.evaluate("window.dispatchEvent(new Event('focus'))")
        await expect(banner).to_be_hidden(timeout=SOON_MS)
        await page.evaluate("const until = Date.now() + 2000; while (Date.now() < until) {}")
        await until(lambda: any(one.lost == "sleep" for one in hub.control.told), "sleep is told")
        told = len(hub.control.told)
        await until(lambda: len(hub.control.told) >= told + 4, "reports go on")


def stop_frames(hub: FakeHub) -> list[drive.StopFrame]:
    key = drive.stop_key(COMMAND_KEY, BUS_2, ACCOUNT)
    found = []
    for vehicle, label, data in hub.frames:
        if (vehicle, label) == (str(BUS_2), "stop"):
            assert drive.sealed_by(data, key)
            frame = drive.read(data)
            assert isinstance(frame, drive.StopFrame)
            found.append(frame)
    return found


async def test_an_emergency_stop_goes_three_ways_under_one_id(seat: Seat) -> None:
    async with seat(obey=False) as (hub, page):
        await live(page, BUS)
        await focused(page, BUS)
        await page.keyboard.press("Shift+Space")
        await until(lambda: len(hub.asked(EmergencyStop)) == 2, "by socket and REST")
        await until(lambda: stop_frames(hub), "by data channel")
        ids = {one.command_id for one in (*hub.asked(EmergencyStop), *stop_frames(hub))}
        assert len(ids) == 1
        ways = page.get_by_test_id(f"command-{BUS}").get_by_test_id("ways")
        await expect(ways).to_have_attribute("data-channel", "sent", timeout=SOON_MS)
        await expect(ways).to_have_attribute("data-socket", "sent")
        await expect(ways).to_have_attribute("data-rest", "ok", timeout=SOON_MS)


async def test_an_emergency_stop_needs_no_socket_and_says_so(seat: Seat) -> None:
    async with seat() as (hub, page):
        await live(page, BUS)
        await focused(page, BUS)
        async with hub.away():
            await expect(page.get_by_test_id("banner-lost")).to_be_visible(timeout=SOON_MS)
            await page.get_by_test_id("emergency-focused").click()
            await until(lambda: len(hub.asked(EmergencyStop)) == 1, "by REST")
            await until(lambda: stop_frames(hub), "by data channel")
            ways = page.get_by_test_id(f"command-{BUS}").get_by_test_id("ways")
            await expect(ways).to_have_attribute("data-socket", "closed", timeout=SOON_MS)
        command = page.get_by_test_id(f"command-{BUS}")
        await expect(command).to_have_attribute("data-state", "applied", timeout=SOON_MS)
        assert hub.asked(EmergencyStop)[0].command_id == stop_frames(hub)[0].command_id


def may_be_driven(hub: FakeHub) -> None:
    view = SupervisionView(
        vehicle=str(BUS_2),
        at_ns=clock.monotonic_ns(),
        purpose=Purpose.DRIVE,
        segment="",
        objectives=[],
        closed_loop=ClosedLoopView(ms=100, uncertainty_ms=5),
        speed_limit=None,
        ladder=LadderView(),
        drive=DriveView(available=True),
        round_trip_ms=5,
        clock_trusted=True,
    )
    hub.fleet.supervision_views[BUS_2] = view
    hub.console.show(effects.ShowSupervision(BUS_2))


def asked_for(hub: FakeHub) -> list[Purpose]:
    return [event.purpose for event in hub.events if isinstance(event, events.ControlAsked)]


def driven(hub: FakeHub) -> list[drive.DriveFrame]:
    view = hub.control.views[str(BUS_2)]
    key = drive.drive_key(COMMAND_KEY, BUS_2, view.epoch, ACCOUNT)
    found = []
    for vehicle, label, data in hub.frames:
        if (vehicle, label) == (str(BUS_2), "command"):
            assert drive.sealed_by(data, key)
            frame = drive.read(data)
            assert isinstance(frame, drive.DriveFrame)
            found.append(frame)
    return found


def echo(hub: FakeHub, *, driving: bool) -> None:
    newest = driven(hub)[-1]
    said = {"epoch": newest.epoch, "seq": newest.seq, "at_ns": 1, "driving": driving}
    hub.channels[str(BUS_2), "command"].send(json.dumps(said))


async def test_driving_needs_the_hands_the_vehicles_word_and_the_window(seat: Seat) -> None:
    async with seat(signed_in=False) as (hub, page):
        await pad.plug_in(page)
        await page.reload()
        await sign_in(page)
        may_be_driven(hub)
        await live(page, BUS)
        await page.get_by_test_id("shift-open").click()
        await pad.calibrate(page)
        await page.get_by_test_id("shift-close").click()
        await check_shift(page)
        hub.change(BUS_2, pose=None)
        hub.ask_for_a_person(BUS_2)
        await page.get_by_test_id(f"card-{BUS}").click(timeout=SOON_MS)
        await page.get_by_test_id("more-drive").click()
        hub.set_session(proved_ago_s=901)
        await standing(page, "held")
        panel = page.get_by_test_id(f"drive-{BUS}")
        await expect(panel).to_have_attribute("data-blocked", "not_drive", timeout=SOON_MS)
        await page.get_by_test_id(f"drive-begin-{BUS}").click()
        await page.get_by_test_id("stepup-password").fill("not the password")
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("stepup-problem")).to_be_visible(timeout=SOON_MS)
        assert asked_for(hub) == [Purpose.ASSIST], "without the password nothing is asked for"
        await page.get_by_test_id("stepup-password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        state = page.locator(f"[data-testid=drive-state-{BUS}]").first
        await expect(state).to_have_attribute("data-why", "deadman", timeout=SOON_MS)
        await until(lambda: len(driven(hub)) > 5, "frames also with the dead-man up")
        assert not any(frame.deadman for frame in driven(hub))
        await pad.move(page, lb=1, rb=1)
        await until(lambda: driven(hub)[-1].deadman, "the dead-man is told")
        echo(hub, driving=True)
        await expect(state).to_have_attribute("data-driving", "true", timeout=SOON_MS)
        await pad.move(page, lb=1, rb=1, throttle=1, steer=-0.5)
        await until(lambda: driven(hub)[-1].speed_mps > 1, "a speed is wanted")
        newest = driven(hub)[-1]
        assert newest.session_id == SESSION
        assert newest.curvature > 0, "left is positive"
        late_ms = abs(clock.monotonic_ns() - newest.issued_ns) / 1e6
        assert late_ms < 2_000, "issued on the vehicle's clock"
        await pad.move(page, lb=1, rb=1, throttle=1, brake=0.5)
        await until(lambda: driven(hub)[-1].brake > 0.4, "the brake")
        assert driven(hub)[-1].speed_mps == 0
        await until(lambda: hub.relayed, "without a newer echo the hub carries frames too")
        seqs = [frame.seq for frame in driven(hub)]
        assert len(seqs) == len(set(seqs))
        await page.evaluate("window.dispatchEvent(new Event('blur'))")
        await until(lambda: any(one.lost == "blur" for one in hub.control.told), "told at once")
        await until(lambda: not driven(hub)[-1].deadman, "let go")
        count = len(driven(hub))
        await page.wait_for_timeout(500)
        assert len(driven(hub)) <= count + 1, "nothing goes from a window without the keyboard"
        given_back = [e for e in hub.events if isinstance(e, events.ControlGivenBack)]
        assert [e.cause for e in given_back][-1] == "seat_lost"


async def the_map_follows_and_credits(page: Page) -> None:
    """Follow by keyboard until the hand moves the map; tiles that fail leave the own map."""
    follow, whole = page.get_by_test_id("map-follow"), page.get_by_test_id("map-fleet")
    await expect(follow).to_be_enabled(timeout=PICTURE_MS)
    await expect(page.get_by_test_id("map-credit")).to_have_text("地理院タイル", timeout=PICTURE_MS)
    await expect(page.get_by_test_id("map-legend")).to_contain_text("引継ぎ地点", timeout=SOON_MS)
    await whole.click()
    await expect(page.get_by_test_id("map-note")).to_contain_text(
        "地理院タイルを取得できません", timeout=SOON_MS
    )
    await follow.press("Enter")
    await expect(follow).to_have_attribute("aria-pressed", "true")
    box = await page.get_by_test_id("map").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=4)
    await page.mouse.up()
    await expect(follow).to_have_attribute("aria-pressed", "false", timeout=SOON_MS)


async def test_a_path_is_drawn_on_the_map_measured_taken_back_and_sent(seat: Seat) -> None:
    async with seat(config=ConsoleConfig(port=0, map_tiles=MapTiles.GSI)) as (hub, page):
        await page.context.route("https://cyberjapandata.gsi.go.jp/**", lambda one: one.abort())
        await live(page, BUS)
        await the_map_follows_and_credits(page)
        await check_shift(page)
        hub.ask_for_a_person(BUS_2)
        await page.get_by_test_id(f"card-{BUS}").click(timeout=SOON_MS)
        await standing(page, "held")
        await expect(page.get_by_test_id("map").locator("canvas")).to_be_visible(timeout=PICTURE_MS)
        await page.get_by_test_id("path-begin").click()
        box = await page.get_by_test_id("map").bounding_box()
        assert box is not None
        measure = page.get_by_test_id("path-measure")
        for number, share in enumerate((0.3, 0.5, 0.7), 1):
            await page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.3)
            await expect(measure).to_have_attribute("data-points", str(number), timeout=SOON_MS)
        await page.get_by_test_id("path-undo").click()
        await expect(measure).to_have_attribute("data-points", "2")
        await page.get_by_test_id("path-send").click(timeout=PICTURE_MS)
        await until(lambda: hub.asked(FollowPath), "the path")
        body = hub.asked(FollowPath)[0].body
        assert isinstance(body, FollowPath)
        assert len(body.points) == 3, "from where the vehicle stands"
