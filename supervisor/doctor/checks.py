"""The list of checks, and how they are run: side by side, each with a limit of time.

Each has a thread of its own that nobody waits for beyond its limit: a disk that never
answers holds its thread in the kernel, and must not hold the report.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from supervisor import clock
from supervisor.doctor import machine, network, servers, storage, tls
from supervisor.doctor.finding import CONFIG_REFUSED, Finding, Result, Subject
from supervisor.doctor.rows import ROWS

LIMIT_S: Final = 8.0
"""Of a check, unless it has its own; together with the start it stays below 15 s."""


class Check(msgspec.Struct, frozen=True):
    """One check.

    Attributes:
        name: As `--only` takes it.
        run: Examines and returns at least one finding.
        essential: Without it nobody can say that the hub will work.
        needs_config: It cannot run without a configuration.
        limit_s: After this it counts as not checked.
    """

    name: str
    run: Callable[[Subject], list[Finding]]
    essential: bool = False
    needs_config: bool = True
    limit_s: float = LIMIT_S


def check_config(subject: Subject) -> list[Finding]:
    """Tell how loading the configuration went."""
    if subject.config is None:
        fill = {"reason": subject.config_error}
        return [Finding(CONFIG_REFUSED, subject.config_file, fill=fill)]
    vehicles = len(subject.config.vehicle)
    code = "config.loads" if vehicles else "config.no_vehicles"
    return [Finding(code, subject.config_file, vehicles)]


CHECKS: Final = (
    Check("config", check_config, essential=True, needs_config=False),
    Check("ports", network.check_ports, essential=True),
    Check("udp", network.check_udp, essential=True),
    Check("batches", network.check_batches, needs_config=False),
    Check("buffers", network.check_buffers, needs_config=False),
    Check("candidates", network.check_candidates, essential=True),
    Check("stun", servers.check_stun, needs_config=False),
    Check("clock", machine.check_clock, needs_config=False),
    Check("certificate", tls.check_certificate, essential=True),
    Check("state", storage.check_state, essential=True),
    Check("disk", storage.check_disk, essential=True),
    Check("fsync", storage.check_fsync, essential=True),
    Check("broker", servers.check_broker, essential=True),
    Check("files", machine.check_files),
    Check("processors", machine.check_processors, needs_config=False),
    Check("browser", machine.check_browser, needs_config=False),
)
"""In the order of the report."""


def run(subject: Subject, wanted: Sequence[Check] = CHECKS) -> list[Result]:
    """Run checks and return what they found, in their order.

    Raises:
        Exception: Whatever a check raised that is no refusal of the system: a fault of it.
    """
    begun_ns = clock.monotonic_ns()
    answers = [_begin(check, subject) for check in wanted]
    results = []
    for check, answer in zip(wanted, answers, strict=True):
        left_s = check.limit_s - (clock.monotonic_ns() - begun_ns) / 1e9
        for finding in _take(check, answer, left_s):
            level = ROWS[finding.code].level
            results.append(Result(check.name, check.essential, level, finding))
    return results


_Answer = queue.SimpleQueue[list[Finding] | BaseException]


def _begin(check: Check, subject: Subject) -> _Answer:
    answer: _Answer = queue.SimpleQueue()
    if check.needs_config and subject.config is None:
        answer.put([Finding("check.needs_config")])
        return answer

    def examine() -> None:
        try:
            answer.put(check.run(subject))
        except BaseException as error:  # noqa: BLE001 - carried to `_take`, which raises it
            answer.put(error)

    threading.Thread(target=examine, name=f"check of {check.name}", daemon=True).start()
    return answer


def _take(check: Check, answer: _Answer, left_s: float) -> list[Finding]:
    try:
        found = answer.get(timeout=max(0.0, left_s))
    except queue.Empty:
        return [Finding("check.timeout", value=check.limit_s, unit="s")]
    if isinstance(found, OSError):
        reason = found.strerror or str(found) or type(found).__name__
        return [Finding("check.denied", fill={"reason": reason})]
    if isinstance(found, BaseException):
        raise found
    return found
