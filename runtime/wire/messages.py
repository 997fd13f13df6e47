"""Messages: the object, its content parts, and the body that creates one."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from runtime.wire.base import (
    ImageUrl,
    NonEmptyText,
    NotNull,
    Omissible,
    Text,
    UnixSeconds,
    WireModel,
    invalid,
)
from runtime.wire.paging import Listed, Page
from runtime.wire.shared import (
    AssistantToolsCode,
    AssistantToolsFileSearchTypeOnly,
    Metadata,
)

MAX_CONTENT_CHARS = 256_000
MessageRole = Literal["user", "assistant"]
MessageStatus = Literal["in_progress", "incomplete", "completed"]
MessageIncompleteReason = Literal[
    "content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"
]
ImageDetail = Literal["auto", "low", "high"]


class ImageFile(WireModel):
    file_id: Text
    detail: NotNull[ImageDetail] = None


class MessageContentImageFileObject(WireModel):
    """A picture that is a file of ours; both sent by callers and drawn by tools."""

    type: Literal["image_file"]
    image_file: ImageFile


class ImageUrlReference(WireModel):
    url: ImageUrl
    detail: NotNull[ImageDetail] = None


class MessageContentImageUrlObject(WireModel):
    type: Literal["image_url"]
    image_url: ImageUrlReference


class MessageRequestContentTextObject(WireModel):
    """Text as a caller sends it: a string, where the stored part has an object."""

    type: Literal["text"]
    text: NonEmptyText


class MessageContentRefusalObject(WireModel):
    type: Literal["refusal"] = "refusal"
    refusal: str


class FileCitation(WireModel):
    """The cited file. All but `file_id` is ours: what was cited, and where it stands.

    `page` counts from 1; `char_start` and `char_end` are code points of the file's text.
    """

    file_id: str
    filename: Omissible[str] = None
    quote: Omissible[str] = None
    page: Omissible[int] = None
    char_start: Omissible[int] = None
    char_end: Omissible[int] = None


class MessageContentTextAnnotationsFileCitationObject(WireModel):
    """A place in the text that rests on a file; offsets count its code points."""

    type: Literal["file_citation"] = "file_citation"
    text: str
    file_citation: FileCitation
    start_index: Annotated[int, Field(ge=0)]
    end_index: Annotated[int, Field(ge=0)]


class FilePath(WireModel):
    file_id: str


class MessageContentTextAnnotationsFilePathObject(WireModel):
    """A place in the text that offers a file made by the code interpreter."""

    type: Literal["file_path"] = "file_path"
    text: str
    file_path: FilePath
    start_index: Annotated[int, Field(ge=0)]
    end_index: Annotated[int, Field(ge=0)]


TextAnnotation = Annotated[
    MessageContentTextAnnotationsFileCitationObject
    | MessageContentTextAnnotationsFilePathObject,
    Discriminator("type"),
]


class TextWithAnnotations(WireModel):
    value: str
    annotations: list[TextAnnotation]


class MessageContentTextObject(WireModel):
    type: Literal["text"] = "text"
    text: TextWithAnnotations


MessageContent = Annotated[
    MessageContentImageFileObject
    | MessageContentImageUrlObject
    | MessageContentTextObject
    | MessageContentRefusalObject,
    Discriminator("type"),
]
MessageRequestContentPart = Annotated[
    MessageContentImageFileObject
    | MessageContentImageUrlObject
    | MessageRequestContentTextObject,
    Discriminator("type"),
]
AttachmentTool = Annotated[
    AssistantToolsCode | AssistantToolsFileSearchTypeOnly, Discriminator("type")
]


class MessageAttachment(WireModel):
    """A file, and the tools that may use it."""

    file_id: Text
    tools: list[AttachmentTool]


class MessageIncompleteDetails(WireModel):
    reason: MessageIncompleteReason


class MessageObject(Listed):
    object: Literal["thread.message"] = "thread.message"
    created_at: UnixSeconds
    thread_id: str
    status: MessageStatus
    incomplete_details: MessageIncompleteDetails | None
    completed_at: UnixSeconds | None
    incomplete_at: UnixSeconds | None
    role: MessageRole
    content: list[MessageContent]
    assistant_id: str | None
    run_id: str | None
    attachments: list[MessageAttachment] | None
    metadata: Metadata


def _text_or_parts(value: object) -> str | None:
    if isinstance(value, str):
        return "text"
    return "parts" if isinstance(value, list) else None


def _check_total_length(
    parts: list[MessageRequestContentPart],
) -> list[MessageRequestContentPart]:
    texts = (p.text for p in parts if isinstance(p, MessageRequestContentTextObject))
    if sum(map(len, texts)) > MAX_CONTENT_CHARS:
        raise invalid(f"The texts together exceed {MAX_CONTENT_CHARS:,} characters.")
    return parts


MessageRequestContent = Annotated[
    Annotated[NonEmptyText, Field(max_length=MAX_CONTENT_CHARS), Tag("text")]
    | Annotated[
        list[MessageRequestContentPart],
        Field(min_length=1),
        AfterValidator(_check_total_length),
        Tag("parts"),
    ],
    Discriminator(
        _text_or_parts,
        custom_error_type="invalid_type",
        custom_error_message="Expected a string or a list of content parts.",
    ),
]


class CreateMessageRequest(WireModel):
    """A message to add: text, or a list of parts."""

    role: MessageRole
    content: MessageRequestContent
    attachments: list[MessageAttachment] | None = None
    metadata: Metadata | None = None


class DeleteMessageResponse(WireModel):
    id: str
    object: Literal["thread.message.deleted"] = "thread.message.deleted"
    deleted: bool = True


class ListMessagesResponse(Page[MessageObject]):
    """Newest first unless asked otherwise."""


class MessageDeltaContentImageFileObject(WireModel):
    """A picture, whole: a delta never splits one."""

    index: int
    type: Literal["image_file"] = "image_file"
    image_file: Omissible[ImageFile] = None


class MessageDeltaContentImageUrlObject(WireModel):
    index: int
    type: Literal["image_url"] = "image_url"
    image_url: Omissible[ImageUrlReference] = None


class MessageDeltaContentRefusalObject(WireModel):
    index: int
    type: Literal["refusal"] = "refusal"
    refusal: Omissible[str] = None


class MessageDeltaContentTextAnnotationsFileCitationObject(WireModel):
    """An annotation that came with a delta; `index` is its place in the part's list."""

    index: int
    type: Literal["file_citation"] = "file_citation"
    text: Omissible[str] = None
    file_citation: Omissible[FileCitation] = None
    start_index: Omissible[Annotated[int, Field(ge=0)]] = None
    end_index: Omissible[Annotated[int, Field(ge=0)]] = None


