"""The pictures that are sent have the size, the shape and the headers they should."""

from __future__ import annotations

import av
import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor

from loadtests import video


@pytest.mark.parametrize("mbps", [0.5, 2, 8, 25])
def test_a_shaped_loop_has_the_rate_that_was_asked(mbps: float) -> None:
    loop = video.shaped(mbps)
    assert len(loop.frames) == video.LOOP_FRAMES
    assert loop.bits_per_s() == pytest.approx(mbps * 1e6, rel=0.02)


def test_a_shaped_keyframe_is_first_and_six_times_larger() -> None:
    sizes = [len(frame) for frame in video.shaped(8).frames]
    assert sizes[0] / (sum(sizes[1:]) / (len(sizes) - 1)) == pytest.approx(6, rel=0.05)


def test_each_picture_ends_with_its_only_marker() -> None:
    for frame in video.shaped(4).frames:
        assert [packet.marker for packet in frame] == [False] * (len(frame) - 1) + [True]


def test_fragments_begin_and_end_where_the_picture_does() -> None:
    first, *_, last = video.shaped(8).frames[1]
    assert (first.payload[1] & 0xC0, last.payload[1] & 0xC0) == (0x80, 0x40)


def test_a_decoder_reads_an_encoded_loop_after_depacketising() -> None:
    loop = video.encoded(1.0, width=320, height=192)
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    pictures = 0
    for frame in loop.frames:
        data = b"".join(H264PayloadDescriptor.parse(packet.payload)[1] for packet in frame)
        pictures += len(decoder.decode(av.Packet(data)))
    pictures += len(decoder.decode(None))
    assert pictures == len(loop.frames) == video.LOOP_FRAMES


@pytest.mark.parametrize("longest", [1, 3, 16, 48])
def test_runs_carry_a_picture_in_order_in_pieces_the_kernel_takes(longest: int) -> None:
    for loop in (video.shaped(8), video.encoded(1.0, 320, 192)):
        for frame, runs in zip(loop.frames, video.cut(loop, longest).pictures, strict=True):
            assert [payload for run in runs for payload in run.payloads] == [
                packet.payload for packet in frame
            ]
            assert [run.marker for run in runs] == [False] * (len(runs) - 1) + [True]
            for run in runs:
                assert len(run.payloads) <= longest
                assert len({len(payload) for payload in run.payloads}) == 1
