"""Runs: the object and the bodies that create, modify and continue one."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.wire.base import NotNull, Text, UnixSeconds, WireModel
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.paging import Listed, Page
from runtime.wire.response_format import (
    AssistantsApiResponseFormatOption,
    RequestedResponseFormat,
)
from runtime.wire.shared import (
    AssistantsApiToolChoiceOption,
    AssistantTool,
    Instructions,
    Metadata,
    ModelName,
    ReasoningEffort,
    RunTools,
    Temperature,
    ToolResources,
    TopP,
    TruncationObject,
)
from runtime.wire.threads import CreateThreadRequest

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
RunErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
RunIncompleteReason = Literal["max_completion_tokens", "max_prompt_tokens"]
BusyPolicy = Literal["reject", "queue", "replace"]
"""What createRun does on a thread whose last run has not ended. Ours: OpenAI rejects."""
RunInclude = Literal["step_details.tool_calls[*].file_search.results[*].content"]
"""What `include[]` may name, in createRun and when steps are read."""

# 256 by the contract; the ceiling is that of the column.
TokenBudget = Annotated[int, Field(ge=256, le=2**31 - 1)]


class RunToolCallFunction(WireModel):
    """A function the model calls; `arguments` is JSON as text, as the model wrote it."""

    name: str
    arguments: str


class RunToolCallObject(WireModel):
    id: str
    type: Literal["function"] = "function"
    function: RunToolCallFunction


class SubmitToolOutputsAction(WireModel):
    tool_calls: list[RunToolCallObject]


class RunRequiredAction(WireModel):
    """What the caller must do before the run goes on."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: SubmitToolOutputsAction


class RunLastError(WireModel):
    """Why a run failed."""

    code: RunErrorCode
    message: str


class RunIncompleteDetails(WireModel):
    """Which token budget ran out."""

    reason: RunIncompleteReason


class RunCompletionUsage(WireModel):
    """Tokens of all model calls of a run."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class RunObject(Listed):
    """A run. `instructions` is never null on the wire: none is "".

    `tools` is not cut at 20 as the official object would have it: an assistant may
    bring 128.
    """

    object: Literal["thread.run"] = "thread.run"
    created_at: UnixSeconds
    thread_id: str
    assistant_id: str
    status: RunStatus
    required_action: RunRequiredAction | None
    last_error: RunLastError | None
    expires_at: UnixSeconds | None
    started_at: UnixSeconds | None
    cancelled_at: UnixSeconds | None
    failed_at: UnixSeconds | None
    completed_at: UnixSeconds | None
    incomplete_details: RunIncompleteDetails | None
    model: str
    instructions: str
    tools: list[AssistantTool]
    metadata: Metadata
    usage: RunCompletionUsage | None
    max_prompt_tokens: TokenBudget | None
    max_completion_tokens: TokenBudget | None
    truncation_strategy: TruncationObject | None
    tool_choice: AssistantsApiToolChoiceOption | None
    parallel_tool_calls: bool
    response_format: AssistantsApiResponseFormatOption | None
    temperature: float | None = None
    top_p: float | None = None


class RunSettings(WireModel):
    """What both ways to create a run may set; null means the assistant's own."""

    assistant_id: Text
    model: ModelName | None = None
    instructions: Instructions | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenBudget | None = None
    max_completion_tokens: TokenBudget | None = None
    truncation_strategy: TruncationObject | None = None
    tool_choice: AssistantsApiToolChoiceOption | None = None
    parallel_tool_calls: bool = True
    response_format: RequestedResponseFormat | None = None


class CreateRunRequest(RunSettings):
    reasoning_effort: ReasoningEffort | None = None
    additional_instructions: Instructions | None = None
    additional_messages: list[CreateMessageRequest] | None = None
    busy_policy: Annotated[
        BusyPolicy | None,
        Field(
            description="An addition to OpenAI's API. What becomes of this run when "
            "another is live on the thread: `reject` (the default) answers 400; `queue` "
            "lets it wait its turn, `queued`, its `additional_messages` with it; "
            "`replace` cancels the live run and those that wait, and goes next."
        ),
    ] = None


class CreateThreadAndRunRequest(RunSettings):
    """A thread and its first run in one request."""

    thread: NotNull[CreateThreadRequest] = None
    tool_resources: ToolResources | None = None


class ModifyRunRequest(WireModel):
    metadata: Metadata | None = None


class ToolOutput(WireModel):
    """What a function gave back; left out means it gave nothing."""

    tool_call_id: Text
    output: Text = ""


class SubmitToolOutputsRunRequest(WireModel):
    """The outputs of all open calls, in one request."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


class ListRunsResponse(Page[RunObject]):
    """Newest first unless asked otherwise."""
