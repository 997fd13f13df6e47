"""Try a container in a process of its own.

A manager tells at its start whether code can be run, and may then wait for days until
somebody wants to. What asking the engine costs in memory ends with this process.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

from sandbox.docker_client import Docker, EngineAway, EngineRefused, engine_trouble
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.limits import Limits
from sandbox.starting import PoolSettings


async def try_apart(docker_host: str, settings: PoolSettings) -> str:
    """The engine's version, once a container has kept every restriction.

    Not while a pool of this instance uses the engine: what an earlier manager has left
    behind is removed, and the containers of a living one would look like that.

    Raises:
        SandboxUnavailable: no container can be started, or a restriction does not hold.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.trial"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    request = {"docker_host": docker_host, "settings": asdict(settings)}
    try:
        output, _ = await process.communicate(json.dumps(request).encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise SandboxUnavailable("Code cannot be run: trying a container has failed.")
    answer = json.loads(output)
    if "error" in answer:
        raise SandboxUnavailable(str(answer["error"]))
    return str(answer["version"])


async def _try(request: dict[str, Any]) -> dict[str, str]:
    from sandbox.pool import Pool  # which imports us

    fields = request["settings"]
    settings = PoolSettings(**{**fields, "limits": Limits(**fields["limits"])})
    async with Docker(request["docker_host"]) as docker:
        pool = Pool(docker, settings)
        try:
            await pool.adopt()
            return {"version": await pool.check()}
        except SandboxError as error:
            return {"error": str(error)}
        except (EngineAway, EngineRefused) as error:
            return {"error": str(engine_trouble(error))}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_try(json.load(sys.stdin)))))
