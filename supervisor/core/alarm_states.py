"""The states of an alarm, after ISA-18.2: total tables.

SHELVED and OUT_OF_SERVICE hold whatever the plant says; only the input that leads out
changes them. Where that leads depends on what has become of the condition meanwhile:
`…_ACTIVE` it is there, `…_OWED` it is gone but nobody has seen it, `…_NORMAL` it is gone,
`…_SUPPRESSED` it is there and another alarm says so already.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from protocols.alarms import AlarmState


class Input(enum.Enum):
    """What can happen to an alarm."""

    RAISED = "raised"
    RETURNED = "returned"
    RAISED_AGAIN = "raised again"
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    RELEASED_ACTIVE = "released, still there"
    RELEASED_OWED = "released, gone, never acknowledged"
    RELEASED_NORMAL = "released, gone"
    SHELVED = "shelved"
    UNSHELVED_ACTIVE = "unshelved, still there"
    UNSHELVED_OWED = "unshelved, gone, never acknowledged"
    UNSHELVED_NORMAL = "unshelved, gone"
    UNSHELVED_SUPPRESSED = "unshelved, suppressed"
    TAKEN_OUT = "taken out of service"
    BACK_ACTIVE = "back in service, still there"
    BACK_NORMAL = "back in service, gone"
    BACK_SUPPRESSED = "back in service, suppressed"


_N = AlarmState.NORMAL
_U = AlarmState.UNACKNOWLEDGED
_A = AlarmState.ACKNOWLEDGED
_R = AlarmState.RETURNED_UNACKNOWLEDGED
_S = AlarmState.SUPPRESSED_BY_DESIGN
_H = AlarmState.SHELVED
_O = AlarmState.OUT_OF_SERVICE

_SAME: Final[Mapping[AlarmState, AlarmState]] = {state: state for state in AlarmState}

LATCHING: Final[Mapping[Input, Mapping[AlarmState, AlarmState]]] = {
    Input.RAISED: {**_SAME, _N: _U, _R: _U},
    Input.RETURNED: {**_SAME, _U: _R, _A: _N},
    Input.RAISED_AGAIN: {**_SAME, _N: _U, _A: _U, _R: _U},
    Input.ACKNOWLEDGED: {**_SAME, _U: _A, _R: _N},
    Input.SUPPRESSED: {**_SAME, _N: _S, _U: _S, _A: _S, _R: _S},
    Input.RELEASED_ACTIVE: {**_SAME, _S: _U},
    Input.RELEASED_OWED: {**_SAME, _S: _R},
    Input.RELEASED_NORMAL: {**_SAME, _S: _N},
    Input.SHELVED: {**_SAME, _U: _H, _A: _H, _R: _H, _S: _H},
    Input.UNSHELVED_ACTIVE: {**_SAME, _H: _U},
    Input.UNSHELVED_OWED: {**_SAME, _H: _R},
    Input.UNSHELVED_NORMAL: {**_SAME, _H: _N},
    Input.UNSHELVED_SUPPRESSED: {**_SAME, _H: _S},
    Input.TAKEN_OUT: dict.fromkeys(AlarmState, _O),
    Input.BACK_ACTIVE: {**_SAME, _O: _U},
    Input.BACK_NORMAL: {**_SAME, _O: _N},
    Input.BACK_SUPPRESSED: {**_SAME, _O: _S},
}

NOT_LATCHING: Final[Mapping[Input, Mapping[AlarmState, AlarmState]]] = {
    **LATCHING,
    Input.RETURNED: {**LATCHING[Input.RETURNED], _U: _N, _R: _N},
    Input.RELEASED_OWED: {**LATCHING[Input.RELEASED_OWED], _S: _N},
    Input.UNSHELVED_OWED: {**LATCHING[Input.UNSHELVED_OWED], _H: _N},
}

UNSEEN: Final = frozenset({_U, _R})
"""Somebody still has to acknowledge it."""
ASIDE: Final = frozenset({_H, _O})
"""A person has put it aside."""
ANNOUNCED: Final = frozenset({_U, _A, _R})
"""Operators see it in their list."""

COUNTED: Final[Mapping[Input, str]] = {
    Input.RAISED: "raised",
    Input.RETURNED: "returned",
    Input.RAISED_AGAIN: "raised",
    Input.ACKNOWLEDGED: "acknowledged",
    Input.SUPPRESSED: "suppressed",
    Input.RELEASED_ACTIVE: "raised",
    Input.RELEASED_OWED: "returned",
    Input.RELEASED_NORMAL: "returned",
    Input.SHELVED: "shelved",
    Input.UNSHELVED_ACTIVE: "unshelved",
    Input.UNSHELVED_OWED: "unshelved",
    Input.UNSHELVED_NORMAL: "unshelved",
    Input.UNSHELVED_SUPPRESSED: "unshelved",
    Input.TAKEN_OUT: "out_of_service",
    Input.BACK_ACTIVE: "in_service",
    Input.BACK_NORMAL: "in_service",
    Input.BACK_SUPPRESSED: "in_service",
}
"""Reason of the count `alarm` for each input that changed something."""
