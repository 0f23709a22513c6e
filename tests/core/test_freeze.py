"""One picture repeated while the vehicle moves is a frozen picture."""

from __future__ import annotations

import random

from helpers_core import MS, World

from protocols.supervision import FreezeCause
from supervisor.core.freeze import LOOKS, ContentWatch


def learned(weight: int = 10_000) -> ContentWatch:
    watch = ContentWatch()
    for _ in range(40):
        watch.on_sample(3 * weight, 3, 0, 5.0)
    return watch


def test_frames_that_lose_their_weight_while_it_moves_are_noticed_within_a_second() -> None:
    watch = learned()
    looks = 0
    while not watch.frozen:
        watch.on_sample(3 * 60, 3, 0, 5.0)
        looks += 1
    assert looks <= LOOKS, "ten looks a second"
    for _ in range(LOOKS):
        watch.on_sample(3 * 9_000, 3, 0, 5.0)
    assert not watch.frozen


def test_a_standing_vehicle_in_an_unchanging_scene_is_not_frozen() -> None:
    watch = learned()
    for _ in range(100):
        watch.on_sample(3 * 60, 3, 0, 0.0)
    assert not watch.frozen
    for _ in range(LOOKS - 1):
        watch.on_sample(3 * 60, 3, 0, 0.1)
    assert not watch.frozen, "it has just begun to move"


def test_keyframes_hide_nothing_and_prove_nothing() -> None:
    watch = learned()
    for n in range(30):
        if n % 5 == 0:
            watch.on_sample(40_000, 3, 1, 5.0)
        else:
            watch.on_sample(3 * 60, 3, 0, 5.0)
    assert watch.frozen


def test_before_the_usual_weight_is_known_nothing_is_claimed() -> None:
    watch = ContentWatch()
    for _ in range(100):
        watch.on_sample(3 * 60, 3, 0, 5.0)
    assert not watch.frozen


def test_the_weight_of_a_real_drive_never_looks_frozen() -> None:
    """Rate control between 300 and 2500 kbit/s, bends and straights, no repetition."""
    source = random.Random(7)
    watch = ContentWatch()
    for _ in range(10_000):
        kbps = source.uniform(300, 2_500)
        frames = source.choice((2, 3, 3, 3, 4))
        watch.on_sample(int(kbps * 1_000 / 8 / 30 * frames), frames, int(source.random() < 0.05), 9)
        assert not watch.frozen


def drive(world: World, seconds: float, weight: int, speed: float, start: int = 0) -> int:
    frames = start
    for index in range(round(seconds * 10)):
        world.tick()
        if index % 5 == 0:
            world.exchange(10.0)
        world.telemetry(speed_mps=speed)
        frames += 3
        world.bytes += 3 * weight
        world.publish(frames, bytes=world.bytes)
    return frames


def test_the_core_says_frozen_by_content_and_raises_the_alarm_only_while_it_moves() -> None:
    world = World()
    world.bytes = 0
    world.online()
    frames = drive(world, 6, 10_000, 4.0)
    assert world.bus.supervised.frozen == ()
    before = world.now_ns
    while not world.bus.supervised.frozen:
        frames = drive(world, 0.1, 60, 4.0, frames)
    assert world.now_ns - before <= 1_000 * MS
    assert [f.cause for f in world.bus.supervised.frozen] == [FreezeCause.CONTENT]
    frames = drive(world, 1.0, 60, 4.0, frames)
    assert world.alarm("video.frozen") == "unacknowledged"
    frames = drive(world, 0.3, 60, 0.0, frames)
    assert world.bus.supervised.frozen == ()
    drive(world, 3, 60, 0.0, frames)
    assert world.alarm("video.frozen") == "normal"
