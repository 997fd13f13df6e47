"""What the kernel says about this container, for the host to check before serving."""

import contextlib
import os
import socket
from typing import Any

_AF_VSOCK = 40
_IFF_UP = 1


def gather() -> dict[str, Any]:
    """Plain facts; the host decides which of them are acceptable (`limits.unmet`)."""
    status = _status()
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "capabilities": status.get("CapEff", "") + status.get("CapBnd", ""),
        "no_new_privileges": status.get("NoNewPrivs"),
        "seccomp": status.get("Seccomp"),
        "interfaces": sorted(filter(_is_up, os.listdir("/sys/class/net"))),
        "root_read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
        "data_bytes": _size("/mnt/data"),
        "tmp_bytes": _size("/tmp"),
        "memory_bytes": _first_number(
            "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
        ),
        "pids": _first_number(
            "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"
        ),
        "vsock": _opens(_AF_VSOCK),
    }


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        pairs = (line.partition(":") for line in status)
        return {key: value.strip() for key, _, value in pairs}


def _is_up(interface: str) -> bool:
    """Some kernels put tunnels into every namespace, all of them down."""
    try:
        with open(f"/sys/class/net/{interface}/flags") as flags:
            return bool(int(flags.read(), 16) & _IFF_UP)
    except (OSError, ValueError):
        return True  # better taken for one than overlooked


def _size(path: str) -> int | None:
    """The size of the file system at `path`, or None when nothing is mounted there."""
    if not os.path.ismount(path):
        return None
    info = os.statvfs(path)
    return info.f_frsize * info.f_blocks


def _first_number(*paths: str) -> int | None:
    for path in paths:
        with contextlib.suppress(OSError, ValueError), open(path) as limit:
            return int(limit.read())
    return None


def _opens(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True
