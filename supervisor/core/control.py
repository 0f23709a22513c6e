"""What is kept of the control of one vehicle; `supervisor.core.authority` decides."""

from __future__ import annotations

from protocols.authority import ControlState, ControlView


class Control:
    """Control of one vehicle.

    Attributes:
        view: What everybody sees.
        epoch_used: The highest epoch that was ever given out, durable or not: none is
            given twice.
    """

    __slots__ = ("epoch_used", "view")

    def __init__(self, vehicle: str, epoch: int) -> None:
        self.view = ControlView(vehicle=vehicle, state=ControlState.FREE)
        self.epoch_used = epoch
