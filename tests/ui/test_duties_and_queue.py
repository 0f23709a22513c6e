"""Statutory duties and whose turn it is, in the page."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from protocols.authority import AttentionView, SeatView
from protocols.duties import CoverageView, DutyStepView, DutyView, MarkDutyStep, StepState
from protocols.operator import Role
from supervisor import clock
from supervisor.core import effects, events
from supervisor.core.duty_rows import BUILT_IN
from support.waiting import until
from ui.fake_hub import BUS_1, BUS_2, FakeHub
from ui.seat import Seat

pytestmark = pytest.mark.integration
SECOND = 1_000_000_000
ACCIDENT = BUILT_IN[0]


def show_accident(hub: FakeHub, ago_s: float, **marks: dict[str, object]) -> DutyView:
    event_ns = clock.monotonic_ns() - int(ago_s * SECOND)
    steps = []
    for step in ACCIDENT.steps:
        values: dict[str, object] = {
            "key": step.key, "ja": step.ja, "en": step.en, "contact": step.contact,
            "due_ns": event_ns + int(step.within_s * SECOND),
        }  # fmt: skip
        if step.contact == "police":
            values |= {"contact_name": "前橋警察署", "phone": "027-000-0110"}
        steps.append(DutyStepView(**values | marks.get(step.key, {})))
    duty = DutyView(
        id=f"accident@{BUS_1}#1", key="accident", ja=ACCIDENT.ja, en=ACCIDENT.en, law="",
        vehicle=str(BUS_1), steps=steps, event_ns=event_ns, started_ns=event_ns,
        trigger=f"vehicle.collision@{BUS_1}",
    )  # fmt: skip
    hub.fleet.duty_views[duty.id] = duty
    hub.console.show(effects.ShowDuty(duty))
    return duty


async def test_a_duty_is_worked_off_by_keyboard_with_its_clocks_and_numbers(seat: Seat) -> None:
    async with seat() as (hub, page):
        await page.get_by_test_id("frame").wait_for()
        duty = show_accident(hub, 70.0)
        line = page.get_by_test_id("duty-line-maebashi-bus-01")
        await expect(line).to_contain_text("交通事故")
        await page.keyboard.press("d")
        await expect(page.get_by_test_id("duties")).to_be_visible()
        fire = page.get_by_test_id("duty-step-fire")
        await expect(fire).to_have_attribute("data-late", "true")
        await expect(fire.get_by_test_id("duty-missing")).to_contain_text("未設定")
        police = page.get_by_test_id("duty-step-police")
        await expect(police.get_by_test_id("duty-phone")).to_contain_text("027-000-0110")
        await expect(police).to_have_attribute("data-late", "false")
        await expect(page.get_by_test_id("stop-focused")).to_be_visible()

        await fire.get_by_test_id("duty-done").focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.type("unit 3")
        await page.keyboard.press("Enter")  # a note alone marks nothing
        await fire.get_by_test_id("duty-done").focus()
        await page.keyboard.press("Enter")
        await until(lambda: marked(hub), "the first mark")
        assert marked(hub)[-1].mark.step == "fire"
        assert marked(hub)[-1].mark.note == "unit 3"
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await until(lambda: len(marked(hub)) == 2, "the second mark")
        assert marked(hub)[-1].mark == MarkDutyStep(duty.id, "field_team", StepState.DONE)

        await police.get_by_test_id("duty-skip").click()
        await expect(police.get_by_test_id("duty-note")).to_be_focused()
        assert len(marked(hub)) == 2, "not without a reason"
        await page.keyboard.type("was there")
        await police.get_by_test_id("duty-skip").click()
        await until(lambda: len(marked(hub)) == 3, "the third mark")
        assert marked(hub)[-1].mark.state is StepState.SKIPPED

        show_accident(
            hub, 70.0, fire={"state": StepState.DONE, "by": "jiro", "at_ns": clock.monotonic_ns()}
        )
        await expect(fire).to_have_attribute("data-state", "done")
        await expect(fire).to_contain_text("jiro")


def marked(hub: FakeHub) -> list[events.DutyStepMarked]:
    return [event for event in hub.events if isinstance(event, events.DutyStepMarked)]


async def test_a_supervisor_starts_a_duty_and_sees_seats_load_and_gaps(seat: Seat) -> None:
    async with seat(role=Role.SUPERVISOR) as (hub, page):
        await page.get_by_test_id("nav-duties").click()
        await page.get_by_test_id("duty-kind").select_option("level_crossing")
        await page.get_by_test_id("duty-vehicle").select_option(str(BUS_2))
        await page.get_by_test_id("duty-ago").select_option("60")
        await page.get_by_test_id("duty-begin").click()
        (asked,) = await until(
            lambda: [e for e in hub.events if isinstance(e, events.DutyStartAsked)], "the start"
        )
        assert (asked.ask.key, asked.ask.vehicle, asked.ask.ago_s) == (
            "level_crossing",
            str(BUS_2),
            60.0,
        )
        own = hub.control.seats
        other = SeatView(
            seat="x", account="jiro", role="operator", armed=False, why_not=["silent"], load=1.2
        )
        hub.control.seats = lambda: [*own(), other]  # type: ignore[method-assign]
        hub.console.show(effects.ShowSeats())
        gap = CoverageView(
            vehicle=str(BUS_2), in_operation=True, accounts=[],
            gap_since_ns=clock.monotonic_ns() - 90 * SECOND, reason="nobody",
        )  # fmt: skip
        hub.console.show(effects.ShowCoverage(gap))
        await page.get_by_test_id("nav-seats").click()
        await expect(page.get_by_test_id("seat-jiro")).to_contain_text("120 %")
        await expect(page.get_by_test_id("seat-jiro")).to_contain_text("音が未確認")
        await expect(page.get_by_test_id("coverage-maebashi-bus-02")).to_contain_text("1:3")


async def test_the_queue_tells_mine_from_others_and_alarms_from_requests(seat: Seat) -> None:
    async with seat() as (hub, page):
        await page.get_by_test_id("frame").wait_for()
        hub.ask_for_a_person(BUS_1, 60)
        hub.ask_for_a_person(BUS_2, 60)
        hub.alarm("link.lost", BUS_1, 2)
        await expect(page.get_by_test_id("card-maebashi-bus-01")).to_have_attribute(
            "data-whose", "everybody"
        )
        mine = hub.control.seats()[0].seat
        now_ns = clock.monotonic_ns()
        requests = list(hub.fleet.request_views.values())
        hub.fleet.attention_views = [
            *(
                AttentionView(
                    id=f"{one.vehicle}#{one.id}", vehicle=one.vehicle, request_id=one.id,
                    rank=rank, raised_ns=one.raised_ns, deadline_ns=one.deadline_ns,
                    seats=[mine] if one.vehicle == str(BUS_1) else ["elsewhere"],
                )
                for rank, one in enumerate(requests, 1)
            ),
            AttentionView(
                id=f"link.lost@{BUS_1}", vehicle=str(BUS_1), alarm_id=f"link.lost@{BUS_1}",
                rank=3, raised_ns=now_ns, deadline_ns=now_ns + 60 * SECOND, seats=[mine],
                step="supervisor",
            ),
        ]  # fmt: skip
        hub.console.show(effects.ShowAttention())
        bus_1 = page.get_by_test_id("card-maebashi-bus-01")
        await expect(bus_1).to_have_attribute("data-whose", "mine")
        await expect(page.get_by_test_id("card-maebashi-bus-02")).to_have_attribute(
            "data-whose", "others"
        )
        alarm = page.get_by_test_id("alarm-card-maebashi-bus-01")
        await expect(alarm).to_contain_text("通信断")
        await expect(alarm).to_have_attribute("data-step", "supervisor")
        await alarm.click()
        await expect(page.get_by_test_id("takeover")).to_have_attribute("data-vehicle", str(BUS_1))
