"""S3: groups as one line, the shelf with its reason, what a role may not do."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import expect

from protocols.alarms import AlarmGroupView, AlarmState
from protocols.operator import Role
from supervisor import clock
from supervisor.core import effects, events
from support.waiting import until
from ui.fake_hub import BUS_1, BUS_2, TRACTOR, FakeHub
from ui.seat import Seat

pytestmark = [pytest.mark.browser, pytest.mark.integration]
SOON_MS = 15_000
VEHICLES = (BUS_1, BUS_2, TRACTOR)
GROUP = "link.lost@group-1"


def lose_all(hub: FakeHub) -> None:
    for vehicle_id in VEHICLES:
        hub.alarm("link.lost", vehicle_id, 2)
        name = f"link.lost@{vehicle_id}"
        hub.fleet.alarm_views[name] = msgspec.structs.replace(
            hub.fleet.alarm_views[name], group=GROUP
        )
    now_ns = clock.monotonic_ns()
    group = AlarmGroupView(
        id=GROUP,
        key="link.lost",
        priority=2,
        state=AlarmState.UNACKNOWLEDGED,
        site="maebashi",
        raised_ns=now_ns,
        changed_ns=now_ns,
        members=[f"link.lost@{vehicle_id}" for vehicle_id in VEHICLES],
    )
    hub.fleet.alarm_group_views[GROUP] = group
    hub.console.show(effects.ShowAlarmGroup(group))


async def test_a_group_is_one_line_that_unfolds_and_one_acknowledgement(seat: Seat) -> None:
    async with seat() as (hub, page):
        lose_all(hub)
        await page.get_by_test_id("nav-alarms").click()
        line = page.get_by_test_id("alarm-group")
        await expect(line).to_contain_text("3 台", timeout=SOON_MS)
        await expect(page.get_by_test_id("alarm-row")).to_have_count(0)
        await expect(page.get_by_test_id("alarm-more")).to_have_count(0)
        await line.get_by_test_id("group-unfold").click()
        await expect(page.get_by_test_id("alarm-row")).to_have_count(3)
        await line.get_by_test_id("ack").click()

        def acknowledged() -> bool:
            return any(
                isinstance(e, events.AlarmAcknowledged) and e.alarm_id == GROUP for e in hub.events
            )

        await until(acknowledged, "the group is acknowledged")


async def test_who_may_only_look_is_offered_nothing_to_put_aside(seat: Seat) -> None:
    async with seat(role=Role.VIEWER) as (hub, page):
        hub.alarm("link.lost", BUS_1, 2)
        await page.get_by_test_id("nav-alarms").click()
        row = page.get_by_test_id("alarm-row")
        await expect(row).to_be_visible(timeout=SOON_MS)
        for name in ("shelve", "take-out"):
            await expect(row.get_by_test_id(name)).to_have_count(0)
        await expect(row.get_by_test_id("runbook")).to_be_visible()
