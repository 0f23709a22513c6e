"""Write the files that the ops team's tools read, or check them (`--check`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from supervisor.observability.ops import dashboards, rules

DEPLOY: Final = Path(__file__).resolve().parents[3] / "deploy"


def written() -> dict[Path, str]:
    """Return what should be in which file."""
    found = {DEPLOY / "prometheus" / name: text for name, text in rules.files().items()}
    return found | {DEPLOY / "grafana" / name: text for name, text in dashboards.files().items()}


def differing() -> list[Path]:
    """Return the files that are not what the code says."""
    return [
        path
        for path, text in written().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write what differs; with `--check` only name it, and return 1 if there is anything."""
    if arguments not in ([], ["--check"]):
        sys.stdout.write("usage: python -m supervisor.observability.ops [--check]\n")
        return 2
    texts, found = written(), differing()
    for path in found:
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path], encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(DEPLOY.parent)}\n")
    return 1 if arguments and found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
