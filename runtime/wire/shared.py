"""What several resources share: metadata, tools, tool resources, choices."""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from runtime.wire.base import (
    FunctionName,
    JsonObject,
    NonEmptyText,
    NotNull,
    Omissible,
    Text,
    WireModel,
    invalid,
    is_none,
    refuse_unstorable,
    shown_with,
    word_or_object,
)

MAX_PAIRS = 16
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 512
MAX_INSTRUCTIONS_CHARS = 256_000
MAX_ASSISTANT_TOOLS = 128
MAX_RUN_TOOLS = 20
MAX_CODE_FILES = 20
MAX_FILE_SEARCH_STORES = 1

_INT64 = 2**63


def _check_text_value(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise invalid("Expected a string.", at=key, code="invalid_type")
    if len(value) > MAX_VALUE_CHARS:
        raise invalid(
            f"string too long. Expected a string with maximum length {MAX_VALUE_CHARS},"
            f" but got a string with length {len(value)} instead.",
            at=key,
            code="string_above_max_length",
        )
    refuse_unstorable(value)


def is_attribute_value(value: object) -> bool:
    """Whether a value may stand in a file's attributes, its length aside."""
    if isinstance(value, int | float):  # a bool is an int too
        return -_INT64 <= value < _INT64  # NaN and Infinity fail this
    return isinstance(value, str)


def _check_attribute_value(key: str, value: object) -> None:
    if not is_attribute_value(value):
        raise invalid(
            "Expected a string, a boolean or a number that fits 64 bits.",
            at=key,
            code="invalid_type",
        )
    if isinstance(value, str):
        _check_text_value(key, value)


def _checker(check_value: Callable[[str, object], None]) -> Callable[[object], object]:
    """Check a map of at most 16 pairs whose values `check_value` accepts."""

    def check(pairs: object) -> object:
        if not isinstance(pairs, dict):
            return pairs  # the field's own type says what is wrong
        if len(pairs) > MAX_PAIRS:
            raise invalid(
                f"too many properties. Expected an object with at most {MAX_PAIRS}"
                f" properties, but got an object with {len(pairs)} properties instead.",
                code="object_above_max_properties",
            )
        for key, value in pairs.items():
            refuse_unstorable(key)
            if len(key) > MAX_KEY_CHARS:
                raise invalid(
                    f"The key '{key[:MAX_KEY_CHARS]}…' is longer than"
                    f" {MAX_KEY_CHARS} characters."
                )
            check_value(key, value)
        return pairs

    return check


_SHOWN_PAIRS = {
    "maxProperties": MAX_PAIRS,
    "propertyNames": {"maxLength": MAX_KEY_CHARS},
}
_SHOWN_TEXT = {"type": "string", "maxLength": MAX_VALUE_CHARS}

Metadata = Annotated[
    dict[str, str],
    BeforeValidator(_checker(_check_text_value)),
    shown_with(**_SHOWN_PAIRS, additionalProperties=_SHOWN_TEXT),
]
"""Up to 16 pairs; keys to 64 characters, values strings to 512."""

AttributeValue = str | bool | int | float
VectorStoreFileAttributes = Annotated[
    dict[str, AttributeValue],
    BeforeValidator(_checker(_check_attribute_value)),
    shown_with(
        **_SHOWN_PAIRS,
        additionalProperties={
            "anyOf": [_SHOWN_TEXT, {"type": "boolean"}, {"type": "number"}]
        },
    ),
]
"""As metadata, but a value may also be a number or a boolean."""

AssistantName = Annotated[Text, Field(max_length=256)]
AssistantDescription = Annotated[Text, Field(max_length=512)]
Instructions = Annotated[Text, Field(max_length=MAX_INSTRUCTIONS_CHARS)]
ModelName = NonEmptyText
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
UnitScore = Annotated[float, Field(ge=0, le=1)]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class FunctionObject(WireModel):
    """A function the caller offers; `parameters` is a JSON Schema."""

    name: FunctionName
    description: NotNull[Text] = None
    parameters: NotNull[JsonObject] = None
    strict: bool | None = Field(default=None, exclude_if=is_none)


class AssistantToolsCode(WireModel):
    type: Literal["code_interpreter"]


class HybridSearchOptions(WireModel):
    """How much meaning (vectors) and words count in a ranking: only their ratio matters.

    The Assistants API has no place for these weights; they are written here as OpenAI's
    Responses API writes them.
    """

    embedding_weight: Annotated[float, Field(ge=0)]
    text_weight: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        if self.embedding_weight == self.text_weight == 0:
            raise invalid("One of the two weights must be more than 0.")
        return self


class FileSearchRankingOptions(WireModel):
    """Which ranker, and the score (0 to 1) below which results are dropped."""

    score_threshold: UnitScore
    ranker: NotNull[Literal["auto", "default_2024_08_21"]] = None
    hybrid_search: NotNull[HybridSearchOptions] = None


class AssistantToolsFileSearchOverrides(WireModel):
    max_num_results: NotNull[Annotated[int, Field(ge=1, le=50)]] = None
    ranking_options: NotNull[FileSearchRankingOptions] = None


class AssistantToolsFileSearch(WireModel):
    type: Literal["file_search"]
    file_search: NotNull[AssistantToolsFileSearchOverrides] = None


class AssistantToolsFileSearchTypeOnly(WireModel):
    type: Literal["file_search"]


class AssistantToolsFunction(WireModel):
    type: Literal["function"]
    function: FunctionObject


AssistantTool = Annotated[
    AssistantToolsCode | AssistantToolsFileSearch | AssistantToolsFunction,
    Discriminator("type"),
]
AssistantTools = Annotated[list[AssistantTool], Field(max_length=MAX_ASSISTANT_TOOLS)]


def _check_names(tools: list[AssistantTool]) -> list[AssistantTool]:
    """Refuse two tools that a model could not tell apart; one listed twice is one."""
    kinds = {tool.type for tool in tools if tool.type != "function"}
    known: dict[str, FunctionObject] = {}
    for index, tool in enumerate(tools):
        if isinstance(tool, AssistantToolsFunction):
            name = tool.function.name
            if name in kinds or known.setdefault(name, tool.function) != tool.function:
                raise invalid(
                    f"Another tool here is called '{name}' too.",
                    at=(index, "function", "name"),
                )
    return tools


RequestedTools = Annotated[AssistantTools, AfterValidator(_check_names)]
RunTools = Annotated[
    list[AssistantTool], Field(max_length=MAX_RUN_TOOLS), AfterValidator(_check_names)
]


class ToolResourcesCodeInterpreter(WireModel):
    """Files placed in the sandbox's `/mnt/data`."""

    file_ids: Annotated[list[Text], Field(max_length=MAX_CODE_FILES)] = Field(
        default_factory=list
    )


class ToolResourcesFileSearch(WireModel):
    vector_store_ids: Omissible[
        Annotated[list[Text], Field(max_length=MAX_FILE_SEARCH_STORES)]
    ] = None


class ToolResources(WireModel):
    """What the tools of an assistant or a thread may reach, by id.

    Null says nothing of a tool, in requests too: clients send back what they have read,
    with null for each tool that was not there (AutoGen's assistant agent does).
    """

    code_interpreter: Omissible[ToolResourcesCodeInterpreter] = None
    file_search: Omissible[ToolResourcesFileSearch] = None


class AssistantsNamedToolChoiceFunction(WireModel):
    name: Text


class AssistantsNamedToolChoice(WireModel):
    """One tool that the model must use in its first turn."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NotNull[AssistantsNamedToolChoiceFunction] = None

    @model_validator(mode="after")
    def _name_the_function(self) -> Self:
        if self.type == "function" and self.function is None:
            raise invalid(
                "A tool choice of type 'function' needs the function's name.",
                at="function",
            )
        return self


AssistantsApiToolChoiceOption = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")]
    | Annotated[AssistantsNamedToolChoice, Tag("object")],
    Discriminator(
        word_or_object,
        custom_error_type="invalid_type",
        custom_error_message=(
            "Expected 'none', 'auto', 'required' or an object that names a tool."
        ),
    ),
]


class TruncationObject(WireModel):
    """How much of the thread a run reads: as fits, or the last so many messages."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _say_how_many(self) -> Self:
        if self.type == "last_messages" and self.last_messages is None:
            raise invalid(
                "A truncation of type 'last_messages' says how many there are.",
                at="last_messages",
            )
        return self
