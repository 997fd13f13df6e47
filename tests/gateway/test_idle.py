"""What a gateway costs before it is used."""

import subprocess
import sys

HEAVY = "openai", "aiohttp", "httpx2", "onnx", "onnxruntime", "tokenizers", "numpy"

ANSWER = f"""
import asyncio, sys
from runtime.gateway import *

async def main():
    config = UpstreamConfig(base_url=None, api_key=None)
    gateway = Gateway.open(config, embedding_model="local")
    request = ChatRequest("builtin", [{{"role": "user", "content": "Hello"}}])
    assert [delta async for delta in stream_chat(gateway, request)]
    await gateway.close()

asyncio.run(main())
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def test_the_built_in_model_answers_without_anything_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWER],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.strip() == "[]"
