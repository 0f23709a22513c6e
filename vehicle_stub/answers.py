"""What a vehicle answers to commands, and answers again to a repetition. Pure, bounded."""

from __future__ import annotations

from typing import Final, NamedTuple

from protocols.topics import Stream
from protocols.vehicle import CommandResult, RefusalReason, ResultState
from vehicle_stub.outputs import Outputs, Publish

MAX_RESULTS: Final = 1_024
MAX_LATER: Final = 16
_UNAUTHENTICATED: Final = (
    RefusalReason.BAD_TAG,
    RefusalReason.MALFORMED,
    RefusalReason.UNKNOWN_TYPE,
    RefusalReason.RETAINED,
)


class Applied(NamedTuple):
    """Done, as far as the vehicle decides it."""


class Later(NamedTuple):
    """Obeyed, and answered once it stands."""


class Impossible(NamedTuple):
    """Understood and allowed, and not done; the reason in words."""

    text: str
    reason: RefusalReason = RefusalReason.NOT_POSSIBLE_NOW


Answer = Applied | Later | Impossible
"""What comes of every accepted command: there is no fourth way."""


class Answers:
    """The results of one session."""

    def __init__(self, session_id: str, outputs: Outputs) -> None:
        self._session_id = session_id
        self._outputs = outputs
        self._results: dict[str, list[CommandResult]] = {}
        self._later: list[str] = []

    def say(
        self,
        command_id: str,
        state: ResultState,
        now_ns: int,
        reason: RefusalReason = RefusalReason.NONE,
        text: str = "",
    ) -> None:
        """Answer one step of one command."""
        result = CommandResult(self._session_id, command_id, state, now_ns, reason, text[:500])
        # A refusal is remembered only for an id the checker remembers too, and a stranger's
        # refused forgery must not stand before the answer to the real command.
        if reason not in _UNAUTHENTICATED:
            self._results.setdefault(command_id, []).append(result)
            while len(self._results) > MAX_RESULTS:
                self._results.pop(next(iter(self._results)))
        self._outputs.put(Publish(Stream.CMD_RESULT, result))

    def say_later(self, command_id: str, now_ns: int) -> None:
        """It will be applied once the vehicle stands; the oldest of too many is answered now."""
        if len(self._later) >= MAX_LATER:
            self.say(self._later.pop(0), ResultState.APPLIED, now_ns)
        self._later.append(command_id)

    def stands(self, now_ns: int) -> None:
        """Answer what waited for that."""
        for command_id in self._later:
            self.say(command_id, ResultState.APPLIED, now_ns)
        self._later.clear()

    def again(self, command_id: str) -> None:
        """Answer a repetition as before."""
        for result in self._results.get(command_id, []):
            self._outputs.put(Publish(Stream.CMD_RESULT, result))
