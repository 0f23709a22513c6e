"""Who may do what: the role × operation table, sessions and sign-in limits.

The table is written out, one row a role, because rights do not nest: a maintainer
may stop a machine that he repairs, and may not send one on its way. Every HTTP route
and every console message type has an entry below, or a test fails; a request without
an entry is refused.

Stopping is the safe direction: everyone who works with the machines may do it. It is
not open to accounts that only look, because a sudden stop is not harmless either.
"""

from __future__ import annotations

import asyncio
import collections
import enum
import hashlib
import secrets
from collections.abc import Callable
from typing import Final, get_args

import msgspec
from starlette.requests import HTTPConnection

from protocols import alarms, authority, duties, handover
from protocols import operator as messages
from protocols.operator import Role
from supervisor import clock
from supervisor.console.credentials import Account, Credentials
from supervisor.core.events import Operator
from supervisor.counters import Counters

SECURE_COOKIE: Final = "__Host-enkan"
"""Over https. The prefix makes browsers insist on Secure, Path=/ and no Domain."""

PLAIN_COOKIE: Final = "enkan"
"""Over http on loopback, where browsers would refuse the prefix."""


class Operation(enum.Enum):
    """What one request or message does."""

    WATCH = "watch"
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    ALARM_SERVICE = "alarm service"
    STOP = "stop"
    LIMIT = "limit"
    CONTROL = "control"
    PREEMPT = "preempt"
    TALK = "talk"
    DUTY = "duty"
    HANDOVER = "handover"
    REHEARSE = "rehearse"
    EQUIPMENT = "equipment"


class Rule(enum.Enum):
    """Who may call a route that is not an operation on vehicles."""

    PUBLIC = "public"  # health, the sign-in page and what it needs
    SELF = "self"  # the route checks a vehicle token or a session by itself


MATRIX: Final[dict[Role, frozenset[Operation]]] = {
    Role.VIEWER: frozenset({Operation.WATCH}),
    Role.OPERATOR: frozenset(
        {
            *(Operation.WATCH, Operation.ACKNOWLEDGE, Operation.STOP, Operation.LIMIT),
            *(Operation.CONTROL, Operation.TALK, Operation.DUTY),
            *(Operation.SHELVE, Operation.HANDOVER, Operation.REHEARSE, Operation.EQUIPMENT),
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            *(Operation.WATCH, Operation.ACKNOWLEDGE, Operation.STOP, Operation.LIMIT),
            *(Operation.CONTROL, Operation.PREEMPT, Operation.TALK, Operation.DUTY),
            *(Operation.SHELVE, Operation.ALARM_SERVICE, Operation.HANDOVER),
            *(Operation.REHEARSE, Operation.EQUIPMENT),
        }
    ),
    Role.MAINTAINER: frozenset(
        {
            *(Operation.WATCH, Operation.ACKNOWLEDGE, Operation.STOP),
            *(Operation.ALARM_SERVICE, Operation.EQUIPMENT),
        }
    ),
    Role.ADMIN: frozenset(
        {Operation.WATCH, Operation.ACKNOWLEDGE, Operation.STOP, Operation.EQUIPMENT}
    ),
    Role.AUDITOR: frozenset({Operation.WATCH, Operation.EQUIPMENT}),
}

MESSAGES: Final[dict[type[msgspec.Struct], Operation]] = {
    messages.ClockPing: Operation.WATCH,
    messages.PresentationReport: Operation.WATCH,
    authority.SeatReport: Operation.WATCH,
    alarms.AcknowledgeAlarm: Operation.ACKNOWLEDGE,
    alarms.ShelveAlarm: Operation.SHELVE,
    alarms.UnshelveAlarm: Operation.SHELVE,
    alarms.SetAlarmService: Operation.ALARM_SERVICE,
    messages.AskStop: Operation.STOP,
    messages.AskLimit: Operation.LIMIT,
    messages.AskResume: Operation.CONTROL,
    messages.AskCommand: Operation.CONTROL,
    authority.AskControl: Operation.CONTROL,
    authority.AcceptControl: Operation.CONTROL,
    authority.GiveBackControl: Operation.CONTROL,
    authority.DriveRelay: Operation.CONTROL,
    duties.StartDuty: Operation.DUTY,
    duties.MarkDutyStep: Operation.DUTY,
    duties.AbandonDuty: Operation.DUTY,
    **dict.fromkeys(get_args(handover.HandoverAsk), Operation.HANDOVER),
}

