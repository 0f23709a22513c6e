"""The plane gives watchers the sizes the core prefers, and their own again afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.topics import VehicleId
from supervisor.counters import Counters
from supervisor.media import ipc
from supervisor.media.plane import MediaPlane
from supervisor.media.pool import MediaConfig
from supervisor.media.preferences import Wishes
from supervisor.media.session import Session

BUS = VehicleId("maebashi", "bus-01")
OTHER = VehicleId("maebashi", "bus-02")


class Link:
    """Takes messages for a worker, or is too busy."""

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []
        self.busy = False

    def send(self, message: msgspec.Struct, *, always: bool = False) -> bool:
        if not self.busy:
            self.sent.append(message)
        return not self.busy


def a_plane() -> tuple[MediaPlane, Link, Counters]:
    async def nobody(request: Any) -> None:
        return None

    counters = Counters()
    plane = MediaPlane(
        MediaConfig(),
        counters=counters,
        on_event=lambda event: None,
        authorise_publisher=lambda vehicle_id, token: False,
        authorise_watcher=nobody,
    )
    link = Link()
    for name, vehicle_id, publisher, cameras in (
        ("w1", BUS, False, ("front", "left")),
        ("w2", BUS, False, ("left",)),
        ("w3", OTHER, False, ("front",)),
        ("p", BUS, True, ()),
    ):
        plane.sessions[name] = Session(
            id=name, vehicle_id=vehicle_id, publisher=publisher, link=link, etag="",
            remote_ufrag="", ice=("", ""), wishes=Wishes(cameras),
        )  # type: ignore[arg-type]  # fmt: skip
    return plane, link, counters


def sizes(link: Link) -> dict[str, dict[str, str]]:
    found = {m.session: m.layers for m in link.sent if isinstance(m, ipc.SetLayers)}
    link.sent.clear()
    return found


async def test_a_preference_reaches_every_watcher_of_that_vehicle_and_is_taken_back() -> None:
    plane, link, _ = a_plane()
    plane.prefer_layers(BUS, "front", "high", "low")
    assert sizes(link) == {"w1": {"front": "high", "left": "low"}, "w2": {"left": "low"}}
    plane.set_layers(plane.sessions["w1"], {"left": "auto"})
    assert sizes(link) == {"w1": {"left": "low"}}, "kept, and not obeyed yet"
    plane.prefer_layers(BUS, "", None, None)
    assert sizes(link) == {"w1": {"front": "high", "left": "auto"}, "w2": {"left": "high"}}


async def test_a_busy_worker_is_counted() -> None:
    plane, link, counters = a_plane()
    link.busy = True
    plane.prefer_layers(BUS, "front", "high", "low")
    assert counters.get("media_preference_dropped") == 2
