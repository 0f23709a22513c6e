"""Sessions, limits, and the role × operation table."""

from __future__ import annotations

import asyncio
import typing

import msgspec
import pytest

from protocols.operator import FromConsole, Role
from supervisor.console.access import (
    MATRIX,
    MESSAGES,
    Access,
    Operation,
    SignInError,
    allowed,
    talk_rank,
)
from supervisor.console.credentials import Credentials
from supervisor.core.events import Operator
from supervisor.counters import Counters

PASSWORD = "correct horse battery"
MINUTE = 60_000_000_000


class Clock:
    def __init__(self) -> None:
        self.ns = 5

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(credentials: Credentials, clock: Clock) -> Access:
    return Access(credentials, counters=Counters(), now_ns=clock)


async def refused(access: Access, name: str, password: str = "wrong password") -> SignInError:
    with pytest.raises(SignInError) as error:
        await access.sign_in(name, password)
    return error.value


# ---------------------------------------------------------------------- the table


def test_every_role_has_a_row_and_every_message_an_operation() -> None:
    assert set(MATRIX) == set(Role)
    assert set(MESSAGES) == set(typing.get_args(FromConsole))


@pytest.mark.parametrize(
    ("operation", "roles"),
    [
        (Operation.WATCH, set(Role)),
        (
            Operation.ACKNOWLEDGE,
            {Role.OPERATOR, Role.SUPERVISOR, Role.MAINTAINER, Role.ADMIN},
        ),
        (Operation.STOP, {Role.OPERATOR, Role.SUPERVISOR, Role.MAINTAINER, Role.ADMIN}),
        (Operation.LIMIT, {Role.OPERATOR, Role.SUPERVISOR}),
        (Operation.CONTROL, {Role.OPERATOR, Role.SUPERVISOR}),
        (Operation.PREEMPT, {Role.SUPERVISOR}),
        (Operation.TALK, {Role.OPERATOR, Role.SUPERVISOR}),
    ],
)
def test_who_may_do_what(operation: Operation, roles: set[Role]) -> None:
    assert {role for role in Role if allowed(role, operation)} == roles


def test_who_may_have_control_may_also_stop() -> None:
    for role in Role:
        assert allowed(role, Operation.STOP) or not allowed(role, Operation.CONTROL)


# ----------------------------------------------------------------------- sessions


async def test_a_session_is_found_by_its_cookie_only(access: Access) -> None:
    signed_in = await access.sign_in("aoki", PASSWORD)
    assert access.operator(signed_in.cookie) == signed_in.operator
    for cookie in (None, "", "x", signed_in.cookie[:-1], signed_in.operator.session, "x" * 5000):
        assert access.operator(cookie) is None
    assert len(signed_in.cookie) >= 43  # 256 bits


async def test_no_state_of_the_hub_holds_the_cookie(access: Access) -> None:
    signed_in = await access.sign_in("aoki", PASSWORD)
    assert signed_in.cookie not in msgspec.json.encode(list(access._sessions)).decode()


async def test_a_session_ends_after_half_an_hour_without_a_sign_of_life(
    access: Access, clock: Clock
) -> None:
    ended: list[tuple[str, str]] = []
    access.on_end(lambda session, reason: ended.append((session, reason)))
    signed_in = await access.sign_in("aoki", PASSWORD)
    clock.ns += 29 * MINUTE
    assert access.operator(signed_in.cookie) is not None
    clock.ns += 30 * MINUTE - 1
    access.sweep()
    assert not ended
    clock.ns += 1
    access.sweep()
    assert ended == [(signed_in.operator.session, "idle")]
    assert access.operator(signed_in.cookie) is None


async def test_a_busy_session_still_ends_after_twelve_hours(access: Access, clock: Clock) -> None:
    signed_in = await access.sign_in("aoki", PASSWORD)
    for _ in range(12 * 6 - 1):
        clock.ns += 10 * MINUTE
        assert access.operator(signed_in.cookie) is not None
    clock.ns += 10 * MINUTE
    assert access.operator(signed_in.cookie) is None


async def test_an_ended_session_is_refused_even_before_the_sweep(
    access: Access, clock: Clock
) -> None:
    signed_in = await access.sign_in("aoki", PASSWORD)
    clock.ns += 30 * MINUTE
    assert access.operator(signed_in.cookie) is None


async def test_sessions_of_one_account_are_bounded_and_the_oldest_gives_way(
    access: Access, clock: Clock
) -> None:
    made = []
    for _ in range(Access.MAX_SESSIONS_PER_ACCOUNT + 1):
        clock.ns += 1
        made.append(await access.sign_in("aoki", PASSWORD))
    assert access.operator(made[0].cookie) is None
    assert all(access.operator(other.cookie) is not None for other in made[1:])


async def test_all_sessions_are_bounded_and_nobody_is_thrown_out(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Access, "MAX_SESSIONS", 1)
    first = await access.sign_in("aoki", PASSWORD)
    assert (await refused(access, "viewer", PASSWORD)).reason == "full"
    assert access.operator(first.cookie) is not None


async def test_revoking_an_account_ends_all_of_its_sessions(access: Access) -> None:
    mine = [await access.sign_in("aoki", PASSWORD) for _ in range(2)]
    other = await access.sign_in("viewer", PASSWORD)
    access.revoke_account("aoki")
    assert [access.operator(s.cookie) for s in mine] == [None, None]
    assert access.operator(other.cookie) is not None


# ------------------------------------------------------------------------- limits


async def test_the_sixth_failure_within_a_minute_waits(access: Access, clock: Clock) -> None:
    for _ in range(5):
        assert (await refused(access, "aoki")).reason == "wrong"
        clock.ns += MINUTE // 60
    error = await refused(access, "aoki", PASSWORD)  # even with the right password
    assert error.reason == "too_many_tries"
    assert 0 < error.retry_after_s <= 60
    clock.ns += error.retry_after_s * 1_000_000_000
    await access.sign_in("aoki", PASSWORD)


async def test_tries_at_the_same_time_count_too(access: Access) -> None:
    results = await asyncio.gather(*(refused(access, "aoki") for _ in range(8)))
    assert sum(error.reason == "wrong" for error in results) == 5


async def test_successes_do_not_use_up_the_tries(access: Access) -> None:
    for _ in range(8):
        await access.sign_in("aoki", PASSWORD)


async def test_one_account_does_not_lock_another(access: Access) -> None:
    for _ in range(6):
        await refused(access, "aoki")
    await access.sign_in("viewer", PASSWORD)


async def test_unknown_names_are_limited_and_kept_in_bounds(access: Access, clock: Clock) -> None:
    for number in range(Access.TRIES_PER_MINUTE_ALL):
        assert (await refused(access, f"nobody-{number}")).reason == "wrong"
    assert (await refused(access, "aoki", PASSWORD)).reason == "too_many_tries"
    clock.ns += MINUTE
    await access.sign_in("aoki", PASSWORD)


async def test_only_so_many_passwords_are_checked_at_once(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Access, "MAX_VERIFYING", 2)
    results = await asyncio.gather(*(refused(access, f"nobody-{n}") for n in range(4)))
    assert sorted(error.reason for error in results) == ["busy", "busy", "wrong", "wrong"]


def test_a_supervisor_is_heard_before_an_operator_and_who_only_looks_is_not() -> None:
    ranks = {role: talk_rank(Operator("session", "name", role)) for role in Role}
    assert ranks[Role.SUPERVISOR] > ranks[Role.OPERATOR] > ranks[Role.VIEWER] == 0
    assert ranks[Role.AUDITOR] == ranks[Role.MAINTAINER] == talk_rank(None) == 0
