"""Wire → rows: what a caller writes, in the neutral form in which it is kept."""

from typing import Any

from runtime.wire.messages import (
    CreateMessageRequest,
    MessageContentImageFileObject,
    MessageContentImageUrlObject,
    MessageRequestContentPart,
)


def store_content(body: CreateMessageRequest) -> list[dict[str, Any]]:
    """The parts of a message, as they lie in `items.body`."""
    if isinstance(body.content, str):
        return [_text(body.content)]
    return [_store_part(part) for part in body.content]


def text_of(content: list[dict[str, Any]]) -> str:
    """All text of a stored message, parts a blank line apart."""
    return "\n\n".join(part["text"] for part in content if part["type"] == "text")


def _store_part(part: MessageRequestContentPart) -> dict[str, Any]:
    if isinstance(part, MessageContentImageFileObject):
        image = part.image_file
        return {"type": "image", "file_id": image.file_id, "detail": image.detail}
    if isinstance(part, MessageContentImageUrlObject):
        linked = part.image_url
        return {"type": "image", "url": linked.url, "detail": linked.detail}
    return _text(part.text)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "annotations": []}
