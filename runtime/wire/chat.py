"""The part of chat completions that we read ourselves; the rest passes through.

An upstream may know parameters that no specification lists, so unknown fields are let
through and only what decides where a request goes, and how, is checked.
"""

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from runtime.wire.base import NonEmptyText, NotNull, WireModel, check_json


class PassedThrough(WireModel):
    """A body of which we read a part; `model_dump(exclude_unset=True)` is all of it."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _check_json(cls, body: object) -> object:
        # What cannot be written as JSON cannot be passed on.
        return check_json(body)

    def as_sent(self) -> dict[str, Any]:
        """The body as the caller sent it."""
        return self.model_dump(exclude_unset=True)


class CreateChatCompletionRequest(PassedThrough):
    """`POST /v1/chat/completions`."""

    model: NonEmptyText
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    tools: NotNull[list[dict[str, Any]]] = None
