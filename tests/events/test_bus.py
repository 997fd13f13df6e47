"""Events through Redis: in order, once, for followers who come and go."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.events.bus import Bus
from runtime.events.event import Event
from runtime.ids import new_id


@pytest.fixture
async def bus(redis_url: str) -> AsyncIterator[Bus]:
    bus = Bus(redis_url)
    yield bus
    await bus.close()


@pytest.fixture
def stream() -> str:
    return f"assistants:run:{new_id('test')}"


def events(stream: str, *numbers: int) -> list[Event]:
    return [Event(stream, number, "x", {"n": number}) for number in numbers]


async def heard(bus: Bus, stream: str, after: int, count: int) -> list[int]:
    """The numbers of the next so many events."""
    numbers: list[int] = []
    async with bus.follow(stream, after) as follower:
        while len(numbers) < count:
            event = await follower.next(5)
            assert event is not None, f"heard only {numbers}"
            numbers.append(event.number)
    return numbers


async def test_what_was_and_what_comes_is_heard_once_in_order(
    bus: Bus, stream: str
) -> None:
    await bus.append(events(stream, 1, 2, 3))
    follower = asyncio.create_task(heard(bus, stream, 1, 4))
    await asyncio.sleep(0.05)
    await bus.append(events(stream, 4, 5))

    assert await follower == [2, 3, 4, 5]


async def test_a_number_that_is_not_larger_is_refused_and_the_rest_goes_through(
    bus: Bus, stream: str
) -> None:
    await bus.append(events(stream, 1, 2, 5))
    await bus.append(events(stream, 3, 4, 5, 6))

    assert [event.number for event in await bus.read(stream, 0)] == [1, 2, 5, 6]


async def test_followers_who_come_and_go_at_any_place_miss_nothing(
    bus: Bus, stream: str
) -> None:
    last = 400

    async def tell() -> None:
        for number in range(1, last + 1):
            await bus.append(events(stream, number))

    async def come_and_go(stay: int) -> list[int]:
        numbers: list[int] = []
        while len(numbers) < last:
            after = numbers[-1] if numbers else 0
            numbers += await heard(bus, stream, after, min(stay, last - len(numbers)))
        return numbers

    telling = asyncio.create_task(tell())
    everybody = await asyncio.gather(*(come_and_go(stay) for stay in (1, 2, 3, 7, 50)))
    await telling

    assert all(numbers == list(range(1, last + 1)) for numbers in everybody)


async def test_silence_is_told_as_such(bus: Bus, stream: str) -> None:
    async with bus.follow(stream, 0) as follower:
        assert await follower.next(0.05) is None


async def test_a_bell_reaches_who_listens(bus: Bus) -> None:
    run_id = new_id("run")

    async def listen() -> None:
        async for rung in bus.cancels():
            if rung == run_id:
                return

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        while not listening.done():
            await bus.ring_cancel(run_id)
            await asyncio.sleep(0.02)
    await listening


async def test_of_many_who_ask_one_is_first(bus: Bus) -> None:
    what = new_id("work")

    asked = [await bus.is_first(what, 5) for _ in range(3)]

    assert asked == [True, False, False]


async def test_without_redis_nothing_is_raised_and_nothing_waits(stream: str) -> None:
    bus = Bus("unix:///nowhere/redis.sock")
    try:
        async with asyncio.timeout(3):
            await bus.append(events(stream, 1))
            assert await bus.read(stream, 0) == []
            await bus.ring_cancel("run_1")
            await bus.heartbeat("worker", 5)
            assert await bus.workers() == []
            assert await bus.is_first("work", 5)
            assert await bus.waiting_jobs("runs") == 0
            assert not await bus.ping()
            async with bus.follow(stream, 0) as follower:
                assert await follower.next(0.1) is None
    finally:
        await bus.close()
