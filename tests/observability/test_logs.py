"""Logs: one line an event, readable or JSON, never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from protocols.operator import Role
from protocols.topics import VehicleId
from supervisor.console.access import Access, SignInError
from supervisor.console.credentials import Credentials, CredentialsError
from supervisor.counters import Counters
from supervisor.observability import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    root, enkan = logging.getLogger(), logging.getLogger("enkan")
    before = root.handlers[:], root.level, enkan.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    enkan.setLevel(before[2])
    root.setLevel(before[1])


def test_a_person_gets_a_line_and_a_program_gets_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    logs.configure("auto", stream=terminal)
    logging.getLogger("enkan.hub").info("link of %s lost", "maebashi/bus-01")
    logs.configure("auto", stream=pipe)
    logging.getLogger("enkan.hub").info("link of %s lost", "maebashi/bus-01")
    assert terminal.getvalue().endswith(" INFO    enkan.hub  link of maebashi/bus-01 lost\n")
    entry = json.loads(pipe.getvalue())
    assert entry["message"] == "link of maebashi/bus-01 lost"
    assert entry["level"] == "info" and entry["logger"] == "enkan.hub"
    assert entry["at"].endswith("Z")


def test_the_configuration_overrules_the_terminal() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    logs.configure("json", stream=terminal)
    logging.getLogger("enkan").warning("x")
    logs.configure("text", stream=pipe)
    logging.getLogger("enkan").warning("x")
    assert json.loads(terminal.getvalue())["message"] == "x"
    assert pipe.getvalue().endswith("WARNING enkan  x\n")


@pytest.mark.parametrize("style", ["text", "json"])
def test_an_event_is_one_line_whatever_it_says(style: str) -> None:
    stream = io.StringIO()
    logs.configure(style, stream=stream)
    logging.getLogger("enkan").error("first\r\nsecond\x1b[31m")
    try:
        raise ValueError("bad\nthing")
    except ValueError as error:
        logging.getLogger("enkan").error("failed", exc_info=error)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in stream.getvalue()
    assert "ValueError" in lines[1] and "test_logs.py" in lines[1]


def test_a_terminal_shows_no_traceback_but_what_and_where() -> None:
    terminal = Terminal()
    logs.configure("text", stream=terminal)
    try:
        raise ValueError("bad thing")
    except ValueError as error:
        logging.getLogger("enkan").error("failed", exc_info=error)
    assert "Traceback" not in terminal.getvalue()
    assert "ValueError: bad thing (test_a_terminal" in terminal.getvalue()


def test_libraries_are_heard_from_warning_on() -> None:
    stream = io.StringIO()
    logs.configure("text", level=logging.INFO, stream=stream)
    logging.getLogger("aioice").info("chatter")
    logging.getLogger("aioice").warning("trouble")
    assert "chatter" not in stream.getvalue() and "trouble" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer CANARY-1234",
        "bearer CANARY-1234",
        '{"token": "CANARY-1234"}',
        "password=CANARY-1234 next",
        "Cookie: enkan=CANARY-1234",
        "__Host-enkan=CANARY-1234; Path=/",
        "mqtt://hub:CANARY-1234@broker:1883",
        "a=ice-pwd:CANARY-1234",
        "command_key='CANARY-1234'",
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str) -> None:
    assert "CANARY-1234" not in logs.redact(text)


@pytest.mark.parametrize(
    "text", ["console of aoki closed: gone", "token refused for maebashi/bus-01", "3 tokens left"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert logs.redact(text) == text


@given(st.text())
def test_redacting_never_fails(text: str) -> None:
    assert isinstance(logs.redact(text), str)


async def test_no_secret_reaches_a_log_an_error_or_a_representation(tmp_path: Path) -> None:
    stream = io.StringIO()
    logs.configure("json", level=logging.DEBUG, stream=stream)
    logging.getLogger().setLevel(logging.DEBUG)
    password = "CANARY-password-1"
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    path = tmp_path / "credentials.json"
    credentials = Credentials.create(path, hasher=hasher)
    credentials.add_account("aoki", Role.OPERATOR, password)
    secret = credentials.add_vehicle(VehicleId("maebashi", "bus-01"))
    credentials.save()
    access = Access(credentials, counters=Counters())
    signed_in = await access.sign_in("aoki", password)
    seen = [repr(secret), repr(credentials.account("aoki")), repr(signed_in.operator)]
    with pytest.raises(SignInError) as wrong:
        await access.sign_in("aoki", password + "x")
    seen.append(str(wrong.value))
    for broken in (
        path.read_bytes().replace(b'"version": 1', b'"version": "x"'),
        path.read_bytes()[:-10],
    ):
        path.write_bytes(broken)
        with pytest.raises(CredentialsError) as refused:
            Credentials.load(path)
        seen.append(str(refused.value))
    logging.getLogger("enkan").info(" ".join(seen))
    everything = stream.getvalue() + " ".join(seen)
    for canary in (password, secret.token, secret.command_key.hex(), signed_in.cookie):
        assert canary not in everything
