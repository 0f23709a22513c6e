"""Profiles the hub's media worker from outside, by the interpreter's own start-up hook.

A folder with a `sitecustomize` module is put on the path of the hub's processes; the
one that is the media worker runs under cProfile and writes what it found when it ends.
cProfile costs time by call: shares are a guide, and the figures of such a run are too
high.
"""

from __future__ import annotations

import os
import pstats
from pathlib import Path
from typing import Final

from loadtests.errors import BenchError

_HOOK: Final = """
import sys
if "supervisor.media.worker_process" in sys.orig_argv:
    import atexit, cProfile
    profile = cProfile.Profile()
    atexit.register(lambda: (profile.disable(), profile.dump_stats({output!r})))
    profile.enable()
"""


def environment(folder: Path, output: Path) -> dict[str, str]:
    """Return what to add to a hub's environment.

    Args:
        folder: Where the hook may be written.
        output: Where the worker writes its profile.
    """
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        _HOOK.format(output=str(output.resolve())), encoding="utf-8"
    )
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(part for part in (str(hook), before) if part)}


def most_expensive(output: Path, rows: int = 25) -> str:
    """Return the functions with the most time of their own, as a table.

    Raises:
        BenchError: The worker wrote no profile.
    """
    try:
        stats = pstats.Stats(str(output))
    except OSError as error:
        raise BenchError(f"the media worker wrote no profile to {output}") from error
    entries: list[tuple[float, float, int, str]] = []
    for (file, line, function), (_, calls, own, total, _) in stats.stats.items():  # type: ignore[attr-defined]
        if file.endswith("asyncio/runners.py"):
            continue  # the event loop's wait, which cProfile takes for work
        where = f"{Path(file).name}:{line} " if file != "~" else ""
        entries.append((own, total, calls, f"{where}{function}"))
    entries.sort(reverse=True)
    whole = sum(entry[0] for entry in entries)
    lines = ["own s  share  with callees s      calls  function"]
    lines.extend(
        f"{own:5.2f}  {own / whole:5.1%}  {total:14.2f}  {calls:9,}  {name}"
        for own, total, calls, name in entries[:rows]
    )
    return "\n".join(lines)
