"""Have a Docker engine: find it, or install and start Debian's where we may.

Nothing is changed before it has been said, and where we may not, the error says exactly
what to run.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from sandbox.docker_client import (
    DEFAULT_HOST,
    Docker,
    EngineAway,
    EngineForbidden,
    EngineRefused,
    engine_trouble,
)
from sandbox.errors import SandboxUnavailable

Say = Callable[[str], None]

_LOG = Path("/var/log/dockerd.log")
_START_SECONDS = 90.0
_POLL_SECONDS = 0.5
# A package that is being installed may start the daemon itself: look before starting one.
_OWN_START_SECONDS = 5.0
_APT = ("-q", "-y", "-o", "DPkg::Lock::Timeout=300")
# debootstrap makes the image's base where no registry can be reached.
_PACKAGES = ("docker.io", "debootstrap")


async def ensure_engine(say: Say, *, docker_host: str | None = None) -> None:
    """Return once an engine answers; install and start one if there is none.

    Installs only on Debian and Ubuntu, as root or with a sudo that asks no password.

    Args:
        say: is told each thing before it is done.
        docker_host: the engine wanted; by default DOCKER_HOST, else the local socket.

    Raises:
        SandboxUnavailable: there is no engine and we cannot have one; says what to run.
    """
    async with Docker(docker_host) as docker:
        await _ensure(say, docker)


async def _ensure(say: Say, docker: Docker) -> None:
    if await _answers(docker):
        return
    if docker.host != DEFAULT_HOST:
        raise SandboxUnavailable(
            f"No Docker engine answers at {docker.host}. Start it, or unset DOCKER_HOST "
            "to use the one of this machine."
        )
    root = await _become_root()
    if shutil.which("dockerd") is None:
        await _install(say, root)
        if await _answers_within(docker, _OWN_START_SECONDS):
            return
    await _start(say, docker, root)


async def _become_root() -> list[str] | None:
    """What to put before a command to run it as root, or None when we cannot."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and (await _run("sudo", "-n", "true"))[0] == 0:
        return ["sudo", "-n"]
    return None


async def _install(say: Say, root: list[str] | None) -> None:
    by_hand = "apt-get update && apt-get install -y " + " ".join(_PACKAGES)
    if shutil.which("apt-get") is None:
        raise SandboxUnavailable(
            "Docker is not installed, and without it no code is run. Install Docker "
            "Engine for this system and start it, or set DOCKER_HOST to another."
        )
    if root is None:
        raise SandboxUnavailable(
            f"Docker is not installed, and without it no code is run. As root: {by_hand}"
        )
    say(f"Docker is not installed; installing it now: {by_hand}")
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1"]
    # One source of several may be away; what counts is whether the install succeeds.
    await _run(*root, *environment, "apt-get", *_APT, "update")
    if (await _run("dpkg", "--audit"))[1].strip():
        say("finishing an installation that was broken off: dpkg --configure -a")
        await _run_to_the_end(say, *root, *environment, "dpkg", "--configure", "-a")
    status, output = await _run_to_the_end(
        say, *root, *environment, "apt-get", *_APT, "install", *_PACKAGES
    )
    if status != 0:
        raise SandboxUnavailable(
            f"Docker could not be installed. apt-get says: {output.strip()[-600:]}"
        )


async def _start(say: Say, docker: Docker, root: list[str] | None) -> None:
    has_systemd = _has_systemd()
    by_hand = "systemctl start docker" if has_systemd else "dockerd"
    if root is None:
        raise SandboxUnavailable(
            f"The Docker engine does not answer at {docker.host}. As root, run "
            f"`{by_hand}`."
        )
    say(f"starting the Docker engine ({by_hand})")
    if has_systemd:
        await _run(*root, "systemctl", "start", "docker")
    else:
        await _start_daemon(root)
    if await _answers_within(docker, _START_SECONDS):
        return
    words = _log_tail() if not has_systemd else "see `journalctl -u docker`"
    raise SandboxUnavailable(f"The Docker engine did not come up: {words}")


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


async def _start_daemon(root: list[str]) -> None:
    """Start dockerd in a session of its own: it outlives us and our terminal."""
    # Leader of its session already, setsid has to fork: what asyncio holds ends at once,
    # and is not killed with our event loop.
    command = f"exec dockerd >>{_LOG} 2>&1 </dev/null"
    await asyncio.create_subprocess_exec(
        *(*root, "setsid", "sh", "-c", command), start_new_session=True
    )


def _log_tail() -> str:
    try:
        lines = _LOG.read_text("utf-8", "replace").splitlines()
    except OSError:
        return f"see {_LOG}"
    return " / ".join(lines[-3:])[-600:]


async def _answers_within(docker: Docker, seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        if await _answers(docker):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


async def _answers(docker: Docker) -> bool:
    try:
        await docker.version()
    except EngineForbidden as error:
        raise engine_trouble(error) from error  # starting one would not help
    except (EngineAway, EngineRefused):
        return False
    return True


async def _run_to_the_end(say: Say, *command: str) -> tuple[int, str]:
    """As `_run`, also when we are cancelled: an apt that is killed leaves half a package.

    A group of its own keeps Ctrl-C from it. Not a session: sudo knows us by our terminal.
    """
    running = asyncio.create_task(_run(*command, process_group=0))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        say("finishing the installation …")
        await running
        raise


async def _run(*command: str, process_group: int | None = None) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=process_group,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode("utf-8", "replace")
