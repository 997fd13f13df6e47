"""Check every part from outside, and say what to do about each that is not well."""

import asyncio
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from runtime.local import checks
from runtime.local.data_dir import is_in_use
from runtime.local.database import database_at_hand
from runtime.local.failure import CannotStart
from runtime.local.stack import cluster
from runtime.settings import Settings

_LEAST_FREE_BYTES = 2 * 1024**3
_MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


@dataclass(frozen=True)
class Finding:
    """How one part is. A `warning` is a part that one can do without."""

    part: str
    state: Literal["ok", "warning", "failed"]
    message: str
    remedy: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether something needed does not work."""
        return self.state == "failed"

    def as_json(self) -> dict[str, Any]:
        """For scripts: part, state, message, remedy."""
        return asdict(self)

    def as_text(self) -> str:
        """One line, and the remedy in a second one."""
        line = f"{_MARKS[self.state]} {self.part:<17} {self.message}"
        return f"{line}\n{'':<20}→ {self.remedy}" if self.remedy else line


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; takes some seconds. Changes nothing but, for a moment, starts
    the embedded database if `up` does not run."""
    return list(_examine(settings))


def _examine(settings: Settings) -> Iterator[Finding]:
    running = is_in_use(settings)
    yield _data_directory(settings)
    yield _uvloop()
    yield from _database(settings)
    yield _redis(settings, running=running)
    yield from asyncio.run(_sandbox(settings, running=running))
    yield _upstream(settings)


def _data_directory(settings: Settings) -> Finding:
    directory = settings.data_dir
    existing = next(d for d in (directory, *directory.parents) if d.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(
            "data directory",
            "failed",
            f"{existing} is not writable.",
            "Make it writable, or set ASSISTANTS_DATA_DIR to another place.",
        )
    free = shutil.disk_usage(existing).free
    words = f"{directory}, {free / 1024**3:.1f} GB free"
    if free < _LEAST_FREE_BYTES:
        remedy = "Free some space: a full disk stops the database."
        return Finding("data directory", "warning", words, remedy)
    return Finding("data directory", "ok", words)


def _uvloop() -> Finding:
    if importlib.util.find_spec("uvloop") is not None:
        return Finding("uvloop", "ok", "installed")
    remedy = "Run `make up`, or install the packages of requirements.lock."
    return Finding("uvloop", "failed", "not installed; the API needs it", remedy)


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None and not cluster(settings).data_dir.exists():
        yield Finding("database", "ok", "embedded, made by the first `assistants up`")
        return
    try:
        with database_at_hand(settings, lambda words: None):
            reachable = _ask("database", lambda: checks.database(settings))
            yield reachable
            if reachable.state == "ok":
                yield _ask("pgvector", lambda: checks.pgvector(settings))
                yield _ask("tables", lambda: checks.tables(settings))
    except CannotStart as failure:
        yield Finding("database", "failed", str(failure))


def _redis(settings: Settings, *, running: bool) -> Finding:
    if settings.redis_url is None and not running:
        return _ask("redis", checks.embedded_redis)
    return _ask("redis", lambda: checks.redis(settings))


def _upstream(settings: Settings) -> Finding:
    if settings.openai_base_url is None:
        return Finding("upstream", "ok", "none set; the built-in model serves")
    return _ask("upstream", lambda: checks.upstream(settings))


async def _sandbox(settings: Settings, *, running: bool) -> list[Finding]:
    if settings.sandbox == "off":
        return [Finding("sandbox", "ok", "off (ASSISTANTS_SANDBOX)")]
    findings = []
    if settings.sandbox_url is None:
        findings = [
            await _try("docker", checks.docker()),
            await _try("sandbox image", checks.sandbox_image(settings)),
        ]
    if running or settings.sandbox_url is not None:
        findings.append(await _try("sandbox manager", checks.sandbox_manager(settings)))
    return findings


def _ask(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part, "ok", check())
    except checks.Unwell as trouble:
        return Finding(part, "failed", str(trouble), trouble.remedy)


async def _try(part: str, check: "checks.Check") -> Finding:
    try:
        return Finding(part, "ok", await check)
    except checks.Unwell as trouble:
        # Without a sandbox everything but code_interpreter works.
        return Finding(part, "warning", str(trouble), trouble.remedy)
