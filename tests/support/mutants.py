"""Changes to one module, one place at a time, and whether its tests notice.

The changes are made in the syntax tree, so a module need not be written for it. What is
for people (docstrings, words in refusals) and for type checkers is left alone.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).resolve().parents[1]
LONGEST_S = 60
"""One change may take so long; a loop that never ends counts as noticed."""

GUARDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "checker": ("vehicle_stub.checker", ("vehicle_stub/test_command_checker.py",)),
    "drive_frames": (
        "vehicle_stub.drive_frames",
        ("vehicle_stub/test_drive_frames.py",),
    ),
    "deadman": (
        "vehicle_stub.deadman",
        ("vehicle_stub/test_drive_frames.py",),
    ),
    "control": (
        "vehicle_stub.control",
        ("vehicle_stub/test_drive_frames.py",),
    ),
}
"""Short name: the module, and the tests that guard it."""


class Change(NamedTuple):
    """One change: the `number`-th that its kind can make in the module."""

    line: int
    what: str
    number: int


@dataclass
class Result:
    """What the tests of one module noticed."""

    module: str
    changes: int
    decisions: int
    survived: list[Change] = field(default_factory=list)
    one_sided: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def score(self) -> float:
        """Per cent of the changes that were noticed."""
        return 100.0 * (self.changes - len(self.survived)) / max(1, self.changes)

    def figures(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "changes": self.changes,
            "score": self.score,
            "decisions": self.decisions,
            "one_sided": self.one_sided,
            "survived": [change._asdict() for change in self.survived],
        }


# -------------------------------------------------------------------------- changes

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}
_OTHER = {"min": "max", "max": "min"}

Replace = Callable[[ast.AST], ast.AST]


def _variants(node: ast.AST) -> Iterator[tuple[str, Replace]]:
    """Every way in which this node can be changed."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            for other in _COMPARED[type(op)]:
                yield f"{type(op).__name__} → {other.__name__}", _with_operator(other)
        case ast.BoolOp(op=ast.And()):
            yield "and → or", lambda n: ast.BoolOp(ast.Or(), n.values)  # type: ignore[attr-defined]
        case ast.BoolOp(op=ast.Or()):
            yield "or → and", lambda n: ast.BoolOp(ast.And(), n.values)  # type: ignore[attr-defined]
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", lambda n: n.operand  # type: ignore[attr-defined]
        case ast.BinOp(op=op) if type(op) in _COMPUTED:
            other = _COMPUTED[type(op)]
            yield f"{type(op).__name__} → {other.__name__}", _with_computed(other)
        case ast.Constant(value=bool() as value):
            yield f"{value} → {not value}", lambda n: ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"{value} → {value + 1}", lambda n: ast.Constant(value + 1)
            if value:
                yield f"{value} → {value - 1}", lambda n: ast.Constant(value - 1)
        case ast.Constant(value=str() as value) if value.replace("_", "").isalpha():
            yield f"{value!r} → 'other'", lambda n: ast.Constant("other")
        case ast.Attribute(value=ast.Name(id="RefusalReason" | "Why" | "Step" as name)):
            yield f"{name}.{node.attr} → another", _with_reason(name)
        case ast.Name(id="min" | "max" as name):
            yield f"{name} → {_OTHER[name]}", lambda n: ast.Name(_OTHER[name], ast.Load())
        case ast.If() | ast.IfExp():
            for always in (True, False):
                yield f"if → if {always}", _with_test(always)
        case ast.Tuple(elts=elements) if _all_guards(elements):
            for number, element in enumerate(elements):
                yield f"{ast.unparse(element)} left out", _without(number)
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Attribute()]) | ast.AugAssign():
            yield f"left out: {ast.unparse(node)[:60]}", lambda n: ast.Pass()
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield (
                f"return {ast.unparse(value)[:50]} → None",
                lambda n: ast.Return(ast.Constant(None)),
            )


def _with_operator(other: type[ast.cmpop]) -> Replace:
    return lambda n: ast.Compare(n.left, [other()], n.comparators)  # type: ignore[attr-defined]


def _with_computed(other: type[ast.operator]) -> Replace:
    return lambda n: ast.BinOp(n.left, other(), n.right)  # type: ignore[attr-defined]


def _with_reason(name: str) -> Replace:
    """Another member of the same enumeration, whichever comes next."""
    code = "list({0})[(list({0}).index({0}.{1}) + 1) % len({0})]"
    return lambda n: ast.parse(code.format(name, n.attr), mode="eval").body  # type: ignore[attr-defined]


def _with_test(always: bool) -> Replace:
    def replace(node: ast.AST) -> ast.AST:
        changed = copy.copy(node)
        changed.test = ast.Constant(always)  # type: ignore[attr-defined]
        return changed

    return replace


def _without(number: int) -> Replace:
    def replace(node: ast.AST) -> ast.AST:
        kept = [e for place, e in enumerate(node.elts) if place != number]  # type: ignore[attr-defined]
        return ast.Tuple(kept, ast.Load())

    return replace


def _all_guards(elements: list[ast.expr]) -> bool:
    return bool(elements) and all(
        isinstance(element, ast.Name) and element.id.startswith("guard_") for element in elements
    )


