"""Every parser of foreign bytes against mutated real packets: only the declared error.

`python tests/packets/test_fuzz_parsers.py --count 1000000` runs as many as wanted;
the test runs a quick share of it. A crash prints the input as hex: keep it as a row
of `KEPT`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))

from protocols.codec import ProtocolError  # noqa: E402 - the path is set above for a plain run
from supervisor.media import answer, fragment, http, ice, sctp_guard, sdp  # noqa: E402
from supervisor.rtp import packet, picture_size, rtcp, rtx  # noqa: E402
from supervisor.rtp.codec import Codec  # noqa: E402
from supervisor.rtp.feed import Feed  # noqa: E402
from supervisor.rtp.inbound import Inbound  # noqa: E402

SLOWEST_S = 0.05
"""Processor time one input may take. 10 ms is aimed at; the rest is for a collection of
garbage that happens to fall into it."""

_LOCAL = answer.Local("ufrag", "p" * 32, "AA:BB", ["127.0.0.1"], 9, "1")


_EVERY_TYPE = [
    [Codec(number, name, 90_000, rtx=97, nack=True) for number in range(128)]
    for name in ("H264", "VP8", "VP9", "AV1")
]


def _offer(data: bytes) -> None:
    offer = sdp.parse_offer(data)
    answer.peer_transport(offer)
    accepted = answer.accept_publisher(offer, [], (1, 2), "cname")
    answer.data_port(accepted.served)
    answer.talk_codecs(accepted.served)
    answer.build_answer(offer, accepted.served, _LOCAL)
    numbers = list(range(1, 3 * len(offer.media) + 1))
    served, _ = answer.accept_watcher(
        offer, [], accepted.streams, numbers, "cname", "auto", talk=True
    )
    answer.build_answer(offer, served, _LOCAL)


def _rtp(data: bytes) -> None:
    packet.parse_rtp(data)
    packet.find_extension(data, 1)
    rtx.unwrap(data, 96, 1)
    for start in (12, 20):
        picture_size.picture_size("H264", data, start)
        picture_size.picture_size("VP8", data, start)
    feed = Feed("front", "video")
    for codecs in _EVERY_TYPE:
        source = Inbound(feed, 1, codecs)
        source.receive(data, 0)
        source.receive_rtx(data, 97, 0)


TARGETS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "rtp": (_rtp, "rtp-*.bin"),
    "rtcp": (rtcp.parse, "rtcp-*.bin"),
    "stun": (ice.parse_request, "stun-*.bin"),
    "sdp": (_offer, "offer-*.sdp"),
    "fragment": (fragment.parse_fragment, "fragment-*.txt"),
    "sctp": (sctp_guard.check_sctp, "sctp-*.bin"),
    "layers": (http.parse_wishes, "layers-*.json"),
}
KEPT: list[tuple[str, bytes]] = [
    ("rtcp", b"\xa0\xc8\x00\x00"),
    ("sdp", b"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96\r\na=fmtp:\r\na=ssrc:\r\n"),
    ("stun", bytes.fromhex("000100082112a4420000000000000000000000000006000400ff00ff")),
]


def mutate(seed: bytes, choose: random.Random) -> bytes:
    """Return a damaged copy: bits, bytes, lengths, slices moved, doubled or cut."""
    data = bytearray(seed)
    for _ in range(choose.randint(1, 6)):
        if not data:
            break
        at = choose.randrange(len(data))
        match choose.randrange(7):
            case 0:
                data[at] ^= 1 << choose.randrange(8)
            case 1:
                data[at] = choose.choice((0, 1, 0x7F, 0x80, 0xFF, 10, 32, 58))
            case 2:
                del data[at:]
            case 3:
                del data[at : at + choose.randint(1, 8)]
            case 4:
                data[at:at] = data[at : at + choose.randint(1, 64)]
            case 5:
                data[at:at] = choose.randbytes(choose.randint(1, 4))
            case _:
                other = choose.randrange(len(data))
                data[at], data[other] = data[other], data[at]
    return bytes(data)


def run(target: str, count: int, seed: int = 1) -> tuple[dict[str, int], float]:
    """Feed `count` mutated inputs to one parser; return outcomes by reason, slowest in s.

    Raises whatever undeclared error the parser lets out, after printing the input.
    """
    parse, pattern = TARGETS[target]
    seeds = [path.read_bytes() for path in sorted(HERE.glob(pattern))]
    choose = random.Random(seed)
    outcomes: dict[str, int] = {}
    slowest = 0.0
    for _ in range(count):
        data = mutate(choose.choice(seeds), choose)
        outcome, took = attempt(target, parse, data)
        if took > SLOWEST_S:  # the machine's pauses strike once, a slow parser every time
            took = min(attempt(target, parse, data)[1] for _ in range(5))
        slowest = max(slowest, took)
        if slowest > SLOWEST_S:
            raise AssertionError(f"{target} took {slowest:.3f} s of CPU: {data.hex()}")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes, slowest


def attempt(target: str, parse: Callable[[bytes], object], data: bytes) -> tuple[str, float]:
    """Parse once; return the outcome's reason and the CPU time in s."""
    began = time.thread_time()
    try:
        parse(data)
        outcome = "accepted"
    except ProtocolError as error:
        outcome = error.reason
    except BaseException:
        print(f"{target}: {data.hex()}")
        raise
    return outcome, time.thread_time() - began


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_packets_raise_only_the_declared_error(target):
    outcomes, _ = run(target, 1_000 if target == "sdp" else 4_000)
    assert (
        sum(
            outcomes.get(reason, 0)
            for reason in ("malformed", "bad_sdp", "bad_layer", "bad_fragment")
        )
        > 0
    )
    assert outcomes.get("accepted", 0) > 0


@pytest.mark.parametrize(("target", "data"), KEPT)
def test_inputs_that_once_broke_a_parser_are_refused(target, data):
    with pytest.raises(ProtocolError):
        TARGETS[target][0](data)


@pytest.mark.parametrize("path", sorted(HERE.glob("rt*.bin")) + sorted(HERE.glob("s*.bin")))
def test_each_truncation_of_a_real_packet_is_taken_or_refused_but_never_breaks(path):
    parse = TARGETS[path.name.partition("-")[0]][0]
    data = path.read_bytes()
    parse(data)
    for length in range(len(data)):
        try:
            parse(data[:length])
        except ProtocolError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("targets", nargs="*", default=list(TARGETS))
    arguments = parser.parse_args()
    for target in arguments.targets:
        began = time.perf_counter()
        outcomes, slowest = run(target, arguments.count, arguments.seed)
        took = time.perf_counter() - began
        print(f"{target}: {took:.1f} s, slowest {slowest * 1000:.2f} ms, {outcomes}")


if __name__ == "__main__":
    main()