class MessageDeltaContentTextAnnotationsFilePathObject(WireModel):
    index: int
    type: Literal["file_path"] = "file_path"
    text: Omissible[str] = None
    file_path: Omissible[FilePath] = None
    start_index: Omissible[Annotated[int, Field(ge=0)]] = None
    end_index: Omissible[Annotated[int, Field(ge=0)]] = None


TextAnnotationDelta = Annotated[
    MessageDeltaContentTextAnnotationsFileCitationObject
    | MessageDeltaContentTextAnnotationsFilePathObject,
    Discriminator("type"),
]


class TextDelta(WireModel):
    """More text to append, or annotations, or both."""

    value: Omissible[str] = None
    annotations: Omissible[list[TextAnnotationDelta]] = None


class MessageDeltaContentTextObject(WireModel):
    index: int
    type: Literal["text"] = "text"
    text: Omissible[TextDelta] = None


MessageDeltaContent = Annotated[
    MessageDeltaContentImageFileObject
    | MessageDeltaContentTextObject
    | MessageDeltaContentRefusalObject
    | MessageDeltaContentImageUrlObject,
    Discriminator("type"),
]


class MessageDelta(WireModel):
    role: Omissible[MessageRole] = None
    content: Omissible[list[MessageDeltaContent]] = None


class MessageDeltaObject(WireModel):
    """What changed on a message, by the index of its content part."""

    id: str
    object: Literal["thread.message.delta"] = "thread.message.delta"
    delta: MessageDelta
