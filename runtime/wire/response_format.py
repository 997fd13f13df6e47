"""The form that a run's answer is to have."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)
from pydantic_core import InitErrorDetails

from runtime.wire.base import (
    FunctionName,
    JsonObject,
    NotNull,
    Text,
    WireModel,
    invalid,
    is_none,
    word_or_object,
)
from runtime.wire.output_schema import SchemaRefused, check_output_schema


class ResponseFormatText(WireModel):
    type: Literal["text"]


class ResponseFormatJsonObject(WireModel):
    type: Literal["json_object"]


class JsonSchemaFormat(WireModel):
    """An output schema. The wire's key `schema` is `schema_` here: pydantic owns the name."""

    name: FunctionName
    description: NotNull[Text] = None
    schema_: NotNull[JsonObject] = Field(
        default=None, alias="schema", exclude_if=is_none
    )
    strict: bool | None = Field(default=None, exclude_if=is_none)


class ResponseFormatJsonSchema(WireModel):
    type: Literal["json_schema"]
    json_schema: JsonSchemaFormat


_ResponseFormatObject = Annotated[
    ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema,
    Discriminator("type"),
]
AssistantsApiResponseFormatOption = Annotated[
    Annotated[Literal["auto"], Tag("word")]
    | Annotated[_ResponseFormatObject, Tag("object")],
    Discriminator(
        word_or_object,
        custom_error_type="invalid_type",
        custom_error_message="Expected 'auto' or an object with a 'type'.",
    ),
]


def _check_asked_for(option: object) -> object:
    """Refuse an output schema that is none, at the place where it stands."""
    if not isinstance(option, ResponseFormatJsonSchema):
        return option
    asked = option.json_schema
    if asked.schema_ is None:
        return option
    try:
        check_output_schema(asked.schema_, strict=bool(asked.strict))
    except SchemaRefused as refused:
        words = f"This is no JSON Schema that answers can be held to: {refused}."
        raise ValidationError.from_exception_data(
            "ResponseFormatJsonSchema",
            [
                InitErrorDetails(
                    type=invalid(words),
                    loc=("json_schema", "schema"),
                    input=asked.schema_,
                )
            ],
        ) from refused
    return option


RequestedResponseFormat = Annotated[
    AssistantsApiResponseFormatOption, AfterValidator(_check_asked_for)
]
"""A response format in a request. In an object it was checked when it came in."""
