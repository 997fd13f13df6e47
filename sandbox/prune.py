"""Remove what the sandbox has left on an engine."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sandbox.container import engine_trouble
from sandbox.docker_http import Docker, EngineAway, EngineRefused
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
    query = {"all": 1, "filters": json.dumps({"label": [label]})}
    async with _engine(docker_host) as docker:
        found = await docker.request("GET", "/containers/json", query=query)
        for container in found:
            with suppress(EngineRefused):  # it has ended by itself meanwhile
                path = f"/containers/{container['Id']}"
                await docker.request("DELETE", path, query={"force": 1})
        return len(found)


async def remove_old_images(docker_host: str | None = None) -> list[str]:
    """Remove images of other versions than ours; returns the names of those removed.

    An image that a container runs stays.

    Raises:
        SandboxUnavailable: no engine answers.
    """
    removed = []
    async with _engine(docker_host) as docker:
        for image in await docker.request("GET", "/images/json"):
            for name in filter(_is_old, image.get("RepoTags") or []):
                with suppress(EngineRefused):
                    await docker.request("DELETE", f"/images/{name}")
                    removed.append(name)
    return removed


def _is_old(name: str) -> bool:
    ours = (f"{REPOSITORY}:", f"{REPOSITORY}-packages:")
    return name.startswith(ours) and name not in (image_name(), packages_image())


@asynccontextmanager
async def _engine(docker_host: str | None) -> AsyncIterator[Docker]:
    try:
        yield Docker(docker_host)
    except (EngineAway, EngineRefused) as error:
        raise engine_trouble(error) from error
