"""Control frames of the console are the bytes that `protocols.drive` reads and seals.

`sealed_frames.json` is what `ui/core/drive.test.mjs` compares the browser's bytes with;
here it is held against the protocol. Print it anew: `python tests/ui/test_sealed_frames.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from protocols import drive
from protocols.topics import VehicleId

FIXTURE = Path(__file__).with_name("sealed_frames.json")
COMMAND_KEY = bytes(range(32))
BUS = VehicleId("maebashi", "bus-01")
FRAMES: list[drive.Frame] = [
    drive.DriveFrame("s-1", 7, 0, 123_456_789_012_345, False),
    drive.DriveFrame("s-1", 7, 1, 123_456_822_345_678, True, 2.5, -0.0625, 0.0),
    drive.DriveFrame("日本", 9_007_199_254_740_991, 2, 1, True, 5.5556, 0.2, 1.0),
    drive.DriveFrame('"\\\n', 1, 3, 0, True, 0.0001, 0.0, 0.1),
    drive.StopFrame("0d3f6a52-6a0c-4c55-9f1b-6f8b1e0a0001", "hanako"),
]


def fixture() -> list[dict[str, object]]:
    found = []
    for frame in FRAMES:
        if isinstance(frame, drive.DriveFrame):
            key = drive.drive_key(COMMAND_KEY, BUS, frame.epoch, "hanako")
        else:
            key = drive.stop_key(COMMAND_KEY, BUS, "hanako")
        sealed = drive.seal(frame, key)
        found.append(
            {"frame": msgspec.to_builtins(frame), "key": key.hex(), "sealed": sealed.hex()}
        )
    return found


def test_the_fixture_is_what_the_protocol_makes() -> None:
    assert json.loads(FIXTURE.read_text()) == fixture()


def test_what_is_in_the_fixture_is_read_back_and_fits_its_key() -> None:
    for entry, frame in zip(json.loads(FIXTURE.read_text()), FRAMES, strict=True):
        data = bytes.fromhex(entry["sealed"])
        assert drive.read(data) == frame
        assert drive.sealed_by(data, bytes.fromhex(entry["key"]))


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(fixture(), indent=1, ensure_ascii=False) + "\n")