class _Changer(ast.NodeTransformer):
    """Visits in a fixed order; makes the `wanted`-th change, or only lists them."""

    def __init__(self, wanted: int | None) -> None:
        self.found: list[Change] = []
        self._wanted = wanted
        self._line = 0

    def visit(self, node: ast.AST) -> Any:
        self._line = getattr(node, "lineno", self._line)
        line = self._line
        if _is_for_people(node):
            return node
        chosen = node
        for what, replace in _variants(node):
            if len(self.found) == self._wanted:
                chosen = ast.copy_location(replace(copy.deepcopy(node)), node)
            self.found.append(Change(line, what, len(self.found)))
        visited = super().generic_visit(node) if chosen is node else chosen
        if chosen is not node:
            super().generic_visit(node)  # the numbers of what comes after stay the same
        return visited


def _is_for_people(node: ast.AST) -> bool:
    """Docstrings, annotations, formatted words, imports, declarations of fields."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.arg():
            return True
        case ast.AnnAssign(value=None):
            return True
    return False


def _source(module: str) -> tuple[str, ast.Module]:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    return spec.origin, ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def changes(name: str) -> list[Change]:
    """Return every change that can be made to one guarded module."""
    changer = _Changer(None)
    changer.visit(_source(GUARDED[name][0])[1])
    return changer.found


def some(found: list[Change], count: int | None, seed: int) -> list[Change]:
    """Return that many of them, always the same for the same seed; None: all."""
    if count is None or count >= len(found):
        return found
    return sorted(random.Random(seed).sample(found, count), key=lambda change: change.number)


# -------------------------------------------------------------------------- running


class _Watcher(ast.NodeTransformer):
    """Wraps every decision, so that its outcomes are noted."""

    def __init__(self) -> None:
        self.decisions: dict[int, str] = {}

    def _watched(self, test: ast.expr) -> ast.expr:
        number = len(self.decisions)
        self.decisions[number] = f"line {test.lineno}: {ast.unparse(test)[:70]}"
        call = ast.Call(ast.Name("_decided", ast.Load()), [ast.Constant(number), test], [])
        return ast.copy_location(call, test)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        match node:
            case ast.If() | ast.IfExp() | ast.While():
                node.test = self._watched(node.test)
            case ast.BoolOp():
                node.values = [
                    value if isinstance(value, ast.Constant) else self._watched(value)
                    for value in node.values
                ]
            case ast.comprehension():
                node.ifs = [self._watched(test) for test in node.ifs]
        return node


def _load(module: str, origin: str, tree: ast.Module, extra: dict[str, Any]) -> None:
    """Put the changed module in place of the real one, which nothing has imported yet."""
    if module in sys.modules:
        raise RuntimeError(f"{module} is loaded already")
    importlib.import_module(module.rpartition(".")[0])
    spec = importlib.util.find_spec(module)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    made.__dict__.update(extra)
    sys.modules[module] = made
    exec(compile(ast.fix_missing_locations(tree), origin, "exec"), made.__dict__)


def _tests(name: str) -> int:
    import pytest

    files = [str(TESTS / file) for file in GUARDED[name][1]]
    plain = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain"]
    return int(pytest.main([*plain, *files]))


def _in_child(work: Callable[[], int]) -> int:
    """Fork; return the child's id. What it prints goes nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        signal.alarm(LONGEST_S)
        code = work()
    except BaseException:  # noqa: BLE001 - a module that cannot be loaded is noticed
        traceback.print_exc()
        code = 71
    finally:
        os._exit(code)


def _changed(name: str, number: int) -> int:
    module = GUARDED[name][0]
    origin, tree = _source(module)
    changer = _Changer(number)
    _load(module, origin, changer.visit(tree), {})
    return _tests(name)


def _watch(name: str, report: Path) -> int:
    module = GUARDED[name][0]
    origin, tree = _source(module)
    watcher = _Watcher()
    watched = watcher.visit(tree)
    seen: dict[int, set[bool]] = {number: set() for number in watcher.decisions}

    def decided(number: int, value: Any) -> Any:
        seen[number].add(bool(value))
        return value

    _load(module, origin, watched, {"_decided": decided})
    code = _tests(name)
    one_sided = [
        f"{watcher.decisions[number]}: never {'false' if True in outcomes else 'true'}"
        for number, outcomes in seen.items()
        if len(outcomes) < 2
    ]
    report.write_text(json.dumps({"decisions": len(seen), "one_sided": one_sided}))
    return code


def run(name: str, chosen: list[Change], jobs: int) -> Result:
    """Watch the decisions of one module, then make each change and run its tests.

    Raises:
        RuntimeError: The tests fail without any change.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="enkan-mutants-") as folder:
        report = Path(folder) / "decisions.json"
        _, status = os.waitpid(_in_child(lambda: _watch(name, report)), 0)
        if status != 0 or not report.exists():
            raise RuntimeError(f"the tests of {name} fail without any change")
        decisions = json.loads(report.read_text())
    result = Result(name, len(chosen), decisions["decisions"], one_sided=decisions["one_sided"])
    running: dict[int, Change] = {}
    waiting = list(chosen)
    while waiting or running:
        while waiting and len(running) < max(1, jobs):
            change = waiting.pop(0)
            running[_in_child(lambda number=change.number: _changed(name, number))] = change
        child, status = os.wait()
        change = running.pop(child, None)
        if change is not None and status == 0:
            result.survived.append(change)
    result.took_s = time.monotonic() - began
    return result


with contextlib.suppress(ImportError):  # what every child would import again
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401

    import protocols.drive
    import protocols.tags
    import protocols.vehicle  # noqa: F401
