"""Turn a fresh process into a child that dies with its parent, then into the program.

Run as a script, in an interpreter without site packages (about 15 ms), not as a function
after fork: what a fork of a busy process may do is little, what a new process may do is
everything. `command()` builds the call; standard library only.

    python -I -S launch.py PARENT USER SIGNAL PROGRAM ARGUMENT…

PARENT is the pid that must still be there, USER `uid:gid` or `-`, SIGNAL the number of the
signal that this process gets from the kernel when PARENT's main thread ends.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from signal import Signals

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


def command(
    argv: Sequence[str], *, death_signal: Signals, user: tuple[int, int] | None = None
) -> list[str]:
    """The argument list that starts `argv` bound to the calling process.

    Args:
        argv: the program, with its path, and its arguments.
        death_signal: what it is sent when the calling process dies. It reaches this one
            process, not what it has started in turn.
        user: (uid, gid) to run as; only root may ask.
    """
    who = "-" if user is None else f"{user[0]}:{user[1]}"
    stub = [sys.executable, "-I", "-S", __file__]
    return [*stub, str(os.getpid()), who, str(int(death_signal)), *argv]


def _become(uid: int, gid: int) -> None:
    """Drop root, but keep the right to find files below directories closed to others.

    A checkout in root's home (mode 0700) holds programs and data of a server that
    refuses to run as root. The alternative would be to open that home to everybody.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        # Containers drop the narrower of the two by default, hence the second.
        if _keep(libc, capability):
            return


def _keep(libc: ctypes.CDLL, capability: int) -> bool:
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, effective_permitted_inheritable) != 0:
        return False
    raised = libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
    return bool(raised == 0)


def _die_with(parent: int, death_signal: int) -> None:
    # After _become: a change of user clears the wish.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The parent is gone already.")


def main() -> None:
    parent, user, death_signal, *argv = sys.argv[1:]
    if user != "-":
        uid, gid = user.split(":")
        _become(int(uid), int(gid))
    _die_with(int(parent), int(death_signal))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
