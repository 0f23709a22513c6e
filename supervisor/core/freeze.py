"""A picture that stands still although frames come: known by what they weigh.

An encoder that is fed one picture again and again sends frames of some dozen bytes: the
whole picture is "as before". That alone is no fault, a standing vehicle sees a street
that stands too. It is one when the vehicle *moves*: what moves never looks the same.

So the weight of frames between keyframes is learned while the vehicle moves, and the
picture counts as frozen when it has moved all the time and, of the last `LOOKS`
samples (ten a second) that hold frames but no keyframe, at least `ENOUGH` weigh less
than a tenth of what is usual. A keyframe weighs the same whether anything moves or
not; samples with one say nothing.
"""

from __future__ import annotations

from typing import Final

LOOKS: Final = 8
ENOUGH: Final = 6
COLLAPSE: Final = 10
"""Frames lighter than the usual by this factor are of one picture."""
LEARN: Final = 32
"""Samples until the usual weight is known, and its memory."""
MOVING_MPS: Final = 0.5


class ContentWatch:
    """One camera.

    Attributes:
        usual: Bytes of a frame between keyframes while it moves; 0: not known yet.
    """

    __slots__ = ("_bits", "_count", "_learned", "usual")

    def __init__(self) -> None:
        self.usual = 0.0
        self._learned = 0
        self._bits = 0  # newest in bit 0; 1: collapsed
        self._count = 0

    def on_sample(self, size: int, frames: int, keyframes: int, moved_s: float) -> None:
        """Take what came since the last sample.

        Args:
            size: Bytes, of all sizes of the camera together.
            frames, keyframes: Complete ones.
            moved_s: For how long the vehicle has been moving; 0: it stands, or nobody
                knows.
        """
        if moved_s <= 0.0:
            self._bits = self._count = 0
            return
        if frames <= 0 or keyframes > 0 or size < 0:
            return
        weight = size / frames
        collapsed = self._learned >= LEARN and weight * COLLAPSE < self.usual
        if not collapsed:
            self._learned = min(LEARN, self._learned + 1)
            self.usual += (weight - self.usual) / self._learned
        self._bits = (self._bits << 1 | collapsed) & _MASK
        self._count = min(LOOKS, self._count + 1)

    @property
    def frozen(self) -> bool:
        """One picture is repeated while the vehicle moves."""
        return self._count == LOOKS and self._bits.bit_count() >= ENOUGH


_MASK: Final = (1 << LOOKS) - 1
