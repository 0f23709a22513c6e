"""Rules about control: who gives it, who may use it, how it ends. See `rules`."""

from __future__ import annotations

from typing import Final

from protocols.vehicle import FollowPath, RefusalReason, ReleaseControl, TakeControl, Wait
from vehicle_stub.contract.hub import (
    ANSWER_S,
    HARMLESS,
    HOLDER,
    SILENCE_MS,
    CheckingHub,
    applied,
    refused,
)
from vehicle_stub.contract.rule import NotApplicable, lists

LAPSE_S: Final = SILENCE_MS / 1_000 + 1.5
"""The lease's own silence, and a state message's time to come."""

FENCED_S: Final = 1.2
"""Sooner than silence would end it."""

NEVER: Final = Wait("no-such-request", 1.0)
"""Needs control, and does nothing."""

_R = RefusalReason


async def no_control(hub: CheckingHub) -> str:
    """What needs control is refused while nobody has it."""
    lists(hub, "wait")
    return refused(await hub.order(NEVER), _R.NOT_HOLDER)


async def take(hub: CheckingHub) -> str:
    """Control is taken in a new epoch, and its state says by whom."""
    lists(hub, "take_control")
    wrong = applied(await hub.take())
    if wrong:
        return wrong
    await hub.way.until(lambda: hub.says_holder(HOLDER), ANSWER_S)
    said = hub.heard.state
    if said is None or said.holder != HOLDER:
        return "its state does not name the holder"
    return "" if said.control_epoch == hub.epoch else f"its state says epoch {said.control_epoch}"


async def _holding(hub: CheckingHub) -> None:
    lists(hub, "take_control")
    if not hub.says_holder(HOLDER):
        if applied(await hub.take()):
            raise NotApplicable("control could not be taken")
        await hub.way.until(lambda: hub.says_holder(HOLDER), ANSWER_S)


async def same_epoch(hub: CheckingHub) -> str:
    """No epoch has two holders."""
    await _holding(hub)
    body = TakeControl("somebody-else", hub.purpose, SILENCE_MS)
    wrong = refused(await hub.order(body, operator=""), _R.OLD_EPOCH)
    return wrong or ("" if hub.says_holder(HOLDER) else "the holder has changed")


async def not_holder(hub: CheckingHub) -> str:
    """What needs control is refused from anybody but its holder."""
    await _holding(hub)
    lists(hub, "wait")
    return refused(await hub.order(NEVER, operator="somebody-else"), _R.NOT_HOLDER)


async def fast_beats(hub: CheckingHub) -> str:
    """While somebody has control it beats ten times a second."""
    await _holding(hub)
    first = len(hub.heard.heartbeats())
    if not await hub.way.until(lambda: len(hub.heard.heartbeats()) >= first + 12, 4.0):
        return "less than 12 heartbeats in 4 s"
    beats = hub.heard.heartbeats()[first:]
    took_ns = beats[11][0] - beats[1][0]
    return "" if took_ns <= 2_000_000_000 else f"10 heartbeats in {took_ns / 1e9:.1f} s"


async def envelope(hub: CheckingHub) -> str:
    """A path outside its own envelope is refused, from who has control too."""
    lists(hub, "follow_path")
    await _holding(hub)
    far = [(0.0, 0.0), (0.001, 0.0)]
    return refused(await hub.order(FollowPath(far, 0.001)), _R.OUTSIDE_ENVELOPE)


async def kept(hub: CheckingHub) -> str:
    """Control goes on while the hub's lease is heard."""
    await _holding(hub)
    lost = await hub.way.until(lambda: not hub.says_holder(HOLDER), LAPSE_S)
    return "control ended although the lease was heard" if lost else ""


async def lapse(hub: CheckingHub) -> str:
    """Control lapses by itself once the lease is not heard for its silence."""
    await _holding(hub)
    hub.leased = False
    ended = await hub.way.until(lambda: hub.says_holder(""), LAPSE_S)
    return "" if ended else f"still held {LAPSE_S:.1f} s after the last lease"


async def not_rearmed(hub: CheckingHub) -> str:
    """Lapsed control is not taken up again because the lease is heard again."""
    lists(hub, "take_control")
    if not hub.says_holder(""):
        raise NotApplicable("control did not lapse")
    hub.leased = True
    back = await hub.way.until(lambda: not hub.says_holder(""), 2.0)
    hub.leased = False
    return "control came back by itself" if back else ""


async def release(hub: CheckingHub) -> str:
    """Released, it says applied, and its state names nobody."""
    await _holding(hub)
    wrong = applied(await hub.order(ReleaseControl("handed_back"), operator=""))
    hub.leased = False
    if wrong:
        return wrong
    ended = await hub.way.until(lambda: hub.says_holder(""), ANSWER_S)
    return "" if ended else "its state still names a holder"


async def fence(hub: CheckingHub) -> str:
    """A higher epoch in the hub's heartbeats ends control, and fences older commands off."""
    await _holding(hub)
    hub.epoch += 1
    hub.seq = 0
    ended = await hub.way.until(lambda: hub.says_holder(""), FENCED_S)
    hub.leased = False
    if not ended:
        return "control went on under a higher epoch"
    return refused(await hub.order(HARMLESS, epoch=hub.epoch - 1, seq=1_000), _R.OLD_EPOCH)
