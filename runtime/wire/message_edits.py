"""Messages put in between and rewritten: what OpenAI's bodies take, and more."""

from pydantic import ValidationInfo, field_validator

from runtime.wire.base import NotNull, Text, WireModel, invalid
from runtime.wire.messages import CreateMessageRequest, MessageRequestContent
from runtime.wire.shared import Metadata


class CreateMessageAtRequest(CreateMessageRequest):
    """A message to add: to the end, or `before` or `after` another of the thread.

    Both name a message by its id, and only one of them may be given. They are ours: an
    app that knows OpenAI's API only never sends them.
    """

    before: NotNull[Text] = None
    after: NotNull[Text] = None

    @field_validator("after")
    @classmethod
    def _one_place(cls, after: str | None, info: ValidationInfo) -> str | None:
        if after is not None and info.data.get("before") is not None:
            raise invalid("Give either 'before' or 'after', and not both.")
        return after


class ModifyMessageRequest(WireModel):
    """What is left out stays as it is. `content`, which is ours, replaces all parts."""

    content: NotNull[MessageRequestContent] = None
    metadata: Metadata | None = None
