"""Installs other people's clients, as their lock files say, for the tests to drive.

    python -m tests.clients.install [NAME…]

Their packages contradict ours and one another's, so each has an environment of its own
below `.make/clients`, made on first use and anew when its lock file changes. Node.js
comes from a package too: the newest SDK wants a newer one than most machines have.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("node", "langchain", "semantic_kernel", "autogen")

_ROOT = HERE.parents[1]
_INSTALLED = _ROOT / ".make" / "clients"
_LOCKS = ("requirements.lock", "package.json", "package-lock.json")


def install(name: str) -> Path:
    """Have a client and everything it needs; the folder of its executables.

    Takes some 20 seconds the first time (all of them 40) and no time after that. Two
    processes may ask at once: one installs, the other waits.

    Raises:
        RuntimeError: a package could not be had; it says which and why.
    """
    environment = _INSTALLED / name
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(environment.with_suffix(".lock")):
        stamp = environment / ".stamp"
        if not stamp.exists() or stamp.read_text() != _fingerprint(name):
            print(f"Installing {name}, which tests/clients tries …", flush=True)
            shutil.rmtree(environment, ignore_errors=True)
            _install(name, environment)
            stamp.write_text(_fingerprint(name))
    return environment / "bin"


def install_all(names: Sequence[str]) -> None:
    """Have several clients, side by side: it is mostly waiting."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(install, names))


def _install(name: str, environment: Path) -> None:
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    _run(
        *(sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")),
        *("install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-compile", "--no-deps", "--require-hashes"),
        *("-r", str(HERE / name / "requirements.lock")),
    )
    if (HERE / name / "package.json").exists():
        _install_node_modules(HERE / name, environment / "bin")


def _install_node_modules(directory: Path, executables: Path) -> None:
    # Beside the programs that import them: the only place where Node.js looks.
    _run(
        *(str(executables / "npm"), "ci", "--prefix", str(directory)),
        *("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"),
        path=executables,
    )


def _run(*argv: str, path: Path | None = None) -> None:
    """Run to the end; `path` is searched first for what it starts itself."""
    search = f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]
    done = subprocess.run(
        argv,
        check=False,  # what it said is part of the error below
        env={**os.environ, "PATH": search},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(argv)} ended with {done.returncode}; without it a client of"
            f" tests/clients cannot be tried.\n{done.stdout}{done.stderr}"
        )


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(name: str) -> str:
    """What an environment depends on: its locks, this file, and where it lies."""
    files = [Path(__file__), *(HERE / name / lock for lock in _LOCKS)]
    sums = [hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.exists()]
    modules = (HERE / name / "node_modules").exists()
    return json.dumps([*sums, modules, sys.version, str(_INSTALLED)])


if __name__ == "__main__":
    try:
        install_all(sys.argv[1:] or NAMES)
    except RuntimeError as error:
        sys.exit(str(error))
