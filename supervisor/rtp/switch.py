"""A watcher's track goes from one feed to another, or stops and begins again.

Only at frame boundaries: the frame that is being sent is finished first (for at most
`FINISH_NS`), and what follows begins with a keyframe. Between the keyframe's arrival
and the switch its packets lie in the feed's cache, from where they are sent.

The watcher's sequence numbers go on by one; his timestamps are the camera's (see
`layers` and `squeeze`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from supervisor.rtp.cache import Outgoing
    from supervisor.rtp.downtrack import DownTrack
    from supervisor.rtp.feed import Feed

FINISH_NS: Final = 50_000_000
"""A frame that is not complete after this has lost its end: nobody waits for it."""

FRESH_NS: Final = 250_000_000
"""A keyframe not older than this is taken from the cache instead of asking for one."""

MAX_CATCH_UP: Final = 256
"""Packets sent at once at a switch: a large keyframe."""


def aim(track: DownTrack, feed: Feed, now_ns: int) -> None:
    """Let a track go to `feed` at its next keyframe, or at one that has just come."""
    track.target = feed
    recent = feed.keyframe_sequence >= 0 and now_ns - feed.keyframe_ns <= FRESH_NS
    if recent and feed is not track.feed:
        track.target_from = feed.keyframe_sequence
    else:
        track.target_from = feed.highest + 1
        feed.keyframes.ask()


def between_frames(track: DownTrack, now_ns: int) -> bool:
    """Tell whether the newest packet he got ends a frame (or its end will not come)."""
    feed = track.feed
    last = feed.cache.get(feed.highest)
    return last is None or bool(last.marker) or now_ns - feed.last_ns > FINISH_NS


def pause(track: DownTrack, now_ns: int) -> bool:
    """Stop a track behind a whole frame; False if it has to be tried again."""
    if track.last_sequence is not None:
        return True
    if not between_frames(track, now_ns):
        return False
    _remember(track)
    track.feed.leave(track)
    return True


def _remember(track: DownTrack) -> None:
    """Note where he is: he has everything up to his feed's newest packet."""
    feed = track.feed
    if track.started_at is None:
        track.last_sequence = track.first_sequence - 1
        track.last_timestamp = None
        return
    track.last_sequence = feed.highest + track.sequence_offset
    last = feed.cache.get(feed.highest)
    track.last_timestamp = None if last is None else last.timestamp
    if last is not None and track.squeeze is not None:
        track.last_timestamp = track.squeeze.given.get(last.timestamp, last.timestamp)


def complete(track: DownTrack, now_ns: int) -> list[Outgoing] | None:
    """Switch if the target's keyframe is there; return what to send at once.

    Returns:
        None while it cannot be done yet.
    """
    feed = track.target
    if feed is None or feed.keyframe_sequence < track.target_from:
        return None
    keyframe = feed.keyframe_sequence
    if not pause(track, now_ns):
        return None
    last, last_timestamp = track.last_sequence, track.last_timestamp
    if last is None:
        return None
    track.target = None
    track.last_sequence = None
    track.payload_types.clear()
    if feed is not track.feed:
        track.switches += 1
    track.feed = feed
    track.started_at = keyframe
    track.sequence_offset = last + 1 - keyframe
    if last_timestamp is not None:
        track.hold_time(last_timestamp)
    feed.tracks.append(track)
    newest = min(feed.highest, keyframe + MAX_CATCH_UP - 1)
    found = [feed.cache.get(sequence) for sequence in range(keyframe, newest + 1)]
    return [packet for packet in found if packet is not None]
