"""Processes inside the container: start the worker, freeze, clear away, count kills."""

import contextlib
import fcntl
import os
import signal
import sys
from dataclasses import dataclass

_MEMORY_EVENTS = (
    "/sys/fs/cgroup/memory.events",  # cgroup v2
    "/sys/fs/cgroup/memory/memory.oom_control",  # cgroup v1
)

_WORKER_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "OPENBLAS_NUM_THREADS": "2",  # one stack of buffers per thread; there is one core
    "OMP_NUM_THREADS": "2",
}


@dataclass(frozen=True)
class Worker:
    """One started worker and our ends of its pipes."""

    pid: int
    pidfd: int  # becomes readable when the worker has ended
    commands: int
    results: int
    output: int

    def close(self) -> None:
        for descriptor in (self.pidfd, self.commands, self.results, self.output):
            os.close(descriptor)


def start_worker() -> Worker:
    """Start the worker as a fresh process: it inherits no memory of ours.

    Its descriptors are 0 (nothing), 1 and 2 (one pipe, so that both streams keep their
    order), 3 (commands) and 4 (results).
    """
    commands_in, commands_out = _high_pipe()
    results_in, results_out = _high_pipe()
    output_in, output_out = _high_pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-u", "-X", "utf8", "-m", "sandbox.guest.worker"],
        _WORKER_ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output_out, 1),
            (os.POSIX_SPAWN_DUP2, output_out, 2),
            (os.POSIX_SPAWN_DUP2, commands_in, 3),
            (os.POSIX_SPAWN_DUP2, results_out, 4),
        ],
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ],
    )
    for descriptor in (commands_in, results_out, output_out):
        os.close(descriptor)
    for descriptor in (commands_out, results_in, output_in):
        os.set_blocking(descriptor, False)
    return Worker(pid, os.pidfd_open(pid), commands_out, results_in, output_in)


def _high_pipe() -> tuple[int, int]:
    """A pipe whose numbers cannot collide with the 0 to 4 that the worker is given."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


def freeze() -> None:
    """Stop every process but ourselves; one system call, so nothing forks past it."""
    _signal_all(signal.SIGSTOP)


def thaw(pid: int) -> None:
    """Let the worker go on."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def kill_all() -> None:
    """End every process but ourselves; the worker's end is noticed as any end is."""
    _signal_all(signal.SIGKILL)


def freeze_and_clear(keep_pid: int) -> int:
    """Freeze everything, then end all but `keep_pid`; returns how many were ended."""
    freeze()
    cleared = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (os.getpid(), keep_pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(name), signal.SIGKILL)
                cleared += not _is_zombie(name)
    reap(keep_pid)
    return cleared


def reap(keep_pid: int) -> None:
    """Bury orphans that ended; as pid 1 they are ours. The worker is asked for apart."""
    with contextlib.suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == keep_pid:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def ending(pid: int) -> str:
    """How a worker that has ended came to its end, in words."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return "it ended"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def memory_kills() -> int:
    """How often the kernel has killed for memory in this container, so far."""
    for path in _MEMORY_EVENTS:
        with contextlib.suppress(OSError), open(path, encoding="ascii") as events:
            for line in events:
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
    return 0


def _signal_all(number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # nobody else is there
        os.kill(-1, number)


def _is_zombie(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True
