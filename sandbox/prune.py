"""Remove what the sandbox has left on an engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sandbox.docker_client import Docker, EngineAway, EngineRefused, engine_trouble
from sandbox.images import REPOSITORY, image_name, packages_image
from sandbox.limits import LABEL_INSTANCE


async def remove_containers(
    docker_host: str | None = None, *, instance: str | None = None
) -> int:
    """Remove the containers of one runtime, or of all; returns how many there were.

    Raises:
        SandboxUnavailable: no engine answers.
    """
    label = f"{LABEL_INSTANCE}={instance}" if instance else LABEL_INSTANCE
    async with _engine(docker_host) as docker:
        found = await docker.containers(label)
        for container in found:
            with suppress(EngineRefused):  # it has ended by itself meanwhile
                await docker.remove_container(container["Id"])
        return len(found)


async def remove_old_images(docker_host: str | None = None) -> list[str]:
    """Remove images of other versions than ours; returns the names of those removed.

    An image that a container runs stays.

    Raises:
        SandboxUnavailable: no engine answers.
    """
    removed = []
    async with _engine(docker_host) as docker:
        for image in await docker.ask(lambda api: api.images()):
            for name in filter(_is_old, image.get("RepoTags") or []):
                with suppress(EngineRefused):
                    await _remove_image(docker, name)
                    removed.append(name)
    return removed


async def _remove_image(docker: Docker, name: str) -> None:
    await docker.ask(lambda api: api.remove_image(name))


def _is_old(name: str) -> bool:
    ours = (f"{REPOSITORY}:", f"{REPOSITORY}-packages:")
    return name.startswith(ours) and name not in (image_name(), packages_image())


@asynccontextmanager
async def _engine(docker_host: str | None) -> AsyncIterator[Docker]:
    try:
        async with Docker(docker_host) as docker:
            yield docker
    except (EngineAway, EngineRefused) as error:
        raise engine_trouble(error) from error
