"""Who may say something to a vehicle on the data channels "command" and "stop".

    command   operator's frame ─▶ size · rate · grant? ─▶ the vehicle's newest session
              vehicle's frame  ─▶ size · rate · grant? ─▶ the holder's sessions, nobody else's
    stop      operator's frame ─▶ size · rate · may he stop? ─▶ the vehicle's newest session

A grant is (vehicle, holder, epoch), pushed by the hub; the holder is a sign-in, so all
his sessions with that vehicle have it, also one that he dials anew. Without a grant
nothing passes on "command". Frames are never looked into: what one means, and whether it
is still in time, is for the vehicle to decide.

"stop" carries emergency stops (`protocols.drive.StopFrame`). It asks for no grant, so it
goes on while somebody else has control, while nobody has, and while the hub is silent or
gone; only a right that the session was opened with. Each session has an allowance of its
own for it: whoever floods it delays nobody else. A vehicle that has not opened "stop"
gets these frames on "command".
"""

from __future__ import annotations

from typing import Final

from supervisor.counters import Counters
from supervisor.media.dtls import CHANNEL_LABEL, MAX_FRAME, STOP_LABEL, Frame
from supervisor.media.peer import Peer, Publisher, Watcher

FRAMES_PER_S: Final = 60
BURST: Final = 12
"""Frames that may come at once after a pause of the path: 0.2 s."""

STOPS_PER_S: Final = 20
STOP_BURST: Final = 20
"""A console repeats a stop ten times a second until the vehicle has applied it."""

_ALLOWED: Final = {CHANNEL_LABEL: (FRAMES_PER_S, BURST), STOP_LABEL: (STOPS_PER_S, STOP_BURST)}


class _Allowance:
    """A token bucket."""

    __slots__ = ("_burst", "_left", "_per_s", "_since_ns")

    def __init__(self, per_s: int, burst: int, now_ns: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._since_ns = now_ns

    def take(self, now_ns: int) -> bool:
        earned = (now_ns - self._since_ns) * self._per_s / 1e9
        self._left = min(self._burst, self._left + earned)
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
        self._allowances: dict[tuple[int, str], _Allowance] = {}

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

        Epochs stay: an older grant than the last known stays refused. Stops go on.
        """
        held = any(holder is not None for holder, _ in self._grants.values())
        self._grants = {vehicle: (None, epoch) for vehicle, (_, epoch) in self._grants.items()}
        return held

    def holder(self, vehicle: str) -> str | None:
        """Return the sign-in that holds a vehicle's grant, None for nobody."""
        return self._grants.get(vehicle, (None, 0))[0]

    def on_open(self, peer: Peer, label: str, is_open: bool, now_ns: int) -> None:
        """Note that one of a peer's channels opened or is gone."""
        if not is_open:
            self._allowances.pop((id(peer), label), None)
            if label == CHANNEL_LABEL:
                self._leave(peer)
            return
        self._allowances[id(peer), label] = _Allowance(*_ALLOWED[label], now_ns)
        if isinstance(peer, Publisher):
            known = self._vehicles.get(peer.vehicle)
            if known is None or peer.opened_ns >= known.opened_ns:
                self._vehicles[peer.vehicle] = peer
        elif isinstance(peer, Watcher) and label == CHANNEL_LABEL:
            self._operators.setdefault(peer.vehicle, []).append(peer)

    def forget(self, peer: Peer) -> None:
        """A session is over, whatever of it was open."""
        for label in _ALLOWED:
            self._allowances.pop((id(peer), label), None)
        if self._vehicles.get(peer.vehicle) is peer:
            del self._vehicles[peer.vehicle]
        self._leave(peer)

    def _leave(self, peer: Peer) -> None:
        others = [entry for entry in self._operators.pop(peer.vehicle, []) if entry is not peer]
        if others:
            self._operators[peer.vehicle] = others

    def on_frame(self, peer: Peer, label: str, frame: Frame, now_ns: int) -> None:
        """Pass one frame of a channel on, or count why not."""
        reason = self._pass(peer, label, frame, now_ns)
        if reason:
            self._counters.add("media_command_refused", reason)

    def _pass(self, peer: Peer, label: str, frame: Frame, now_ns: int) -> str:
        size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
        if not 0 < size <= MAX_FRAME:
            return "size"
        allowance = self._allowances.get((id(peer), label))
        if allowance is None or not allowance.take(now_ns):
            return "rate" if label == CHANNEL_LABEL else "stop_rate"
        if label == STOP_LABEL:
            return self._stop(peer, frame)
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

    def _stop(self, peer: Peer, frame: Frame) -> str:
        if not isinstance(peer, Watcher):
            return "stop_from_vehicle"
        if not peer.spec.may_stop:
            return "stop_role"
        vehicle = self._vehicles.get(peer.vehicle)
        if not self._send(vehicle, frame, "stop", STOP_LABEL):
            return ""
        return self._send(vehicle, frame, "stop")

    def _send(
        self, target: Peer | None, frame: Frame, direction: str, label: str = CHANNEL_LABEL
    ) -> str:
        if target is None or target.channel is None or not target.channel.send(frame, label):
            return "not_open"
        self._counters.add("media_command_frames", direction)
        return ""
