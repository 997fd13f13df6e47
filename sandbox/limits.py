"""Every restriction on a container, with its reason; and whether they hold.

`create_request` is the one template that containers are made from: nothing a caller says
reaches it. `unmet` compares what the kernel reports from inside with what was asked for.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

LABEL_INSTANCE = "assistants.sandbox.instance"

_UID = 65534  # nobody: owns nothing in the image
_MIB = 1024 * 1024
_OWN_KERNELS = ("runsc", "kata")


@dataclass(frozen=True)
class Limits:
    """The sizes of one container."""

    memory_bytes: int = 1024 * _MIB  # a data frame of some hundred megabytes
    data_bytes: int = 512 * _MIB  # /mnt/data; lives in memory and counts as such
    tmp_bytes: int = 64 * _MIB
    shared_memory_bytes: int = 64 * _MIB  # what multiprocessing passes arrays through
    pids: int = 128  # threads count; numpy and pandas use a few dozen
    cpus: float = 1.0
    open_files: int = 1024


def create_request(
    *,
    image: str,
    instance: str,
    runtime: str | None,
    idle_seconds: float,
    life_seconds: float,
    limits: Limits,
) -> dict[str, Any]:
    """The body of the engine's create request.

    The two times are those after which the guest ends itself, whatever the host does.
    """
    return {
        "Image": image,
        "Entrypoint": ["python3", "-I", "-m", "sandbox.guest.supervisor"],
        "Cmd": [f"{idle_seconds:g}", f"{life_seconds:g}"],
        "User": f"{_UID}:{_UID}",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Labels": {LABEL_INSTANCE: instance},
        # Frames go over the attach stream, which must outlive one attachment.
        "OpenStdin": True,
        "StdinOnce": False,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "NetworkDisabled": True,
        "HostConfig": _host_config(runtime, limits),
    }


def _host_config(runtime: str | None, limits: Limits) -> dict[str, Any]:
    config: dict[str, Any] = {
        "AutoRemove": True,  # its disk is of no use once it has ended
        "RestartPolicy": {"Name": "no"},  # a restarted one would have lost all, unsaid
        "NetworkMode": "none",  # nothing to reach, nothing to leak to
        "ReadonlyRootfs": True,  # nothing to change for the next call
        "CapDrop": ["ALL"],
        "Privileged": False,
        "SecurityOpt": ["no-new-privileges", f"seccomp={_seccomp_profile()}"],
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,  # equal: no swap
        "PidsLimit": limits.pids,  # not RLIMIT_NPROC, which counts per user of the host
        "NanoCpus": int(limits.cpus * 1e9),
        "Ulimits": [
            _ulimit("nofile", limits.open_files),
            _ulimit("fsize", limits.data_bytes),  # refuses sparse giants as well
            _ulimit("core", 0),
        ],
        # Sized, because a read-only root and these are the whole disk quota.
        "Tmpfs": {
            "/mnt/data": _tmpfs(limits.data_bytes),
            "/tmp": _tmpfs(limits.tmp_bytes),
        },
        "ShmSize": limits.shared_memory_bytes,
        "IpcMode": "private",
        "LogConfig": {"Type": "none"},  # else attached output fills the host's disk
        "Init": False,  # process 1 is ours
    }
    if runtime:
        config["Runtime"] = runtime
    return config


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}


def _tmpfs(size_bytes: int) -> str:
    # mode= is ignored for a folder that exists in the image; uid= and gid= are not.
    return f"rw,nosuid,nodev,noexec,size={size_bytes},uid={_UID},gid={_UID},mode=0700"


@cache
def _seccomp_profile() -> str:
    return resources.files("sandbox").joinpath("image/seccomp.json").read_text("utf-8")


def unmet(facts: dict[str, Any], runtime: str | None, limits: Limits) -> list[str]:
    """The restrictions that do not hold, in words; empty when all do.

    A runtime that is known to have a kernel of its own (gVisor, Kata) answers for system calls, process
    numbers and memory itself and reports them differently, so of those nothing is asked.
    """
    asked = {
        "it does not run as nobody": facts.get("uid") == facts.get("gid") == _UID,
        "it holds capabilities": set(str(facts.get("capabilities"))) == {"0"},
        "it has a network": facts.get("interfaces") in (["lo"], []),
        "its root can be written": facts.get("root_read_only") is True,
        "/mnt/data has no size limit": _at_most(facts, "data_bytes", limits.data_bytes),
        "/tmp has no size limit": _at_most(facts, "tmp_bytes", limits.tmp_bytes),
    }
    if runtime not in _OWN_KERNELS:
        asked |= {
            "it may gain privileges": facts.get("no_new_privileges") == "1",
            "system calls are not filtered": facts.get("seccomp") == "2",
            "AF_VSOCK can be opened": facts.get("vsock") is False,
            "memory is not limited": _at_most(
                facts, "memory_bytes", limits.memory_bytes
            ),
            "processes are not limited": _at_most(facts, "pids", limits.pids),
        }
    return [words for words, holds in asked.items() if not holds]


def _at_most(facts: dict[str, Any], key: str, limit: int) -> bool:
    value = facts.get(key)
    return isinstance(value, int) and 0 < value <= limit