ROUTES: Final[dict[tuple[str, str], Operation | Rule]] = {
    ("GET", "/healthz"): Rule.PUBLIC,
    ("GET", "/readyz"): Rule.PUBLIC,
    ("GET", "/api/info"): Rule.PUBLIC,
    ("GET", "/api/session"): Operation.WATCH,
    ("POST", "/api/session"): Rule.PUBLIC,
    ("POST", "/api/session/proof"): Operation.WATCH,
    ("DELETE", "/api/session"): Operation.WATCH,
    ("GET", "/version"): Operation.WATCH,
    ("POST", "/api/vehicles/{site}/{vehicle}/stop"): Operation.STOP,
    ("POST", "/api/vehicles/{site}/{vehicle}/emergency-stop"): Operation.STOP,
    ("GET", "/api/fleet"): Operation.EQUIPMENT,
    ("GET", "/ws"): Operation.WATCH,
    ("GET", "/help/https"): Rule.PUBLIC,  # for whom nothing else works yet
    ("GET", "/help/https/{language}"): Rule.PUBLIC,
    ("GET", "/help/enkan-ca.crt"): Rule.PUBLIC,
    ("GET", "/runbooks/{language}/{key}"): Operation.WATCH,
    ("GET", "/basemaps/index.json"): Operation.WATCH,
    ("GET", "/basemaps/{name}.geojson"): Operation.WATCH,
    ("GET", "/{path:path}"): Rule.PUBLIC,  # the console's program, no data
}
"""(method, path as routed) -> who. HEAD counts as GET."""

REHEARSAL_ROUTES: Final[dict[tuple[str, str], Operation | Rule]] = {
    ("GET", "/api/rehearsal"): Operation.REHEARSE,
    ("POST", "/api/rehearsal/break"): Operation.REHEARSE,
    ("POST", "/api/rehearsal/mend"): Operation.REHEARSE,
}
"""Of a hub that `enkan demo` started, and of no other."""

SUPERVISOR_TALK_RANK: Final = 3
OPERATOR_TALK_RANK: Final = 1
"""See `supervisor.media.talk`."""

MEDIA_PREFIXES: Final = ("/whip/", "/whep/")
"""Routes of the media room: vehicles present a token there, consoles their session."""


def allowed(role: Role, operation: Operation) -> bool:
    """Return whether accounts of this role may do this."""
    return operation in MATRIX[role]


def talk_rank(operator: Operator | None) -> int:
    """Return how far somebody may talk to vehicles; 0: not at all."""
    if operator is None or not allowed(operator.role, Operation.TALK):
        return 0
    return SUPERVISOR_TALK_RANK if operator.role is Role.SUPERVISOR else OPERATOR_TALK_RANK


def may_stop(operator: Operator | None) -> bool:
    """Return whether somebody may stop vehicles."""
    return operator is not None and allowed(operator.role, Operation.STOP)


class SignedIn(msgspec.Struct, frozen=True):
    """A successful sign-in: the cookie's value, and who it stands for."""

    cookie: str
    operator: Operator


