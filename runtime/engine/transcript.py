"""Items → chat messages: what was said and called, as an upstream wants to read it.

An upstream demands that each assistant message with tool calls is followed by an output
for every one of them; a cancelled run may have left some without.
"""

import base64
from collections.abc import Iterable
from typing import Any

import structlog

from runtime.engine.sources import tool_text
from runtime.files.models import File
from runtime.files.storage import BytesMissing, Storage
from runtime.runs.models import Run
from runtime.threads.models import Item, ItemType

log = structlog.get_logger()

Json = dict[str, Any]

# Of calls of former runs: enough to know what was done, not all that came of it.
_OLD_OUTPUT_CHARACTERS = 4_000
_LARGEST_IMAGE_BYTES = 20 * 1024 * 1024
_TEXTS = ("text", "refusal")
_NOT_ANSWERED = "This call was not answered."


class Transcript:
    """Lays out items as messages, for one run."""

    def __init__(self, run: Run, images: dict[str, File], storage: Storage) -> None:
        """
        Args:
            images: the pictures that messages speak of, by file id.
        """
        self._run = run
        self._images = images
        self._storage = storage

    async def lay_out(self, items: Iterable[Item]) -> list[Json]:
        """The messages of these items, in order.

        What one turn said and called is one assistant message, then the outputs.
        """
        messages: list[Json] = []
        opener: Json = {}
        opened: tuple[int | None, int | None] | None = None
        for item in items:
            turn = (item.run_pk, item.turn)
            if item.type is ItemType.MESSAGE:
                opener = {"role": item.role, "content": await self._content(item)}
                opened = turn if item.role == "assistant" else None
                messages.append(opener)
                continue
            if opened != turn:
                opener, opened = {"role": "assistant", "content": None}, turn
                messages.append(opener)
            opener.setdefault("tool_calls", []).append(_call(item))
            messages.append(self._output(item))
        return messages

    def _output(self, item: Item) -> Json:
        text = tool_text(item) if item.output is not None else _NOT_ANSWERED
        if item.run_pk != self._run.pk:
            text = text[:_OLD_OUTPUT_CHARACTERS]
        return {"role": "tool", "tool_call_id": item.call_id, "content": text}

    async def _content(self, item: Item) -> str | list[Json]:
        parts = item.body.get("content", [])
        texts = [part["text"] for part in parts if part["type"] in _TEXTS]
        # No upstream takes a picture from an assistant.
        if item.role == "assistant" or len(texts) == len(parts):
            return "\n\n".join(texts)
        return [
            {"type": "text", "text": part["text"]}
            if part["type"] in _TEXTS
            else await self._image(part)
            for part in parts
        ]

    async def _image(self, part: Json) -> Json:
        url = part.get("url") or await self._data_url(part["file_id"])
        if url is None:
            return {"type": "text", "text": "[a picture that is not there any more]"}
        image = {"url": url}
        if part.get("detail"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}

    async def _data_url(self, file_id: str) -> str | None:
        # Upstreams cannot fetch from us, so a file travels within the request.
        file = self._images.get(file_id)
        if file is None or file.size_bytes > _LARGEST_IMAGE_BYTES:
            return None
        try:
            data = await self._storage.read(file.storage_key)
        except BytesMissing:
            log.warning("bytes of a picture are missing", file_id=file_id)
            return None
        return f"data:{file.media_type};base64,{base64.b64encode(data).decode()}"


def _call(item: Item) -> Json:
    return {
        "id": item.call_id,
        "type": "function",
        "function": {"name": item.name, "arguments": item.body["arguments"]},
    }
