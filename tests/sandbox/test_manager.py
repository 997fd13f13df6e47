"""Sessions, their containers, and a manager that is stopped, killed or lied to."""

import asyncio
import signal
from typing import Any

import pytest

from sandbox import SandboxClient, SandboxUnavailable, SessionLost
from sandbox.docker_client import Docker
from sandbox.limits import LABEL_INSTANCE
from tests.sandbox.harness import TOKEN, Cells, ManagerProcess, until

pytestmark = pytest.mark.docker


async def _containers(docker: Docker, manager: ManagerProcess) -> list[Any]:
    return await docker.containers(f"{LABEL_INSTANCE}={manager.instance}")


async def _run(
    client: SandboxClient, session_id: str, call_id: str, code: str, epoch: str
) -> str:
    outcome = await client.execute(
        session_id, call_id, code, epoch=epoch, timeout_seconds=30
    )
    return outcome.logs


async def test_a_session_keeps_its_container_and_its_files(cells: Cells) -> None:
    await cells.put("a.txt", b"abc")

    again = await cells.client.open(cells.session_id)

    assert again.epoch == cells.session.epoch
    assert not again.fresh
    assert again.files == {"a.txt": 3}


async def test_two_sessions_see_nothing_of_each_other(
    cells: Cells, client: SandboxClient
) -> None:
    await cells.run("secret = 1; open('secret', 'w').write('x')")
    other = await client.open("other")
    try:
        logs = await _run(
            client,
            "other",
            "1",
            "import os; os.listdir(), 'secret' in dir()",
            other.epoch,
        )
        assert other.epoch != cells.session.epoch
        assert logs == "([], False)\n"
    finally:
        await client.end("other")


async def test_opening_at_the_same_moment_gives_one_container(
    client: SandboxClient,
) -> None:
    sessions = await asyncio.gather(*(client.open("same") for _ in range(5)))
    await client.end("same")

    assert len({session.epoch for session in sessions}) == 1
    assert sum(session.fresh for session in sessions) == 1


async def test_an_ended_session_is_lost_and_opens_anew(cells: Cells) -> None:
    await cells.client.end(cells.session_id)

    with pytest.raises(SessionLost):
        await cells.run("1")
    with pytest.raises(SessionLost):
        await cells.put("a", bytes(5 << 20))
    with pytest.raises(SessionLost):
        await cells.read("a")
    assert (await cells.client.open(cells.session_id)).fresh


async def test_a_container_removed_behind_our_back_crashes_the_call(
    cells: Cells, docker: Docker
) -> None:
    running = asyncio.create_task(cells.run("import time; time.sleep(60)"))
    await asyncio.sleep(0.5)

    await docker.remove_container(cells.session.epoch)

    outcome = await asyncio.wait_for(running, 20)
    assert outcome.status == "crashed"
    assert outcome.variables_lost
    assert (await cells.client.open(cells.session_id)).fresh


async def test_a_caller_that_hung_up_is_answered_when_it_asks_again(
    cells: Cells,
) -> None:
    code = "import time; time.sleep(1); n = globals().get('n', 0) + 1; n"
    first = asyncio.create_task(cells.run(code))
    await asyncio.sleep(0.3)
    first.cancel()
    cells.count -= 1

    joined = await cells.run(code)

    assert joined.logs == "1\n"


async def test_an_idle_session_expires(
    own_manager: ManagerProcess, docker: Docker
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)
    session = await client.open("idle")
    await asyncio.sleep(3.5)

    assert await _containers(docker, own_manager) == []
    with pytest.raises(SessionLost):
        await _run(client, "idle", "1", "1", session.epoch)


async def test_the_session_not_used_for_longest_gives_way(
    own_manager: ManagerProcess,
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)
    first, second = await client.open("1"), await client.open("2")
    await _run(client, "1", "a", "1", first.epoch)

    await client.open("3")

    assert await _run(client, "1", "b", "2", first.epoch) == "2\n"
    with pytest.raises(SessionLost):
        await _run(client, "2", "a", "1", second.epoch)


async def test_opening_all_at_once_keeps_the_cap(
    own_manager: ManagerProcess, docker: Docker
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)

    opened = await asyncio.gather(
        *(client.open(f"{n}") for n in range(6)), return_exceptions=True
    )

    refused = [each for each in opened if isinstance(each, BaseException)]
    assert len(refused) == 4
    assert all(isinstance(each, SandboxUnavailable) for each in refused)
    assert len(await _containers(docker, own_manager)) == 2


async def test_a_dead_container_does_not_block_its_successor(
    own_manager: ManagerProcess, docker: Docker
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)
    session = await client.open("s")
    (found,) = await _containers(docker, own_manager)
    await client.end("s")
    # Never started, so nothing but its name is in the way.
    dead = {"Image": found["Image"], "Labels": found["Labels"]}
    name = found["Names"][0].removeprefix("/")
    blocking = await docker.create_container(dead, name)

    again = await client.open("s")

    assert again.fresh and again.epoch not in (session.epoch, blocking[:16])


async def test_a_call_outlives_a_manager_that_is_killed(
    own_manager: ManagerProcess,
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)
    session = await client.open("s")
    code = "import time; time.sleep(1.5); n = globals().get('n', 0) + 1; n"
    call = asyncio.create_task(_run(client, "s", "a", code, session.epoch))
    await asyncio.sleep(0.5)

    await own_manager.stop(signal.SIGKILL)
    await own_manager.start()

    assert await asyncio.wait_for(call, 20) == "1\n"
    assert (await client.open("s")).epoch == session.epoch


async def test_a_stopped_manager_leaves_sessions_only_when_told_to(
    own_manager: ManagerProcess, docker: Docker
) -> None:
    client = SandboxClient(own_manager.url, TOKEN)
    session = await client.open("s")
    await own_manager.stop()
    assert len(await _containers(docker, own_manager)) == 1

    own_manager.options = ("--warm", "1")
    await own_manager.start()
    assert (await client.open("s")).epoch == session.epoch
    await own_manager.stop()

    assert await _containers(docker, own_manager) == []
    await own_manager.start()


async def test_stopping_while_containers_are_being_started_leaves_none(
    own_manager: ManagerProcess, docker: Docker
) -> None:
    await own_manager.stop()
    own_manager.options = ("--warm", "3")
    for pause in (0.0, 0.1, 0.2):
        await own_manager.start()
        await SandboxClient(own_manager.url, TOKEN).open("s")
        await asyncio.sleep(pause)
        await asyncio.wait_for(own_manager.stop(), 5)

        assert await _containers(docker, own_manager) == []
    await own_manager.start()


async def test_a_warm_container_is_assigned_to_one_session(
    sandbox_manager: ManagerProcess, client: SandboxClient, docker: Docker
) -> None:
    await client.open("w1")

    async def one_is_warm() -> bool:
        found = await _containers(docker, sandbox_manager)
        return any("-warm-" in container["Names"][0] for container in found)

    await until(one_is_warm)

    sessions = await asyncio.gather(*(client.open(f"w{n}") for n in range(2, 5)))
    await asyncio.gather(*(client.end(f"w{n}") for n in range(1, 5)))

    assert len({session.epoch for session in sessions}) == 3
