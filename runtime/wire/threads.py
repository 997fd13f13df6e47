"""Threads: the object, its list, and the bodies that create, modify, fork and delete."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from runtime.wire.assistants import CreateToolResources
from runtime.wire.base import NotNull, Omissible, Text, UnixSeconds, WireModel, invalid
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.paging import Listed, Page
from runtime.wire.shared import Metadata, ToolResources

MAX_DELETED_THREADS = 100


class ThreadObject(Listed):
    object: Literal["thread"] = "thread"
    created_at: UnixSeconds
    tool_resources: ToolResources | None
    metadata: Metadata


class CreateThreadRequest(WireModel):
    """A thread to begin, with its first messages if there are any; null is none."""

    messages: Omissible[list[CreateMessageRequest]] = None
    tool_resources: CreateToolResources | None = None
    metadata: Metadata | None = None


class ModifyThreadRequest(WireModel):
    """Fields left out keep their value; null clears them."""

    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None


class DeleteThreadResponse(Listed):
    object: Literal["thread.deleted"] = "thread.deleted"
    deleted: bool = True


# What follows is ours; an app that knows OpenAI's API only never asks for it.


class ListThreadsResponse(Page[ThreadObject]):
    """Newest first unless asked otherwise."""


class ForkThreadRequest(WireModel):
    """What to take of a thread, and the new one's metadata.

    `message_id` names the last message to take along; left out, all are. `metadata` is
    the original's when left out; null: none.
    """

    message_id: NotNull[Text] = None
    metadata: Metadata | None = None


class DeleteThreadsRequest(WireModel):
    """Threads by id, or all that have these metadata: one or the other.

    Of metadata there must be a pair: nobody deletes every thread by leaving it empty.
    """

    thread_ids: NotNull[
        Annotated[list[Text], Field(min_length=1, max_length=MAX_DELETED_THREADS)]
    ] = None
    metadata: NotNull[Metadata] = None

    @field_validator("metadata")
    @classmethod
    def _alone_and_not_empty(
        cls, metadata: dict[str, str] | None, info: ValidationInfo
    ) -> dict[str, str] | None:
        if info.data.get("thread_ids") is not None:
            raise invalid("Give either 'thread_ids' or 'metadata', and not both.")
        if not metadata:
            raise invalid("Name at least one pair that the threads have.")
        return metadata

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.thread_ids is None and self.metadata is None:
            raise invalid("Give either 'thread_ids' or 'metadata'.")
        return self


class DeleteThreadsResponse(Page[DeleteThreadResponse]):
    """What became of each thread; `has_more`: more have these metadata, ask again."""
