"""Commands of the code interpreter's sandbox: build its image, serve it, clear away."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from runtime.cli.output import CommandFailed
from runtime.local.logs import say

T = TypeVar("T")

app = typer.Typer(
    help="The sandbox that code_interpreter runs in.", no_args_is_help=True
)

DockerHost = Annotated[
    str | None,
    typer.Option(
        envvar="DOCKER_HOST", help="the engine: unix://, tcp:// or ssh:// address"
    ),
]
BaseImage = Annotated[
    str | None,
    typer.Option(help="image with Python 3.11 or newer; default: python:3.12-slim"),
]


@app.command()
def build(
    base_image: BaseImage = None,
    install_engine: Annotated[
        bool,
        typer.Option(
            "--install-engine",
            help="install and start Docker first if there is none (Debian, Ubuntu)",
        ),
    ] = False,
    if_wanted: Annotated[
        bool,
        typer.Option(
            "--if-wanted",
            help="do nothing where the settings turn the sandbox off or name another",
        ),
    ] = False,
    docker_host: DockerHost = None,
) -> None:
    """Build the sandbox's image; does nothing when it is there. About two minutes.

    Without a registry, the base is made of this machine's own Debian (as root, with
    debootstrap). Packages come through this machine's pip.

    Example: assistants sandbox build --install-engine
    """
    if if_wanted and not _is_wanted():
        return
    from sandbox.build import build_image
    from sandbox.engine import ensure_engine

    async def work() -> str:
        if install_engine:
            await ensure_engine(say, docker_host=docker_host)
        return await build_image(say, docker_host=docker_host, base_image=base_image)

    say(f"The sandbox image {_run(work())} is ready.")


@app.command()
def prune(
    instance: Annotated[
        str | None,
        typer.Option(help="only this runtime's containers; default: all runtimes'"),
    ] = None,
    docker_host: DockerHost = None,
) -> None:
    """Remove the sandbox's containers, and images of earlier versions.

    Sessions lose their variables; a runtime that is running starts new containers.

    Example: assistants sandbox prune
    """
    from sandbox.prune import remove_containers, remove_old_images

    async def work() -> tuple[int, list[str]]:
        containers = await remove_containers(docker_host, instance=instance)
        return containers, await remove_old_images(docker_host)

    containers, images = _run(work())
    say(f"Removed {containers} containers and {len(images)} images.")


@app.command()
def serve(
    listen: Annotated[str, typer.Option(help="unix:///path or tcp://host:port")],
    token_file: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="holds the workers' token"),
    ],
    image: Annotated[str | None, typer.Option(help="default: the one built")] = None,
    instance: Annotated[str, typer.Option(help="name of this runtime")] = "default",
    runtime: Annotated[
        str | None,
        typer.Option(
            envvar="ASSISTANTS_SANDBOX_RUNTIME", help="runc, runsc (gVisor) or kata"
        ),
    ] = None,
    warm: Annotated[int, typer.Option(min=0, help="containers kept ready")] = 2,
    keep_sessions: Annotated[
        bool,
        typer.Option("--keep-sessions", help="leave containers to the next manager"),
    ] = False,
) -> None:
    """Run the sandbox manager: the one process that talks to Docker (DOCKER_HOST).

    Example: assistants sandbox serve --listen unix:///run/sandbox.sock --token-file token
    """
    from sandbox import manager

    arguments = ["--listen", listen, "--token-file", str(token_file)]
    arguments += ["--instance", instance, "--warm", str(warm)]
    for option, value in (("--image", image), ("--runtime", runtime)):
        arguments += [option, value] if value else []
    manager.main([*arguments, *(["--keep-sessions"] if keep_sessions else [])])


def _is_wanted() -> bool:
    from runtime.local.configuration import load_settings

    settings = load_settings()
    return settings.sandbox == "docker" and settings.sandbox_url is None


def _run(work: Coroutine[Any, Any, T]) -> T:
    from sandbox import SandboxError

    try:
        return asyncio.run(work)
    except SandboxError as error:
        raise CommandFailed(str(error)) from None
