"""What the emulator is told on its standard input and answers on its standard output.

One JSON message a line; each message is answered by exactly one.
"""

from __future__ import annotations

import msgspec

from loadtests.emulator.link import Figures, Impairment
from loadtests.emulator.meter import RtpFigures


class LinkSpec(msgspec.Struct, frozen=True):
    """Two TUN devices. `up` is the way from the near namespace to the far one.

    Attributes:
        near, far: Paths of the namespaces.
        near_device, far_device: Names of the devices made in them.
        near_address: Of the near end, as its own namespace knows it.
    """

    name: str
    near: str
    near_device: str
    far: str
    far_device: str
    near_address: str


class Set(msgspec.Struct, frozen=True, tag="set"):
    """Impair one link from now on; None leaves a direction as it is."""

    link: str
    up: Impairment | None = None
    down: Impairment | None = None


class Move(msgspec.Struct, frozen=True, tag="move"):
    """The far end sees the near one under another address from now on."""

    link: str
    address: str


class Take(msgspec.Struct, frozen=True, tag="take"):
    """Tell the figures of one link since the last time."""

    link: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It holds since then (monotonic clock, the same for all processes here)."""

    at_ns: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """Figures, and the processor time the emulator has used since its start.

    Attributes:
        streams: RTP offered on the way up, by SSRC.
    """

    at_ns: int
    cpu_ns: int
    up: Figures
    down: Figures
    streams: dict[int, RtpFigures]


ToEmulator = Set | Move | Take
FromEmulator = Done | Taken

to_emulator = msgspec.json.Decoder(ToEmulator)
from_emulator = msgspec.json.Decoder(FromEmulator)
specs = msgspec.json.Decoder(list[LinkSpec])
