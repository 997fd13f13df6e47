"""Run steps: what a run did, whole and as it happens."""

from typing import Annotated, Literal

from pydantic import Discriminator

from runtime.wire.base import Omissible, UnixSeconds, WireModel
from runtime.wire.paging import Listed, Page
from runtime.wire.shared import Metadata, UnitScore

RunStepType = Literal["message_creation", "tool_calls"]
RunStepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]
RunStepErrorCode = Literal["server_error", "rate_limit_exceeded"]


class CreatedMessage(WireModel):
    message_id: str


class RunStepDetailsMessageCreationObject(WireModel):
    type: Literal["message_creation"] = "message_creation"
    message_creation: CreatedMessage


class RunStepDetailsToolCallsCodeOutputLogsObject(WireModel):
    """What the code printed."""

    type: Literal["logs"] = "logs"
    logs: str


class ImageReference(WireModel):
    file_id: str


class RunStepDetailsToolCallsCodeOutputImageObject(WireModel):
    """A picture the code drew, as a file."""

    type: Literal["image"] = "image"
    image: ImageReference


CodeOutput = Annotated[
    RunStepDetailsToolCallsCodeOutputLogsObject
    | RunStepDetailsToolCallsCodeOutputImageObject,
    Discriminator("type"),
]


class CodeInterpreterCall(WireModel):
    """The code as `input`, and what came of it."""

    input: str
    outputs: list[CodeOutput]


class RunStepDetailsToolCallsCodeObject(WireModel):
    id: str
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: CodeInterpreterCall


class RunStepDetailsToolCallsFileSearchRankingOptionsObject(WireModel):
    ranker: Literal["auto", "default_2024_08_21"]
    score_threshold: UnitScore


class FileSearchResultContent(WireModel):
    type: Literal["text"] = "text"
    text: str


class RunStepDetailsToolCallsFileSearchResultObject(WireModel):
    """A chunk that was found; `content` is sent only when `include[]` asks for it.

    `page` (from 1), `char_start` and `char_end` (code points of the file's text) are
    ours: where the chunk stands in its file.
    """

    file_id: str
    file_name: str
    score: UnitScore
    content: Omissible[list[FileSearchResultContent]] = None
    page: Omissible[int] = None
    char_start: Omissible[int] = None
    char_end: Omissible[int] = None


class FileSearchCall(WireModel):
    """Empty until the search is done."""

    ranking_options: Omissible[
        RunStepDetailsToolCallsFileSearchRankingOptionsObject
    ] = None
    results: Omissible[list[RunStepDetailsToolCallsFileSearchResultObject]] = None


class RunStepDetailsToolCallsFileSearchObject(WireModel):
    id: str
    type: Literal["file_search"] = "file_search"
    file_search: FileSearchCall


class FunctionCall(WireModel):
    """A call of the caller's function; `output` is null until it is submitted."""

    name: str
    arguments: str
    output: str | None


class RunStepDetailsToolCallsFunctionObject(WireModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


StepToolCall = Annotated[
    RunStepDetailsToolCallsCodeObject
    | RunStepDetailsToolCallsFileSearchObject
    | RunStepDetailsToolCallsFunctionObject,
    Discriminator("type"),
]


class RunStepDetailsToolCallsObject(WireModel):
    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[StepToolCall]


StepDetails = Annotated[
    RunStepDetailsMessageCreationObject | RunStepDetailsToolCallsObject,
    Discriminator("type"),
]


class RunStepLastError(WireModel):
    """Why a step failed."""

    code: RunStepErrorCode
    message: str


class RunStepCompletionUsage(WireModel):
    """Tokens of the model call this step came from."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class RunStepObject(Listed):
    """A step. It ends with its run: the key is `expired_at`, not `expires_at`."""

    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: UnixSeconds
    assistant_id: str
    thread_id: str
    run_id: str
    type: RunStepType
    status: RunStepStatus
    step_details: StepDetails
    last_error: RunStepLastError | None
    expired_at: UnixSeconds | None
    cancelled_at: UnixSeconds | None
    failed_at: UnixSeconds | None
    completed_at: UnixSeconds | None
    metadata: Metadata
    usage: RunStepCompletionUsage | None


class ListRunStepsResponse(Page[RunStepObject]):
    """Newest first unless asked otherwise."""


class RunStepDeltaStepDetailsMessageCreationObject(WireModel):
    type: Literal["message_creation"] = "message_creation"
    message_creation: Omissible[CreatedMessage] = None


class RunStepDeltaStepDetailsToolCallsCodeOutputLogsObject(WireModel):
    """More of what the code printed; `index` is the output's place in its call."""

    index: int
    type: Literal["logs"] = "logs"
    logs: Omissible[str] = None


class RunStepDeltaStepDetailsToolCallsCodeOutputImageObject(WireModel):
    index: int
    type: Literal["image"] = "image"
    image: Omissible[ImageReference] = None


CodeOutputDelta = Annotated[
    RunStepDeltaStepDetailsToolCallsCodeOutputLogsObject
    | RunStepDeltaStepDetailsToolCallsCodeOutputImageObject,
    Discriminator("type"),
]


class CodeInterpreterCallDelta(WireModel):
    """More of the code, or of its outputs."""

    input: Omissible[str] = None
    outputs: Omissible[list[CodeOutputDelta]] = None


class RunStepDeltaStepDetailsToolCallsCodeObject(WireModel):
    """`index` is the call's place in its step."""

    index: int
    id: Omissible[str] = None
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: Omissible[CodeInterpreterCallDelta] = None


class RunStepDeltaStepDetailsToolCallsFileSearchObject(WireModel):
    index: int
    id: Omissible[str] = None
    type: Literal["file_search"] = "file_search"
    file_search: FileSearchCall = FileSearchCall()


class FunctionCallDelta(WireModel):
    """More of a call: its name at first, then its arguments in pieces."""

    name: Omissible[str] = None
    arguments: Omissible[str] = None
    output: Omissible[str] = None


class RunStepDeltaStepDetailsToolCallsFunctionObject(WireModel):
    index: int
    id: Omissible[str] = None
    type: Literal["function"] = "function"
    function: Omissible[FunctionCallDelta] = None


StepToolCallDelta = Annotated[
    RunStepDeltaStepDetailsToolCallsCodeObject
    | RunStepDeltaStepDetailsToolCallsFileSearchObject
    | RunStepDeltaStepDetailsToolCallsFunctionObject,
    Discriminator("type"),
]


class RunStepDeltaStepDetailsToolCallsObject(WireModel):
    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: Omissible[list[StepToolCallDelta]] = None


class RunStepDelta(WireModel):
    step_details: Omissible[
        Annotated[
            RunStepDeltaStepDetailsMessageCreationObject
            | RunStepDeltaStepDetailsToolCallsObject,
            Discriminator("type"),
        ]
    ] = None


class RunStepDeltaObject(WireModel):
    """What changed on a step, by the index of its call and output."""

    id: str
    object: Literal["thread.run.step.delta"] = "thread.run.step.delta"
    delta: RunStepDelta
