"""The memory of the sandbox's containers, which are nobody's children of ours."""

import json

from sandbox.docker_http import Docker, EngineAway, EngineRefused
from sandbox.limits import LABEL_INSTANCE
from tests.bench.measure import Share, memory_of, tree


async def memory_of_containers(instance: str | None) -> Share | None:
    """What the processes in the containers of one runtime hold.

    None where that cannot be seen: no sandbox, no engine, an engine elsewhere, or not root.
    """
    if instance is None:
        return None
    label = f"{LABEL_INSTANCE}={instance}"
    query = {"filters": json.dumps({"label": [label]})}
    docker = Docker()
    pids: set[int] = set()
    try:
        for found in await docker.request("GET", "/containers/json", query=query):
            path = f"/containers/{found['Id']}/json"
            first = (await docker.request("GET", path))["State"]["Pid"]
            pids |= set(tree(first))
    except (EngineAway, EngineRefused):
        return None
    share = memory_of("containers", sorted(pids))
    return share if share.processes else None
