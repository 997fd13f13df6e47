"""A scripted turn in the forms of chat completions and embeddings."""

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.support.turns import Answers, Embeds

Json = dict[str, Any]


def chunks(body: Json, turn: Answers) -> Iterator[Json]:
    """A streamed answer: greeting, deltas, reason, and usage if it was asked for."""
    head = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"],
    }
    deltas: list[Json] = [{"role": "assistant", "content": ""}, *turn.deltas]
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield {**head, "choices": [choice]}
    last = {"index": 0, "delta": {}, "finish_reason": turn.finish_reason}
    yield {**head, "choices": [last]}
    options = body.get("stream_options") or {}
    if turn.usage and options.get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(turn.usage)}


def whole(body: Json, turn: Answers) -> Json:
    """The same answer as one object."""
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    made: dict[int, Json] = {}
    for delta in turn.deltas:
        if "content" in delta:
            message["content"] = (message["content"] or "") + delta["content"]
        for call in delta.get("tool_calls", ()):
            # A copy: the script is played more than once.
            known = made.setdefault(call["index"], json.loads(json.dumps(call)))
            if "id" not in call:
                known["function"]["arguments"] += call["function"]["arguments"]
    if made:
        message["tool_calls"] = [
            {key: value for key, value in call.items() if key != "index"}
            for call in made.values()
        ]
    choice = {"index": 0, "message": message, "finish_reason": turn.finish_reason}
    whole = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
    }
    return {**whole, "usage": _usage(turn.usage)} if turn.usage else whole


def _usage(usage: tuple[int, int]) -> Json:
    read, written = usage
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }


def embeddings(body: Json, turn: Embeds) -> Json:
    """The vectors of a request, as the turn wants them."""
    given = body["input"]
    texts = given if isinstance(given, list) else [given]
    data: list[Json] = []
    for index, text in enumerate(texts[: len(texts) - turn.missing]):
        vector = _vector(str(text), turn)
        entry: Json = {"object": "embedding", "index": index, "embedding": vector}
        if body.get("encoding_format") == "base64":
            packed = struct.pack(f"<{turn.dimensions}f", *vector)
            entry["embedding"] = base64.b64encode(packed).decode()
        data.append(entry)
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {
        "object": "list",
        "data": data[::-1] if turn.shuffled else data,
        "model": body["model"],
        "usage": usage,
    }


def _vector(text: str, turn: Embeds) -> list[float]:
    vector = [1e-3] * turn.dimensions
    for word in text.lower().split():
        digest = hashlib.sha256(word.encode()).digest()
        vector[digest[0] % turn.dimensions] += 1
    length = sum(value * value for value in vector) ** 0.5
    return [value / length for value in vector]
