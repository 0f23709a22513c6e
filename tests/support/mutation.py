"""Damaged copies of real inputs, seeded: the same seed damages in the same way."""

from __future__ import annotations

import random

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 10, 13, 32, 34, 44, 47, 58, 91, 93, 123, 125)
"""Bytes that mean something to a parser: ends of ranges, separators, brackets."""

MAX_GROWN = 1 << 16
"""Bytes beyond which a copy is not made longer."""


def mutate(seed: bytes, choose: random.Random) -> bytes:
    """Return a damaged copy: bits, bytes, lengths, slices moved, doubled or cut."""
    data = bytearray(seed)
    for _ in range(choose.randint(1, 6)):
        if not data:
            break
        at = choose.randrange(len(data))
        match choose.randrange(9):
            case 0:
                data[at] ^= 1 << choose.randrange(8)
            case 1:
                data[at] = choose.choice(INTERESTING)
            case 2 if choose.randrange(3) == 0:
                del data[at:]
            case 3:
                del data[at : at + choose.randint(1, 8)]
            case 4:
                data[at:at] = data[at : at + choose.randint(1, 64)]
            case 5:
                data[at:at] = choose.randbytes(choose.randint(1, 4))
            case 6:
                digits = b"0123456789"
                data[at : at + 1] = bytes(
                    choose.choice(digits) for _ in range(choose.randint(1, 9))
                )
            case 7 if len(data) < MAX_GROWN // 8 and choose.randrange(20) == 0:
                data[at:at] = data[at : at + choose.randint(1, 16)] * choose.randint(2, 400)
            case _:
                other = choose.randrange(len(data))
                data[at], data[other] = data[other], data[at]
    return bytes(data)
