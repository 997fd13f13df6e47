"""Who may import whom, and the house's own rules that no linter knows."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "runtime"

# What leaves the process and takes its time. Attributes that these are reached by.
_AWAY = {"gateway", "sandbox", "bus", "storage"}


def test_every_package_imports_only_what_it_may() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [linter, "--no-cache"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_the_guest_knows_only_the_protocol_and_nobody_knows_the_guest() -> None:
    # Here and not in import-linter: the guest is no package that it could see.
    guest = ROOT / "sandbox" / "guest"
    outside = [*_modules(RUNTIME)] + [
        (path, tree)
        for path, tree in _modules(ROOT / "sandbox")
        if guest not in path.parents
    ]
    ours = {name for _, tree in _modules(guest) for name in _imports(tree, "sandbox")}

    assert {name for name in ours if not name.startswith("sandbox.guest")} <= {
        "sandbox.protocol"
    }
    assert not [
        name for _, tree in _modules(guest) for name in _imports(tree, "runtime")
    ]
    assert not [name for _, tree in outside for name in _imports(tree, "sandbox.guest")]
    protocol = ast.parse((ROOT / "sandbox" / "protocol.py").read_text())
    assert not [*_imports(protocol, "sandbox"), *_imports(protocol, "runtime")]


def _imports(tree: ast.Module, below: str) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name == below or name.startswith(f"{below}."):
                yield name


def test_only_the_lifecycle_writes_the_status_of_a_run() -> None:
    writers = {
        (path.relative_to(ROOT).as_posix(), line)
        for path, tree in _modules(RUNTIME)
        for line in _status_assignments(tree)
    }

    assert {path for path, _ in writers} == {"runtime/runs/lifecycle.py"}


def _status_assignments(tree: ast.Module) -> Iterator[int]:
    """Lines that set `.status` of what is called a run, or `status` of `runs` in SQL."""
    for node in ast.walk(tree):
        for target in _targets(node):
            if isinstance(target, ast.Attribute) and target.attr == "status":
                owner = ast.unparse(target.value)
                if owner == "run" or owner.endswith(".run"):
                    yield target.lineno
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "values"
            and any(keyword.arg == "status" for keyword in node.keywords)
            and "update(Run)" in ast.unparse(node.func)
        ):
            yield node.lineno


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [
            leaf
            for target in node.targets
            for leaf in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def test_only_the_transaction_commits() -> None:
    committers = {
        path.relative_to(ROOT).as_posix()
        for path, tree in _modules(RUNTIME)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }

    assert committers <= {"runtime/db/transaction.py"}


@pytest.mark.parametrize("room", ["engine", "ingest"])
def test_nothing_outside_is_awaited_within_a_transaction(room: str) -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{awaited.lineno} {ast.unparse(awaited)}"
        for path, tree in _modules(RUNTIME / room)
        for block in ast.walk(tree)
        if isinstance(block, ast.AsyncWith) and _opens_transaction(block)
        for awaited in _waits(block)
        if _AWAY & _names(awaited)
    ]

    assert offences == []


def _opens_transaction(block: ast.AsyncWith) -> bool:
    opened = [ast.unparse(item.context_expr) for item in block.items]
    return any(text.endswith(".transaction()") or ".shown(" in text for text in opened)


def _waits(block: ast.AsyncWith) -> Iterator[ast.expr]:
    for statement in block.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Await):
                yield node.value
            elif isinstance(node, ast.AsyncFor):
                yield node.iter
            elif isinstance(node, ast.AsyncWith):
                yield from (item.context_expr for item in node.items)


def _names(node: ast.AST) -> set[str]:
    """The parts of what is called: `self._engine.gateway.ask` → self, engine, …"""
    called = node.func if isinstance(node, ast.Call) else node
    return {part.lstrip("_") for part in ast.unparse(called).split(".")}


def _modules(below: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(below.rglob("*.py")):
        yield path, ast.parse(path.read_text(), filename=str(path))
