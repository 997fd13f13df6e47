"""Wire → rows: what a caller writes, in the neutral form in which it is kept."""

from typing import Any

from runtime.wire.messages import (
    MessageContentImageFileObject,
    MessageContentImageUrlObject,
    MessageRequestContent,
    MessageRequestContentPart,
)


def store_content(content: MessageRequestContent) -> list[dict[str, Any]]:
    """The parts of a message, as they lie in `items.body`."""
    if isinstance(content, str):
        return [_text(content)]
    return [_store_part(part) for part in content]


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
