"""Build the image that the sandbox runs: from a registry's base, or without any registry.

The story is `build_image`: a base (pulled, or else made of this machine's own Debian by
debootstrap), the pinned packages unpacked for the base's Python by this machine's pip,
and a Dockerfile that puts them together and downloads nothing. Whatever indexes, mirrors,
proxies and certificates pip and apt are set up for here are thereby used, and none of
them is written into the image.
"""

import asyncio
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from sandbox.debian import BaseFailed, bootstrap
from sandbox.docker_client import Docker, EngineAway, EngineRefused, blocks
from sandbox.errors import SandboxError
from sandbox.images import (
    DEFAULT_BASE,
    HERE,
    REPOSITORY,
    guest_files,
    image_name,
    packages_image,
)

if TYPE_CHECKING:
    from docker import APIClient

Progress = Callable[[str], None]

_MADE_BASE = f"{REPOSITORY}-base:debian"
_PULL_SECONDS = 600
_OLDEST_PYTHON = (3, 11)  # what requirements.txt is resolved for, and upwards
_GLIBC_MINORS = range(36, 16, -1)  # manylinux_2_17 to _2_36: Debian 12 has 2.36
_WHEEL_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class BuildFailed(SandboxError):
    """The image could not be built; the message says at which step and what to try."""


async def has_image(docker: Docker, name: str) -> bool:
    """Whether the engine holds an image of this name.

    Raises:
        EngineAway: no engine answers.
    """
    try:
        await docker.ask(lambda api: api.inspect_image(name))  # type: ignore[no-untyped-call]  # in the stubs
    except EngineRefused as error:
        if error.status == 404:
            return False
        raise
    return True


async def build_image(
    progress: Progress = lambda line: None,
    *,
    docker_host: str | None = None,
    base_image: str | None = None,
) -> str:
    """Make sure that the image is there; returns its name. About two minutes at first.

    Args:
        progress: is told each step in a line.
        docker_host: the engine; by default DOCKER_HOST, else the local socket.
        base_image: another base than `python:3.12-slim`, with Python 3.11 or newer.

    Raises:
        BuildFailed: it cannot be built here, and why.
    """
    name, packages = image_name(base_image), packages_image(base_image)
    try:
        async with Docker(docker_host) as docker:
            if await has_image(docker, name):
                return name
            if not await has_image(docker, packages):
                await _build_packages(docker, packages, base_image, progress)
            progress("building the image")
            with tempfile.TemporaryDirectory(prefix="sandbox-build-") as folder:
                _copy_guest(Path(folder))
                arguments = {"PACKAGES_IMAGE": packages}
                await _build(docker, name, "Dockerfile", arguments, Path(folder))
    except (EngineAway, EngineRefused, BaseFailed) as error:
        raise BuildFailed(f"The sandbox image was not built: {error}.") from error
    progress(f"built {name}")
    return name


async def _build_packages(
    docker: Docker, name: str, base_image: str | None, progress: Progress
) -> None:
    machine = await _machine_of(docker)
    base = await _find_base(docker, base_image, progress)
    python = await _python_of(docker, base)
    progress(f"unpacking the packages for Python {python[0]}.{python[1]}")
    with tempfile.TemporaryDirectory(prefix="sandbox-build-") as folder:
        await _unpack_packages(Path(folder), python, machine)
        progress("building the image of the packages")
        arguments = {"BASE_IMAGE": base}
        await _build(docker, name, "packages.Dockerfile", arguments, Path(folder))


async def _find_base(docker: Docker, asked: str | None, progress: Progress) -> str:
    base = asked or DEFAULT_BASE
    if await has_image(docker, base):
        return base
    progress(f"fetching {base}")
    try:
        async with asyncio.timeout(_PULL_SECONDS):
            await _pull(docker, base)
        return base
    except (EngineRefused, TimeoutError) as error:
        if asked:
            raise BuildFailed(f"{base} cannot be fetched: {error}.") from error
    if not await has_image(docker, _MADE_BASE):
        progress("no registry answers: making a base of this machine's own Debian")
        async with bootstrap() as archive:
            await _import(docker, archive)
    return _MADE_BASE


