"""A base image made of this machine's own Debian or Ubuntu, for hosts without a registry.

debootstrap fetches from the mirror that apt is set up with here; no address is ours.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

# Nothing of these is needed at run time, and together they are a third of the size.
_LEFT_OUT = (
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./var/cache/debconf/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
    "./dev/*",
    "./proc/*",
    "./sys/*",
)


class BaseFailed(Exception):
    """No base can be made here; the message says what is missing."""


@asynccontextmanager
async def bootstrap() -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield a tar stream of a minimal system with Python; takes about 40 seconds.

    Raises:
        BaseFailed: not root, no debootstrap, or it failed.
    """
    if os.geteuid() != 0:
        raise BaseFailed("no registry answers, and making a base needs root")
    if shutil.which("debootstrap") is None:
        raise BaseFailed(
            "no registry answers; to make a base without one, "
            "run `apt-get install debootstrap` and try again"
        )
    mirror, codename = await _mirror()
    with tempfile.TemporaryDirectory(prefix="sandbox-base-") as folder:
        command = ["debootstrap", "--variant=minbase", "--include=python3"]
        await _run(*command, codename, folder, mirror)
        yield _tar(Path(folder))


async def _mirror() -> tuple[str, str]:
    codename = _codename()
    form = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(IDENTIFIER)"
    for line in (await _run("apt-get", "indextargets", "--format", form)).splitlines():
        match line.split():
            case [mirror, name, "main", "Packages"] if name == codename:
                return mirror, codename
    raise BaseFailed("no registry answers, and apt here knows no Debian mirror")


def _codename() -> str:
    lines = Path("/etc/os-release").read_text("utf-8").splitlines()
    fields = dict(line.partition("=")[::2] for line in lines)
    return fields.get("VERSION_CODENAME", "").strip('"')


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode("utf-8", "replace")
    if process.returncode != 0:
        raise BaseFailed(f"`{command[0]}` failed: {text.strip()[-500:]}")
    return text


async def _tar(folder: Path) -> AsyncIterator[bytes]:
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    process = await asyncio.create_subprocess_exec(
        *("tar", "-C", str(folder), "--numeric-owner", *left_out, "-c", "."),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while block := await process.stdout.read(1 << 20):
        yield block
    if await process.wait() != 0:
        raise BaseFailed("the base could not be packed")
