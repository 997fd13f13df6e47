"""What the terminal holds during `assistants up`: a small process that only watches.

The supervisor and its children live in sessions of their own, so Ctrl-C reaches only this
process, which asks the supervisor to stop in order. The pipe tells the supervisor if this
process dies; being a subreaper, this process inherits all children if the supervisor dies.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from runtime.local.import_path import import_path
from runtime.local.processes import adopt_orphans, end_children

_PATIENCE_SECONDS = 5.0
# Signals closer together are one wish: `make` passes on what its group got already.
_ONE_WISH_SECONDS = 0.4


def run_in_foreground(arguments: list[str], *, module: str = "runtime.local.up") -> int:
    """Run the supervisor until it has stopped everything; its exit status.

    The first SIGINT, SIGTERM or SIGHUP stops in order, a second one at once.

    Args:
        arguments: for the supervisor, after its lifeline.
        module: the supervisor, run as ``python -m``.
    """
    adopt_orphans()
    lifeline, ours = os.pipe()
    supervisor = subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(lifeline), *arguments],
        stdin=subprocess.DEVNULL,
        pass_fds=[lifeline],
        start_new_session=True,
        env={**os.environ, **import_path()},
    )
    os.close(lifeline)
    wishes = _pass_on_signals(supervisor)
    try:
        status = supervisor.wait()
        if status >= 0:
            return status
        if wishes:
            # Asked before it could listen, or asked twice: that is what it died of.
            _say("Stopped.")
            return 0
        _say("The supervisor was killed; stopping everything it had started …")
        return 1
    finally:
        end_children(patience_seconds=0 if len(wishes) > 1 else _PATIENCE_SECONDS)
        os.close(ours)


def _pass_on_signals(supervisor: subprocess.Popen[bytes]) -> list[float]:
    """Hand on the wish to stop; the list fills with the moments it was uttered."""
    wishes: list[float] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not wishes:
            _say("\nStopping … (once more to stop at once)")
            supervisor.send_signal(signal.SIGTERM)
        elif now - wishes[-1] > _ONE_WISH_SECONDS:
            supervisor.send_signal(signal.SIGQUIT)
        else:
            return
        wishes.append(now)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # `nohup` has SIGHUP ignored, and means it. A script's `&` has SIGINT ignored,
        # and whoever sends us one then still wants us to stop.
        ignored = signal.getsignal(number) is signal.SIG_IGN
        if number is not signal.SIGHUP or not ignored:
            signal.signal(number, pass_on)
    return wishes


def _say(words: str) -> None:
    # Never through a buffer that a dead terminal would hold up.
    try:
        os.write(1, f"{words}\n".encode())
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(run_in_foreground(sys.argv[1:]))