async def _pull(docker: Docker, image: str) -> None:
    await docker.follow(lambda api: api.pull(image, stream=True, decode=True))


async def _import(docker: Docker, archive: AsyncIterator[bytes]) -> None:
    repository, _, tag = _MADE_BASE.partition(":")
    data = blocks(archive)

    def question(api: "APIClient") -> Iterator[dict[str, Any]]:
        answer: str = api.import_image_from_stream(data, repository, tag)
        return map(json.loads, answer.splitlines())

    await docker.follow(question)


async def _python_of(docker: Docker, image: str) -> tuple[int, int]:
    """The version of the image's `python3`, told by its exit status: the minor number."""
    code = "import sys; sys.exit(sys.version_info.minor)"
    container_id = await docker.create_container(
        {
            "Image": image,
            "Entrypoint": ["python3", "-c", code],
            "Cmd": [],
            "HostConfig": {"NetworkMode": "none"},
        }
    )
    try:
        await docker.ask(lambda api: api.start(container_id))
        ended = await docker.ask(lambda api: api.wait(container_id))
    finally:
        await docker.remove_container(container_id)
    version = (3, int(ended["StatusCode"]))
    if not _OLDEST_PYTHON <= version < (3, 100):
        raise BuildFailed(f"{image} has no Python 3.11 or newer as python3.")
    return version


async def _machine_of(docker: Docker) -> str:
    architecture = str((await docker.version()).get("Arch"))
    machine = _WHEEL_MACHINES.get(architecture)
    if machine is None:
        known = " or ".join(_WHEEL_MACHINES)
        raise BuildFailed(
            f"The sandbox image cannot be built for {architecture}, only for {known}: "
            "point DOCKER_HOST at such an engine."
        )
    return machine


async def _unpack_packages(folder: Path, python: tuple[int, int], machine: str) -> None:
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC_MINORS]
    platforms.append(f"manylinux2014_{machine}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(folder / "site"), "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", f"{python[0]}.{python[1]}"]
    for platform in platforms:
        command += ["--platform", platform]
    command += ["--requirement", str(HERE / "image/requirements.txt")]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        words = output.decode("utf-8", "replace").strip()[-800:]
        raise BuildFailed(f"pip could not fetch the sandbox's packages: {words}")


async def _build(
    docker: Docker,
    name: str,
    dockerfile: str,
    arguments: dict[str, str],
    folder: Path,
) -> None:
    shutil.copy(HERE / "image" / dockerfile, folder)
    # Any iterable of bytes will do, though the stubs ask for a file.
    context = cast(IO[bytes], blocks(_tar(folder)))
    await docker.follow(
        lambda api: api.build(
            fileobj=context,
            custom_context=True,
            tag=name,
            dockerfile=dockerfile,
            buildargs=arguments,
            network_mode="none",  # neither Dockerfile downloads anything
            forcerm=True,
            decode=True,
        )
    )


def _copy_guest(folder: Path) -> None:
    for name in guest_files():
        target = folder / "guest/sandbox" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / name, target)


async def _tar(folder: Path) -> AsyncIterator[bytes]:
    """The folder as a tar stream, made in a thread as fast as it is taken."""
    read_end, write_end = os.pipe()
    writing = asyncio.create_task(asyncio.to_thread(_write_tar, folder, write_end))
    try:
        while block := await asyncio.to_thread(os.read, read_end, 1 << 20):
            yield block
    finally:
        os.close(read_end)
    await writing


def _write_tar(folder: Path, descriptor: int) -> None:
    stream: IO[bytes]
    with (
        open(descriptor, "wb") as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        archive.add(folder, arcname=".", filter=_without_tests)


def _without_tests(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The packages' own tests are a sixth of their size; nobody runs them in there."""
    if member.isdir() and member.name.endswith("/tests"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
