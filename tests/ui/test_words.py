"""Every word that hub and vehicle may say has a text in the console, in both languages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import get_args

from protocols.commands import Body, RefusalReason
from protocols.operator import CommandState
from protocols.supervision import LimitSource
from protocols.vehicle import MrmBehaviour, OperationMode
from support.node import node

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "supervisor" / "core"
ENDED = re.search(
    r"ended: Why control last ended: (.*?); empty",
    (ROOT / "protocols" / "authority.py").read_text(),
    re.DOTALL,
)


def labels() -> set[str]:
    program = "import('./ui/core/labels.js').then(m => console.log(JSON.stringify(m.LABELS)))"
    done = subprocess.run([node(), "-e", program], cwd=ROOT, capture_output=True, check=True)
    return set(json.loads(done.stdout))


def words() -> set[str]:
    assert ENDED is not None
    found = {f"ended.{word}" for word in re.findall(r"`(\w+)`", ENDED[1])}
    found |= {f"refusal.{reason.value}" for reason in RefusalReason if reason}
    found |= {f"command.{body.__struct_config__.tag}" for body in get_args(Body)}
    shown = {CommandState.SENT, CommandState.RECEIVED, CommandState.APPLIED}
    found |= {f"command.{state.value}" for state in CommandState if state not in shown}
    found |= {f"command.step_{state.value}" for state in shown}
    found |= {f"limit.by.{source.value}" for source in LimitSource}
    found |= {f"mode.{mode.value}" for mode in OperationMode}
    found |= {f"behaviour.{behaviour.value}" for behaviour in MrmBehaviour}
    for path in CORE.glob("*.py"):
        for reason in re.findall(r'Objection\(\s*"([a-z_]+)"', path.read_text()):
            found.add(f"refusal.{reason}")
    return found


def test_every_word_has_a_text_in_both_languages() -> None:
    assert sorted(words() - labels()) == []
