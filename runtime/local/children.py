"""One program kept alive: started, watched, started again, stopped.

Everything runs on one event loop in one thread, the main one: the kernel's promise to
signal a child when its parent dies is tied to the thread that started it.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGINT, SIGKILL, SIGTERM, Signals
from typing import IO

from runtime.local import launch
from runtime.local.environment import environment_without_keys
from runtime.local.failure import CannotStart
from runtime.local.leftovers import mark, remove_pid_file, write_pid_file
from runtime.local.logs import Log, say
from runtime.local.processes import signal_group
from runtime.settings import Settings

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
# A child that lived this long has recovered: its next death waits briefly again.
_RECOVERED_SECONDS = 60.0
# While starting up, a child that keeps dying is a fault to show, not to wait out.
_DEATHS_BEFORE_READY = 3
# Its last words may still be in the pipe when its end is noticed.
_DRAIN_SECONDS = 0.5


async def _at_once(pid: int) -> bool:
    return True


@dataclass(frozen=True)
class Program:
    """What to run, how to see that it is up, how to end it.

    Attributes:
        name: of the pid file and the log.
        is_ready: given the pid, whether it serves; asked again until it does.
        stop_signals: sent one after the other to the program itself (not its group: a
            worker's children would drop what they are doing), each with the seconds
            it is given; SIGKILL for the whole group comes last.
        before: called ahead of every start.
        environment: variables on top of the supervisor's own.
        is_ours: it reads our settings; any other program gets none of them.
        descriptors: open files the program inherits.
        once: it does one thing and ends; status 0 is "up".
        needed: without it there is no start.
        outlives: it is stopped after those with a lower number.
    """

    name: str
    argv: Sequence[str]
    is_ready: Callable[[int], Awaitable[bool]] = _at_once
    stop_signals: Sequence[tuple[Signals, float]] = ((SIGTERM, 2.0),)
    death_signal: Signals = SIGINT
    user: tuple[int, int] | None = None
    before: Callable[[], None] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = True
    descriptors: Sequence[int] = ()
    once: bool = False
    needed: bool = True
    outlives: int = 0


class Reaper:
    """Takes the exit status of every child, also of orphans that the kernel gave us."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[int]] = {}

    def install(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def ended(self, pid: int) -> asyncio.Future[int]:
        """Becomes the exit code of `pid` (negative: the signal that killed it)."""
        return self._waiting.setdefault(pid, asyncio.Future())

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                future = self._waiting.pop(pid, None)
                if future is not None and not future.done():
                    future.set_result(os.waitstatus_to_exitcode(status))


class Child:
    """A program under our care: `start()`, `ready()`, and in the end `stop()`."""

    def __init__(
        self, program: Program, settings: Settings, reaper: Reaper, *, show_log: bool
    ) -> None:
        self.program = program
        self._settings = settings
        self._reaper = reaper
        self._show_log = show_log
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Log | None = None
        self._absent = asyncio.Event()
        self._deaths = 0
        self._words_said = ""
        self._code: int | None = None
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the program from now on, again whenever it ends."""
        self._keeper = asyncio.create_task(self._keep(), name=self.program.name)

    async def ready(self, *, seconds: float) -> None:
        """Wait until the program serves.

        Raises:
            CannotStart: it keeps dying (a program that runs once: it failed), or it does
                not serve after `seconds`.
        """
        if self.program.once:
            return await self._succeeded()
        deadline = time.monotonic() + seconds
        while not await self._is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.program.name} is not ready after {seconds:.0f} s."
                    f"{self._words()}"
                )
            await asyncio.sleep(0.03)

    def check(self) -> None:
        """Ask, while everything is starting up, whether there is still hope.

        Raises:
            CannotStart: it died three times.
        """
        if self._deaths >= _DEATHS_BEFORE_READY:
            name = self.program.name
            raise CannotStart(f"{name} keeps dying as it starts.{self._words()}")

    async def _succeeded(self) -> None:
        assert self._keeper is not None
        await asyncio.wait([self._keeper])
        if self._code != 0 and not self._stopping:
            words = self.last_words().strip()
            raise CannotStart(words or f"{self.program.name} failed.")

    async def stop(self) -> None:
        """End the program and all of its group; returns when they are gone."""
        self._stopping = True
        process = self._process
        if process is not None:
            for number, seconds in self.program.stop_signals:
                _signal(process, number)
                if await self._gone_within(seconds):
                    break
            self.kill()
        if self._keeper is not None:
            if self._process is None:
                self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def kill(self) -> None:
        """End the program and all of its group at once."""
        self._stopping = True
        if self._process is not None:
            signal_group(self._process.pid, SIGKILL)

    def last_words(self) -> str:
        """What it wrote last."""
        return self._log.last_words() if self._log is not None else ""

    async def _keep(self) -> None:
        delay = _FIRST_DELAY_SECONDS
        while not self._stopping:
            began = time.monotonic()
            how = await self._run_once()
            if self._stopping or self.program.once:
                return
            self._deaths += 1
            if time.monotonic() - began > _RECOVERED_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            self._report(how, delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)

    async def _run_once(self) -> str:
        """From start to end; in words, how it ended."""
        try:
            self.program.before()
            process, drained = self._spawn()
        except (OSError, CannotStart) as failure:
            return f"could not be started ({failure})"
        self._process = process
        self._absent.clear()
        ended = self._reaper.ended(process.pid)
        write_pid_file(self._settings, self.program.name, process.pid)
        self._code = process.returncode = await ended
        # What the program has started in its turn goes with it.
        signal_group(process.pid, SIGKILL)
        await asyncio.wait([drained], timeout=_DRAIN_SECONDS)
        self._process = None
        self._absent.set()
        remove_pid_file(self._settings, self.program.name)
        return _how_it_ended(self._code)

    def _spawn(self) -> tuple[subprocess.Popen[bytes], asyncio.Future[None]]:
        program = self.program
        inherited = os.environ if program.is_ours else environment_without_keys()
        process = subprocess.Popen(
            launch.command(
                program.argv, death_signal=program.death_signal, user=program.user
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**inherited, **program.environment, **mark(self._settings)},
            pass_fds=program.descriptors,
        )
        assert process.stdout is not None
        path = self._settings.logs_dir / f"{program.name}.log"
        self._log = Log(path, name=program.name, to_terminal=self._show_log)
        return process, _pump(process.stdout, self._log)

    async def _is_ready(self) -> bool:
        process = self._process
        return process is not None and await self.program.is_ready(process.pid)

    async def _gone_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._absent.wait(), seconds)
            return True
        return False

    def _report(self, how: str, delay: float) -> None:
        # What it says every time need be read once.
        words = self._words()
        news = "" if words == self._words_said else words
        self._words_said = words
        say(f"{self.program.name} {how}; starting it again in {delay:.1f} s.{news}")

    def _words(self) -> str:
        words = self.last_words()
        return f" It wrote last:\n{words}" if words else ""


def _pump(pipe: IO[bytes], log: Log) -> asyncio.Future[None]:
    """Carry what a child writes to its log; done when it, and all it started, ended."""
    loop = asyncio.get_running_loop()
    drained = loop.create_future()
    os.set_blocking(pipe.fileno(), False)

    def carry() -> None:
        try:
            data = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return
        if data:
            log.write(data)
            return
        loop.remove_reader(pipe)
        log.close()
        pipe.close()
        drained.set_result(None)

    loop.add_reader(pipe, carry)
    return drained


def _signal(process: subprocess.Popen[bytes], number: Signals) -> None:
    # Not process.send_signal: it polls first, and would take the status from the reaper.
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    with suppress(ValueError):
        return f"was killed by {Signals(-code).name}"
    return f"was killed by signal {-code}"
