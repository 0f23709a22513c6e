"""What one watcher is shown: a layer of each camera, and nothing while he cannot take it.

    asked     high or auto: the largest layer; low: the smallest
    reduced   by `path`, a step at a time: one layer smaller each; behind the smallest
              layer the last step is *thinning*
    thinning  whole pictures up to what his path carries: a keyframe and those after it
              until the allowance is used up, then nothing until the next keyframe

A delta frame is of no use without the ones before it, so a thinned picture is a
sequence of short, clean runs; half a frame is never sent. All this happens to his
tracks alone.
"""

from __future__ import annotations

from typing import Final

from supervisor.rtp import switch
from supervisor.rtp.downtrack import DownTrack
from supervisor.rtp.layers import Choice, LayerSet
from supervisor.rtp.path import Path

_BURST_S: Final = 0.5
"""Allowance that can be saved up, in seconds of the path's rate."""

_AUTO_BEGINS: Final = 1


class Shown:
    """One track of a watcher.

    Attributes:
        choice: What he asked for.
    """

    __slots__ = ("choice", "layers", "track")

    def __init__(self, track: DownTrack, layers: LayerSet, choice: Choice) -> None:
        self.track = track
        self.layers = layers
        self.choice = choice


class View:
    """All tracks of one watcher.

    Attributes:
        thinned: How often a picture was left out.
    """

    __slots__ = ("_allowance", "_counted", "_last_ns", "_rate", "_thin", "path", "shown", "thinned")

    def __init__(self, shown: list[Shown]) -> None:
        self.shown = shown
        self.path = Path()
        self.thinned = 0
        if any(entry.choice == "auto" and entry.layers.layered for entry in shown):
            self.path.reduced = _AUTO_BEGINS
        self._allowance = 0.0
        self._counted = 0
        self._rate = 0.0
        self._last_ns: int | None = None
        self._thin = False

    def ask(self, camera: str, choice: Choice) -> bool:
        """Take another wish for one camera; False if it is not shown."""
        found = False
        for entry in self.shown:
            if entry.layers.camera == camera and entry.layers.kind == "video":
                entry.choice = choice
                found = True
        return found

    def join(self, now_ns: int) -> None:
        """Begin to receive."""
        for entry in self.shown:
            track = entry.track
            track.feed = entry.layers.choose(entry.choice, self.path.reduced, now_ns)
            track.feed.join(track)

    def leave(self) -> None:
        """Receive no more."""
        for entry in self.shown:
            entry.track.target = None
            entry.track.feed.leave(entry.track)

    def on_time(self, now_ns: int) -> list[DownTrack]:
        """Judge and aim; call every 100 ms. Return the tracks that wait for a keyframe."""
        octets = steps = 0
        for entry in self.shown:
            octets += entry.track.octets
            if entry.layers.kind == "video":
                layers = len(entry.layers.active(now_ns)) if entry.choice != "low" else 1
                steps = max(steps, layers)
        path = self.path
        path.on_time(octets, steps, now_ns)
        thin = steps > 0 and path.reduced >= steps
        if thin or self._thin:
            self._spend(octets, now_ns, thin)
        self._thin = thin
        waiting: list[DownTrack] = []
        for entry in self.shown:
            if entry.layers.kind == "video":
                self._aim(entry, thin, now_ns)
                if entry.track.target is not None:
                    waiting.append(entry.track)
        return waiting

    def _spend(self, octets: int, now_ns: int, thin: bool) -> None:
        if not self._thin or self.path.estimate_bps is not None:
            self._rate = self.path.budget_bps() / 8
        rate = self._rate
        if not self._thin or self._last_ns is None:
            self._allowance, self._counted, self._last_ns = 0.0, octets, now_ns
        self._allowance += rate * (now_ns - self._last_ns) / 1e9 - (octets - self._counted)
        self._allowance = max(-2 * rate, min(self._allowance, rate * _BURST_S))
        self._counted, self._last_ns = octets, now_ns
        if not thin:
            self._allowance = rate * _BURST_S

    def _aim(self, entry: Shown, thin: bool, now_ns: int) -> None:
        track = entry.track
        wanted = entry.layers.choose(entry.choice, self.path.reduced, now_ns)
        paused = track.last_sequence is not None
        if thin and not paused and self._allowance < 0:
            track.target = None
            if switch.pause(track, now_ns):
                self.thinned += 1
            return
        if paused:
            again = track.target is None and self._allowance >= self._rate * _BURST_S / 2
            elsewhere = track.target is not None and track.target is not wanted
            if again or elsewhere:
                switch.aim(track, wanted, now_ns)
            return
        if wanted is track.feed:
            track.target = None
        elif wanted is not track.target:
            switch.aim(track, wanted, now_ns)
