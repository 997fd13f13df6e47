"""The only stand-in of the test suite: a model server that reads from a script.

A real HTTP server on a free port of 127.0.0.1. Scripts go by model name, so many tests
share one server:

    model = upstream.script(calls(("add", {"a": 1})), says("2"))

Each call of that model plays the next turn; past the last one it answers 500 "script
exhausted", unless `repeat=True` lets the last turn play for ever.

As a process: `python -m tests.support.upstream --port-file F` (`--port N`), scripted by
`POST /__script__ {"turns": […], "repeat": false}` → `{"model": …}` and read by
`GET /__requests__/{model}`.
"""

import argparse
import asyncio
import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.support import chat_objects
from tests.support.turns import (
    BEFORE_HEADERS,
    Answers,
    AnyTurn,
    Embeds,
    Sends,
    Turn,
    fails,
    turn_from_json,
)

Json = dict[str, Any]


@dataclass
class Script:
    """One scripted model, and what was asked of it."""

    turns: Sequence[AnyTurn]
    repeat: bool
    requests: list[Json] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    peers: list[object] = field(default_factory=list)  # the connections it came over
    open_now: int = 0
    most_open: int = 0
    hung_up: int = 0

    def next_turn(self, body: Json) -> Turn:
        """The turn that this request plays; notes the request."""
        at = len(self.requests)
        self.requests.append(body)
        self.asked_at.append(time.monotonic())
        if at >= len(self.turns) and not self.repeat:
            return fails(500, message="script exhausted")
        turn = self.turns[min(at, len(self.turns) - 1)]
        return turn(body) if callable(turn) else turn


class Upstream:
    """The server, in a thread of its own; a context manager."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._scripts: dict[str, Script] = {}
        self._names = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    @property
    def base_url(self) -> str:
        """What to set OPENAI_BASE_URL to."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the stand-in upstream did not start")
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def script(
        self, *turns: AnyTurn, repeat: bool = False, model: str | None = None
    ) -> str:
        """Register a model that plays these turns; its name is new unless given."""
        name = model or f"scripted-{next(self._names)}"
        self._scripts[name] = Script(turns, repeat)
        return name

    def requests(self, model: str) -> list[Json]:
        """The bodies received for a model, in order."""
        return self._scripts[model].requests

    def asked(self, model: str) -> Script:
        """Everything known about a model: headers, instants, streams open and left."""
        return self._scripts[model]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Handlers of callers that hung up are cancelled, which is how we notice.
        runner = web.AppRunner(
            self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0
        )
        try:
            self._loop.run_until_complete(self._serve(runner))
            self._ready.set()
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(runner.cleanup())
            self._loop.close()

    async def _serve(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, backlog=1024)
        await site.start()
        self._port = runner.addresses[0][1]

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._play)
        app.router.add_post("/v1/embeddings", self._play)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_post("/__script__", self._take_script)
        app.router.add_get("/__requests__/{model}", self._give_requests)
        return app

    async def _play(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        script = self._scripts.get(body.get("model"))
        if script is None:
            unknown = fails(404, message="no such model", code="model_not_found")
            return await _send(request, unknown)
        script.headers.append(dict(request.headers))
        if request.transport is not None:
            script.peers.append(request.transport.get_extra_info("peername"))
        script.open_now += 1
        script.most_open = max(script.most_open, script.open_now)
        try:
            return await _perform(request, body, script.next_turn(body))
        except (asyncio.CancelledError, ConnectionResetError):
            script.hung_up += 1
            raise
        finally:
            script.open_now -= 1

    async def _list_models(self, request: web.Request) -> web.Response:
        data = [
            {"id": name, "object": "model", "created": 1, "owned_by": "script"}
            for name in self._scripts
        ]
        # As careless servers list theirs: with an id alone, or without one.
        careless: list[Json] = [{"id": "bare", "created": None}, {"object": "model"}]
        return web.json_response({"object": "list", "data": data + careless})

    async def _take_script(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        turns = [turn_from_json(turn) for turn in wanted["turns"]]
        name = self.script(
            *turns, repeat=wanted.get("repeat", False), model=wanted.get("model")
        )
        return web.json_response({"model": name})

    async def _give_requests(self, request: web.Request) -> web.Response:
        script = self._scripts.get(request.match_info["model"])
        if script is None:
            raise web.HTTPNotFound
        state = {"requests": script.requests, "most_open": script.most_open}
        return web.json_response({**state, "hung_up": script.hung_up})


async def _perform(request: web.Request, body: Json, turn: Turn) -> web.StreamResponse:
    if isinstance(turn, Sends):
        return await _send(request, turn)
    if isinstance(turn, Embeds):
        return web.json_response(chat_objects.embeddings(body, turn))
    if turn.hang_after == BEFORE_HEADERS:
        await asyncio.Event().wait()
    await asyncio.sleep(turn.delay_seconds)
    if not body.get("stream"):
        if turn.drop_after is not None and request.transport is not None:
            request.transport.abort()
        return web.json_response(chat_objects.whole(body, turn))
    return await _stream(request, body, turn)


async def _send(request: web.Request, turn: Sends) -> web.StreamResponse:
    response = web.StreamResponse(status=turn.status, headers=dict(turn.headers))
    await response.prepare(request)
    await response.write(turn.body.encode())
    await response.write_eof()
    return response


async def _stream(
    request: web.Request, body: Json, turn: Answers
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for at, chunk in enumerate(chat_objects.chunks(body, turn)):
        if at == turn.drop_after and request.transport is not None:
            request.transport.abort()
            break
        if at == turn.hang_after:
            await asyncio.Event().wait()
        if at and turn.chunk_delay_seconds:
            await asyncio.sleep(turn.chunk_delay_seconds)
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
    else:
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
    return response


def main() -> None:
    """Serve until ended; the port is written to a file once it answers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    arguments = parser.parse_args()
    with Upstream(arguments.port) as upstream:
        if arguments.port_file:
            arguments.port_file.write_text(str(upstream.port))
        threading.Event().wait()


if __name__ == "__main__":
    main()
