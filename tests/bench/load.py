"""The smallest HTTP client that can keep a server busy: kept connections, one core."""

import asyncio
import time
from dataclasses import dataclass

from tests.bench.measure import percentile

_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server gave: answers a second over all connections, and how late.

    Attributes:
        answers: all of them, those of the warm-up too.
    """

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float


def request(method: str, path: str, *, key: str = "", body: bytes = b"") -> bytes:
    """A request as bytes; a body is JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answers_per_second(
    port: int, raw: bytes, *, connections: int, seconds: float
) -> Rate:
    """Send `raw` over each connection, again as soon as it is answered.

    Raises:
        RuntimeError: an answer was not 200.
    """
    # What a first request pays for once, and the pool's connections.
    warm_up = await _load(port, raw, connections, min(1.0, seconds))
    began = time.perf_counter()
    taken = await _load(port, raw, connections, seconds)
    spent = time.perf_counter() - began
    return Rate(
        len(warm_up) + len(taken),
        len(taken) / spent,
        percentile(taken, 50) * 1000,
        percentile(taken, 99) * 1000,
    )


async def _load(port: int, raw: bytes, connections: int, seconds: float) -> list[float]:
    until = time.perf_counter() + seconds
    taken: list[float] = []
    await asyncio.gather(*(_one(port, raw, until, taken) for _ in range(connections)))
    return taken


async def _one(port: int, raw: bytes, until: float, taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (began := time.perf_counter()) < until:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head.splitlines()[0]!r}: {body[:500]!r}")
            taken.append(time.perf_counter() - began)
    finally:
        writer.close()


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(_LENGTH) + len(_LENGTH)
    return int(lower[at : lower.index(b"\r\n", at)])
