"""A model server whose tokens tell when they were said.

Asked with `{"count": N, "pause": S}` as the user's message, it streams N tokens, S seconds
apart, each the machine's monotonic clock in nanoseconds. As a process:
`python -m tests.bench.clock_model --port-file F`.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

from aiohttp import web


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    asked = json.loads(body["messages"][-1]["content"])
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await _send(response, {"role": "assistant", "content": ""}, None)
    for _ in range(asked["count"]):
        await _send(response, {"content": f"{time.monotonic_ns()} "}, None)
        await asyncio.sleep(asked["pause"])
    await _send(response, {}, "stop")
    await response.write(b"data: [DONE]\n\n")
    return response


async def _send(
    response: web.StreamResponse, delta: dict[str, str], finish: str | None
) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {
        "id": "chatcmpl-clock",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "clock",
        "choices": [choice],
    }
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


async def _serve(port_file: Path) -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    await asyncio.to_thread(port_file.write_text, str(runner.addresses[0][1]))
    await asyncio.Event().wait()


def main() -> None:
    """Serve until ended; the port is written to a file once it answers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port-file", type=Path, required=True)
    asyncio.run(_serve(parser.parse_args().port_file))


if __name__ == "__main__":
    main()
