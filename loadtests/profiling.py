"""Profiles the hub or its media worker from outside, by the interpreter's start-up hook.

A folder with a `sitecustomize` module is put on the path of the hub's processes. The
one that moves packets is looked at `EVERY_S` of its own processor time (setitimer(2),
`ITIMER_PROF`): which function runs, and who called it. That costs about one per cent
and does not favour functions that call little, as a tracing profiler does; what the
kernel and C libraries do counts for the Python function that called them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from loadtests.errors import BenchError

EVERY_S: Final = 0.001

_HOOK: Final = """
import sys
if any(word.startswith(%(word)r) for word in sys.orig_argv):
    import atexit, json, os, signal

    own, within, lines = {}, {}, {}

    def look(signum, frame):
        names, first = [], frame
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith("<frozen importlib"):
                return  # loading modules says nothing of packets
            names.append(f"{os.path.basename(code.co_filename)} {code.co_qualname}")
            frame = frame.f_back
        own[names[0]] = own.get(names[0], 0) + 1
        for name in set(names):
            within[name] = within.get(name, 0) + 1
        line = f"{names[0]}:{first.f_lineno}"
        lines[line] = lines.get(line, 0) + 1

    def write():
        signal.setitimer(signal.ITIMER_PROF, 0)
        if sum(own.values()) < 100:
            return  # a spare worker, which has nothing to do
        with open(%(output)r, "w", encoding="utf-8") as file:
            json.dump({"own": own, "within": within, "lines": lines}, file)

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, %(every)r, %(every)r)
    atexit.register(write)
"""


class Profile(msgspec.Struct, frozen=True):
    """How often the worker was seen where.

    Attributes:
        own: In a function itself, or in C code that it called.
        within: In a function or in anything it called.
        lines: At a line.
    """

    own: dict[str, int]
    within: dict[str, int]
    lines: dict[str, int]


def environment(
    folder: Path, output: Path, word: str = "supervisor.media.worker"
) -> dict[str, str]:
    """Return what to add to a hub's environment.

    Args:
        folder: Where the hook may be written.
        output: Where the process writes its profile, as JSON.
        word: How a word of its command line begins.
    """
    hook = folder / "hook"
    hook.mkdir()
    words = {"output": str(output.resolve()), "every": EVERY_S, "word": word}
    (hook / "sitecustomize.py").write_text(_HOOK % words, encoding="utf-8")
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(part for part in (str(hook), before) if part)}


def read(output: Path) -> Profile:
    """Return what the worker wrote.

    Raises:
        BenchError: It wrote nothing, or something else.
    """
    try:
        return msgspec.json.decode(output.read_bytes(), type=Profile)
    except (OSError, msgspec.DecodeError) as error:
        raise BenchError(f"the process wrote no profile to {output}") from error


def most_expensive(output: Path, rows: int = 25) -> str:
    """Return the functions with the most time of their own, as a table."""
    profile = read(output)
    whole = sum(profile.own.values())
    text = [f"{whole} looks at the process", "own     with callees  function"]
    ranked = sorted(profile.own.items(), key=lambda item: -item[1])[:rows]
    text.extend(
        f"{count / whole:6.1%}  {profile.within[name] / whole:12.1%}  {name}"
        for name, count in ranked
    )
    return "\n".join(text)
