"""Assistants: the object and the bodies that create and modify it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runtime.wire.base import NotNull, Omissible, Text, UnixSeconds, WireModel, invalid
from runtime.wire.paging import Listed, Page
from runtime.wire.response_format import (
    AssistantsApiResponseFormatOption,
    RequestedResponseFormat,
)
from runtime.wire.shared import (
    MAX_FILE_SEARCH_STORES,
    AssistantDescription,
    AssistantName,
    AssistantTools,
    Instructions,
    Metadata,
    ModelName,
    ReasoningEffort,
    RequestedTools,
    Temperature,
    ToolResources,
    ToolResourcesCodeInterpreter,
    TopP,
)
from runtime.wire.vector_stores import ChunkingStrategyRequestParam

# As many as a store of the older kind holds in all; the official document's hundred
# million would not fit a request.
MAX_HELPER_FILES = 10_000


class VectorStoreHelper(WireModel):
    """A vector store to be made together with its assistant or thread."""

    file_ids: NotNull[Annotated[list[Text], Field(max_length=MAX_HELPER_FILES)]] = None
    chunking_strategy: NotNull[ChunkingStrategyRequestParam] = None
    metadata: Metadata | None = None


class CreateToolResourcesFileSearch(WireModel):
    """Either a store that exists or one to be made, not both."""

    vector_store_ids: Omissible[
        Annotated[list[Text], Field(max_length=MAX_FILE_SEARCH_STORES)]
    ] = None
    vector_stores: Omissible[
        Annotated[list[VectorStoreHelper], Field(max_length=MAX_FILE_SEARCH_STORES)]
    ] = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.vector_store_ids is not None and self.vector_stores is not None:
            raise invalid(
                "Give either 'vector_store_ids' or 'vector_stores', not both.",
                at="vector_stores",
            )
        return self


class CreateToolResources(WireModel):
    """Tool resources as they may be asked for when an assistant or thread is made."""

    code_interpreter: Omissible[ToolResourcesCodeInterpreter] = None
    file_search: Omissible[CreateToolResourcesFileSearch] = None


class AssistantObject(Listed):
    object: Literal["assistant"] = "assistant"
    created_at: UnixSeconds
    name: AssistantName | None
    description: AssistantDescription | None
    model: str
    instructions: Instructions | None
    tools: AssistantTools
    metadata: Metadata
    tool_resources: ToolResources | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: AssistantsApiResponseFormatOption | None = None


class CreateAssistantRequest(WireModel):
    model: ModelName
    name: AssistantName | None = None
    description: AssistantDescription | None = None
    instructions: Instructions | None = None
    reasoning_effort: ReasoningEffort | None = None
    tools: RequestedTools = Field(default_factory=list)
    tool_resources: CreateToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: RequestedResponseFormat | None = None


class ModifyAssistantRequest(WireModel):
    """Fields left out keep their value; null clears one that may be null."""

    model: NotNull[ModelName] = None
    name: AssistantName | None = None
    description: AssistantDescription | None = None
    instructions: Instructions | None = None
    reasoning_effort: ReasoningEffort | None = None
    tools: NotNull[RequestedTools] = None
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: RequestedResponseFormat | None = None


class DeleteAssistantResponse(WireModel):
    id: str
    object: Literal["assistant.deleted"] = "assistant.deleted"
    deleted: bool = True


class ListAssistantsResponse(Page[AssistantObject]):
    """Newest first unless asked otherwise."""
