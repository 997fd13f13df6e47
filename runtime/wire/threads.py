"""Threads: the object and the bodies that create and modify it."""

from typing import Literal

from runtime.wire.assistants import CreateToolResources
from runtime.wire.base import Omissible, UnixSeconds, WireModel
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.shared import Metadata, ToolResources


class ThreadObject(WireModel):
    id: str
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


class DeleteThreadResponse(WireModel):
    id: str
    object: Literal["thread.deleted"] = "thread.deleted"
    deleted: bool = True
