"""What every wire model is made of: one base, and the scalars they share.

Null and absent differ on this wire. Three spellings say which one a field may be:

    X | None            null is allowed and is sent as null
    NotNull[X] = None   in requests: may be left out, may not be null
    Omissible[X] = None in objects: None means the key is not sent at all; in requests:
                        null says no more than leaving it out

In requests, `model_fields_set` tells an explicit null from an absent field.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

T = TypeVar("T")

_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

# A JSON document a caller may hand us (a function's parameters, an output schema). Far
# more than any real schema, far less than what would exhaust the stack of a reader.
MAX_JSON_DEPTH = 64


class WireModel(BaseModel):
    """The base of every shape: nothing coerced, nothing unknown let through."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        serialize_by_alias=True,
        # Published as it is sent: a key that has a default is never absent.
        json_schema_serialization_defaults_required=True,
    )


def invalid(
    message: str, *, at: str | tuple[str | int, ...] = (), code: str = "invalid_value"
) -> PydanticCustomError:
    """A refusal in words a caller understands.

    Args:
        at: the key within what is checked that is at fault, if it is one alone; the
            whole way to it, if it lies deeper.
        code: OpenAI's error code.
    """
    # Braces would be read as a template; the words may hold a caller's own text.
    path = (at,) if isinstance(at, str) else at
    return PydanticCustomError(code, "{message}", {"message": message, "at": path})


def is_none(value: object) -> bool:
    return value is None


def _refuse_null(value: object) -> object:
    if value is None:
        raise invalid("null is not allowed here; leave the field out instead.")
    return value


def refuse_unstorable(value: object) -> object:
    """Refuse text that neither Postgres nor UTF-8 can hold."""
    if isinstance(value, str):
        if "\0" in value:
            raise invalid("The text contains a NUL character, which cannot be stored.")
        if not value.isascii() and _has_lone_surrogate(value):
            raise invalid(
                "The text contains half of a surrogate pair, which is not valid Unicode."
            )
    return value


def _has_lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def check_json(value: object) -> object:
    """Refuse JSON that is too deep or holds what Postgres' jsonb cannot.

    Walks with a list of its own, so that a deep document cannot exhaust the stack.
    """
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_JSON_DEPTH:
            raise invalid(f"The JSON is nested more than {MAX_JSON_DEPTH} levels deep.")
        if isinstance(node, dict):
            waiting.extend((part, depth + 1) for part in (*node.keys(), *node.values()))
        elif isinstance(node, list):
            waiting.extend((part, depth + 1) for part in node)
        elif isinstance(node, float) and not math.isfinite(node):
            raise invalid("NaN and Infinity are not JSON numbers.")
        else:
            refuse_unstorable(node)
    return value


def _check_image_url(url: object) -> object:
    if isinstance(url, str) and not _is_image_url(url):
        raise invalid("An image URL starts with https://, http:// or data:image/.")
    return url


def _is_image_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # half an IPv6 address, for one
        return False
    is_web = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return is_web or url.startswith("data:image/")


def _check_function_name(name: object) -> object:
    if isinstance(name, str) and not _FUNCTION_NAME.fullmatch(name):
        raise invalid(
            "A name here has 1 to 64 characters: letters, digits, underscores and dashes."
        )
    return name


def word_or_object(value: object) -> str | None:
    """Which branch of a union of words and objects a value belongs to."""
    if isinstance(value, str):
        return "word"
    return "object" if isinstance(value, dict | WireModel) else None


def shown_with(**limits: Any) -> Any:
    """Publish limits that a validator of ours keeps, as keywords of JSON Schema."""
    return Field(json_schema_extra=limits)


@dataclass(frozen=True, slots=True)
class _ShownWithoutNull:
    """Keeps null out of the published schema where it is kept off the wire."""

    in_requests: bool

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        shown = handler(schema)
        if handler.mode == "validation" and not self.in_requests:
            return shown
        kinds = [kind for kind in shown.get("anyOf", []) if kind != {"type": "null"}]
        return kinds[0] if len(kinds) == 1 else {**shown, "anyOf": kinds}


NotNull = Annotated[
    T | None,
    BeforeValidator(_refuse_null),
    Field(exclude_if=is_none),
    _ShownWithoutNull(in_requests=True),
]
Omissible = Annotated[
    T | None,
    Field(exclude_if=is_none),
    _ShownWithoutNull(in_requests=False),
]

Text = Annotated[str, BeforeValidator(refuse_unstorable)]
NonEmptyText = Annotated[Text, Field(min_length=1)]
FunctionName = Annotated[
    str,
    BeforeValidator(_check_function_name),
    shown_with(pattern=f"^{_FUNCTION_NAME.pattern}$"),
]
ImageUrl = Annotated[
    Text,
    BeforeValidator(_check_image_url),
    shown_with(pattern="^(https?://.|data:image/)"),
]
JsonObject = Annotated[dict[str, Any], BeforeValidator(check_json)]

UnixSeconds = int
"""An instant on the wire: whole seconds since 1970, UTC."""
