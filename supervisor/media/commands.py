"""Who may say something to a vehicle on the data channel "command".

    operator's frame ─▶ size · rate · grant? ─▶ the vehicle's newest session
    vehicle's frame  ─▶ size · rate · grant? ─▶ the holder's sessions, nobody else's

A grant is (vehicle, holder, epoch), pushed by the hub; the holder is a sign-in, so all
his sessions with that vehicle have it, also one that he dials anew. Without a grant
nothing passes. Frames are never looked into: what one means, and whether it is still
in time, is for the vehicle to decide.
"""

from __future__ import annotations

from typing import Final

from supervisor.counters import Counters
from supervisor.media.dtls import MAX_FRAME, Frame
from supervisor.media.peer import Peer, Publisher, Watcher

FRAMES_PER_S: Final = 60
BURST: Final = 12
"""Frames that may come at once after a pause of the path: 0.2 s."""


class _Allowance:
    """A token bucket."""

    __slots__ = ("_left", "_since_ns")

    def __init__(self, now_ns: int) -> None:
        self._left = float(BURST)
        self._since_ns = now_ns

    def take(self, now_ns: int) -> bool:
        self._left = min(BURST, self._left + (now_ns - self._since_ns) * FRAMES_PER_S / 1e9)
        self._since_ns = now_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Commands:
    """Grants and open channels of one worker."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._grants: dict[str, tuple[str | None, int]] = {}
        self._vehicles: dict[str, Publisher] = {}
        self._operators: dict[str, list[Watcher]] = {}
        self._allowances: dict[int, _Allowance] = {}

    def set_grant(self, vehicle: str, holder: str | None, epoch: int) -> None:
        """Let `holder`, and nobody else, reach the vehicle; None: nobody.

        An older epoch than the known one changes nothing.
        """
        known = self._grants.get(vehicle)
        if known is not None and epoch < known[1]:
            self._counters.add("media_command_refused", "old_epoch")
            return
        self._grants[vehicle] = (holder, epoch)

    def drop_grants(self) -> bool:
        """Let nobody reach any vehicle until a grant is given anew; tell if anybody could.

        Epochs stay: an older grant than the last known stays refused.
        """
        held = any(holder is not None for holder, _ in self._grants.values())
        self._grants = {vehicle: (None, epoch) for vehicle, (_, epoch) in self._grants.items()}
        return held

    def holder(self, vehicle: str) -> str | None:
        """Return the sign-in that holds a vehicle's grant, None for nobody."""
        return self._grants.get(vehicle, (None, 0))[0]

    def on_open(self, peer: Peer, is_open: bool, now_ns: int) -> None:
        """Note that a peer's channel opened or is gone."""
        if not is_open:
            self._forget(peer)
            return
        self._allowances[id(peer)] = _Allowance(now_ns)
        if isinstance(peer, Publisher):
            self._vehicles[peer.vehicle] = peer
        elif isinstance(peer, Watcher):
            self._operators.setdefault(peer.vehicle, []).append(peer)

    def _forget(self, peer: Peer) -> None:
        self._allowances.pop(id(peer), None)
        if self._vehicles.get(peer.vehicle) is peer:
            del self._vehicles[peer.vehicle]
        others = [entry for entry in self._operators.pop(peer.vehicle, []) if entry is not peer]
        if others:
            self._operators[peer.vehicle] = others

    def on_frame(self, peer: Peer, frame: Frame, now_ns: int) -> None:
        """Pass one frame on, or count why not."""
        reason = self._pass(peer, frame, now_ns)
        if reason:
            self._counters.add("media_command_refused", reason)

    def _pass(self, peer: Peer, frame: Frame, now_ns: int) -> str:
        size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
        if not 0 < size <= MAX_FRAME:
            return "size"
        allowance = self._allowances.get(id(peer))
        if allowance is None or not allowance.take(now_ns):
            return "rate"
        holder = self.holder(peer.vehicle)
        if holder is None:
            return "no_grant"
        if isinstance(peer, Watcher):
            if peer.holder != holder:
                return "not_holder"
            return self._send(self._vehicles.get(peer.vehicle), frame, "to_vehicle")
        if self._vehicles.get(peer.vehicle) is not peer:
            return "replaced"
        targets = [
            entry for entry in self._operators.get(peer.vehicle, ()) if entry.holder == holder
        ]
        if not targets:
            return "not_open"
        for target in targets:
            self._send(target, frame, "to_operator")
        return ""

    def _send(self, target: Peer | None, frame: Frame, direction: str) -> str:
        if target is None or target.channel is None or not target.channel.send(frame):
            return "not_open"
        self._counters.add("media_command_frames", direction)
        return ""
