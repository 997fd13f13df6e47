"""Rows → wire: threads, messages and their content.

Text is kept without citation markers. Here they are put back where their annotations
say, and offsets are counted in the text as it is sent (code points).
"""

from typing import Any

from runtime.clock import unix
from runtime.threads.models import Item, ItemStatus, Thread
from runtime.wire.messages import (
    FileCitation,
    FilePath,
    ImageFile,
    ImageUrlReference,
    MessageAttachment,
    MessageContent,
    MessageContentImageFileObject,
    MessageContentImageUrlObject,
    MessageContentRefusalObject,
    MessageContentTextAnnotationsFileCitationObject,
    MessageContentTextAnnotationsFilePathObject,
    MessageContentTextObject,
    MessageIncompleteDetails,
    MessageObject,
    TextAnnotation,
    TextWithAnnotations,
)
from runtime.wire.shared import ToolResources
from runtime.wire.threads import ThreadObject

# A shell of a message that a stream announces before its content comes.
_WIRE_STATUS = {
    ItemStatus.IN_PROGRESS: "in_progress",
    ItemStatus.COMPLETED: "completed",
    ItemStatus.INCOMPLETE: "incomplete",
    ItemStatus.FAILED: "incomplete",
}


def render_thread(thread: Thread) -> ThreadObject:
    """A thread as the API shows it."""
    return ThreadObject(
        id=thread.id,
        created_at=unix(thread.created_at),
        tool_resources=ToolResources.model_validate(thread.tool_resources),
        metadata=thread.metadata_,
    )


def render_message(item: Item, thread_id: str) -> MessageObject:
    """A message item as the API shows it."""
    ended_at = unix(item.completed_at)
    incomplete = item.status is ItemStatus.INCOMPLETE
    reason = item.incomplete_reason
    attachments = item.body.get("attachments", [])
    return MessageObject.model_validate(
        {
            "id": item.id,
            "created_at": unix(item.created_at),
            "thread_id": thread_id,
            "status": _WIRE_STATUS[item.status],
            "incomplete_details": MessageIncompleteDetails.model_validate(
                {"reason": reason}
            )
            if reason
            else None,
            "completed_at": None if incomplete else ended_at,
            "incomplete_at": ended_at if incomplete else None,
            "role": item.role,
            "content": [render_part(part) for part in item.body.get("content", [])],
            "assistant_id": item.assistant_id,
            "run_id": item.run_id,
            "attachments": [MessageAttachment.model_validate(a) for a in attachments],
            "metadata": item.metadata_,
        }
    )


def render_part(part: dict[str, Any]) -> MessageContent:
    """A stored content part as the API shows it."""
    if part["type"] == "image":
        # Left out, not null, where the caller said nothing of it.
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        if "file_id" in part:
            return MessageContentImageFileObject(
                type="image_file",
                image_file=ImageFile(file_id=part["file_id"], **detail),
            )
        return MessageContentImageUrlObject(
            type="image_url", image_url=ImageUrlReference(url=part["url"], **detail)
        )
    if part["type"] == "refusal":
        return MessageContentRefusalObject(refusal=part["text"])
    value, annotations = render_text(part["text"], part.get("annotations", []))
    return MessageContentTextObject(
        text=TextWithAnnotations(value=value, annotations=annotations)
    )


def render_text(
    text: str, annotations: list[dict[str, Any]]
) -> tuple[str, list[TextAnnotation]]:
    """Put the markers back into `text`.

    Args:
        text: without markers.
        annotations: in the order of their `start`.

    Returns:
        The text with markers, and the annotations with offsets into it.
    """
    pieces: list[str] = []
    rendered: list[TextAnnotation] = []
    taken = inserted = 0
    for annotation in annotations:
        start = annotation["start"]
        pieces.append(text[taken:start])
        taken = start
        marker = annotation["marker"]
        if annotation["kind"] == "file_citation":
            pieces.append(marker)
            rendered.append(render_annotation(annotation, start + inserted))
            inserted += len(marker)
        else:
            rendered.append(render_annotation(annotation, start + inserted))
    pieces.append(text[taken:])
    return "".join(pieces), rendered


def render_annotation(annotation: dict[str, Any], start: int) -> TextAnnotation:
    """A stored annotation as the API shows it, its marker beginning at `start`."""
    marker = annotation["marker"]
    if annotation["kind"] == "file_path":
        return MessageContentTextAnnotationsFilePathObject(
            text=marker,
            file_path=FilePath(file_id=annotation["file_id"]),
            start_index=start,
            end_index=start + len(marker),
        )
    return MessageContentTextAnnotationsFileCitationObject(
        text=marker,
        file_citation=FileCitation(
            file_id=annotation["file_id"],
            filename=annotation.get("filename"),
            quote=annotation.get("quote"),
            page=annotation.get("page"),
            char_start=annotation.get("char_start"),
            char_end=annotation.get("char_end"),
        ),
        start_index=start,
        end_index=start + len(marker),
    )