class SignInError(Exception):
    """No session was made.

    Attributes:
        reason: `wrong`, `too_many_tries`, `busy` or `full`.
        retry_after_s: When another try makes sense; 0 if now.
        on_record: It belongs into the audit: a password was tried, or tries have become too
            many; the same news again does not.
    """

    def __init__(self, reason: str, retry_after_s: int = 0, *, on_record: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.on_record = on_record


class _Session:
    __slots__ = ("last_seen_ns", "operator", "proved_ns", "started_ns")

    def __init__(self, operator: Operator, now_ns: int) -> None:
        self.operator = operator
        self.started_ns = self.proved_ns = now_ns
        self.last_seen_ns = now_ns


class Access:
    """Sessions of one hub, in memory: a restart signs everyone out.

    Args:
        credentials: Where the accounts are.
        counters: `console_sign_in` and `console_proof` by outcome, `console_session_ended` by
            reason.
        now_ns: Hub monotonic clock.
    """

    IDLE_NS: Final = 30 * 60 * 1_000_000_000
    ABSOLUTE_NS: Final = 12 * 3600 * 1_000_000_000
    MAX_SESSIONS: Final = 500
    MAX_SESSIONS_PER_ACCOUNT: Final = 10
    TRIES_PER_MINUTE: Final = 5
    TRIES_PER_MINUTE_ALL: Final = 60
    MAX_VERIFYING: Final = 8

    def __init__(
        self,
        credentials: Credentials,
        *,
        counters: Counters,
        now_ns: Callable[[], int] = clock.monotonic_ns,
    ) -> None:
        self._credentials = credentials
        self._counters = counters
        self._now_ns = now_ns
        self._sessions: dict[str, _Session] = {}
        self._limit = _TryLimit(self.TRIES_PER_MINUTE)
        self._limit_all = _TryLimit(self.TRIES_PER_MINUTE_ALL)
        self._told = _TryLimit(1)
        self._verifying = 0
        self._turn = asyncio.Semaphore(2)
        self._on_end: list[Callable[[str, str], None]] = []

    def on_end(self, callback: Callable[[str, str], None]) -> None:
        """Have `callback(session, reason)` called whenever a session ends: with the
        `Operator.session` and `signed_out`, `idle`, `expired`, `revoked`, `replaced`."""
        self._on_end.append(callback)

    # ---------------------------------------------------------------- sign-in

    async def sign_in(self, name: str, password: str) -> SignedIn:
        """Check a password and begin a session.

        At most five tries a minute for one account that did not succeed, and sixty
        for all accounts together. The tries are counted before they are checked, so
        that parallel ones count.

        Raises:
            SignInError: With the reason to show.
        """
        try:
            account = await self._check(name, password)
            return self._begin(account.name, account.role)
        except SignInError as error:
            self._counters.add("console_sign_in", error.reason)
            raise

    async def prove(self, cookie: str | None, password: str) -> None:
        """Take the password of a session once more; it then lasts its whole time again.

        Tries are limited together with those of signing in.

        Raises:
            SignInError: As when signing in; the session goes on as before.
        """
        session = self._sessions.get(_key(cookie or ""))
        try:
            if session is None:
                raise SignInError("wrong")
            await self._check(session.operator.account, password)
        except SignInError as error:
            self._counters.add("console_proof", error.reason)
            raise
        session.started_ns = session.proved_ns = self._now_ns()
        self._counters.add("console_proof", "ok")

    async def _check(self, name: str, password: str) -> Account:
        now_ns = self._now_ns()
        wait_s = max(self._limit.wait_s(name, now_ns), self._limit_all.wait_s("", now_ns))
        if wait_s:
            is_news = not self._told.wait_s(name, now_ns)
            self._told.add(name, now_ns)
            raise SignInError("too_many_tries", wait_s, on_record=is_news)
        if self._verifying >= self.MAX_VERIFYING:
            raise SignInError("busy", 1)
        self._limit.add(name, now_ns)
        self._limit_all.add("", now_ns)
        self._verifying += 1
        try:
            async with self._turn:  # 64 MiB each: two at a time
                account = await self._credentials.verify(name, password)
        finally:
            self._verifying -= 1
        if account is None:
            raise SignInError("wrong", on_record=True)
        self._limit.forgive(name, now_ns)
        self._limit_all.forgive("", now_ns)
        return account

    def _begin(self, account: str, role: Role) -> SignedIn:
        self.sweep()
        mine = [key for key, s in self._sessions.items() if s.operator.account == account]
        if len(mine) >= self.MAX_SESSIONS_PER_ACCOUNT:
            oldest = min(mine, key=lambda key: self._sessions[key].last_seen_ns)
            self._end(oldest, "replaced")
        if len(self._sessions) >= self.MAX_SESSIONS:
            raise SignInError("full", 60)
        cookie = secrets.token_urlsafe(32)
        key = _key(cookie)
        # The public name of a session appears in records; it must not lead back to
        # the cookie, and is not the key under which it is found.
        operator = Operator(hashlib.sha256(key.encode()).hexdigest()[:16], account, role)
        self._sessions[key] = _Session(operator, self._now_ns())
        self._counters.add("console_sign_in", "ok")
        return SignedIn(cookie, operator)

    # --------------------------------------------------------------- sessions

    def operator(self, cookie: str | None) -> Operator | None:
        """Return who a cookie stands for, and count it as activity; None if nobody."""
        if not cookie or len(cookie) > 128:
            return None
        key = _key(cookie)
        session = self._sessions.get(key)
        if session is None or self._ended(key, session):
            return None
        session.last_seen_ns = self._now_ns()
        return session.operator

    async def account_of(self, request: HTTPConnection) -> Operator | None:
        """Return who sent this request, by its cookie; None if nobody signed in."""
        return self.operator(cookie_of(request))

    def who(self, session: str) -> Operator | None:
        """Return who an `Operator.session` stands for; None if it has ended."""
        entry = self._entry(session)
        return None if entry is None else entry.operator

    def is_proved(self, session: str, within_ns: int) -> bool:
        """Return whether the password of a session was given within this time."""
        entry = self._entry(session)
        return entry is not None and self._now_ns() - entry.proved_ns < within_ns

    def times(self, session: str) -> tuple[int, int]:
        """Return when a session ends and when its password was last given; (0, 0) for one
        that is over."""
        entry = self._entry(session)
        return (0, 0) if entry is None else (entry.started_ns + self.ABSOLUTE_NS, entry.proved_ns)

    def _entry(self, session: str) -> _Session | None:
        for entry in self._sessions.values():
            if entry.operator.session == session:
                return entry
        return None

    def sign_out(self, cookie: str | None) -> None:
        """End the session of a cookie, if there is one."""
        if cookie:
            self._end(_key(cookie), "signed_out")

    def revoke_account(self, name: str) -> None:
        """End all sessions of an account, for example when it is removed."""
        for key, session in list(self._sessions.items()):
            if session.operator.account == name:
                self._end(key, "revoked")

    def sweep(self) -> None:
        """End sessions whose time is over. Call at least once a second."""
        for key, session in list(self._sessions.items()):
            self._ended(key, session)

    def _ended(self, key: str, session: _Session) -> bool:
        now_ns = self._now_ns()
        if now_ns - session.started_ns >= self.ABSOLUTE_NS:
            self._end(key, "expired")
        elif now_ns - session.last_seen_ns >= self.IDLE_NS:
            self._end(key, "idle")
        else:
            return False
        return True

    def _end(self, key: str, reason: str) -> None:
        session = self._sessions.pop(key, None)
        if session is not None:
            self._counters.add("console_session_ended", reason)
            for callback in self._on_end:
                callback(session.operator.session, reason)


def cookie_of(connection: HTTPConnection) -> str | None:
    """Return the session cookie of a request; the secure one wins."""
    cookies = connection.cookies
    return cookies.get(SECURE_COOKIE) or cookies.get(PLAIN_COOKIE)


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()


class _TryLimit:
    """Failed tries within the last minute, by name; at most 1000 names are kept,
    the longest unused is forgotten first."""

    WINDOW_NS: Final = 60_000_000_000
    MAX_NAMES: Final = 1_000

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._tries: collections.OrderedDict[str, collections.deque[int]] = (
            collections.OrderedDict()
        )

    def wait_s(self, name: str, now_ns: int) -> int:
        """Return whole seconds until another try is allowed, 0 if it is now."""
        tries = self._tries.get(name)
        if tries is None:
            return 0
        while tries and now_ns - tries[0] >= self.WINDOW_NS:
            tries.popleft()
        if len(tries) < self._per_minute:
            return 0
        return -(-(tries[0] + self.WINDOW_NS - now_ns) // 1_000_000_000)

    def add(self, name: str, now_ns: int) -> None:
        tries = self._tries.setdefault(name, collections.deque(maxlen=self._per_minute))
        tries.append(now_ns)
        self._tries.move_to_end(name)
        if len(self._tries) > self.MAX_NAMES:
            self._tries.popitem(last=False)

    def forgive(self, name: str, at_ns: int) -> None:
        """Take back the try that was counted at `at_ns`: it succeeded."""
        tries = self._tries.get(name)
        if tries is not None and at_ns in tries:
            tries.remove(at_ns)
