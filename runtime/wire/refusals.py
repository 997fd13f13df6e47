"""A refused request, told in OpenAI's words: message, `param` and `code`.

Pydantic reports every fault with the names of union branches mixed into its place;
a caller wants the first fault, and the place as it stands in what was sent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runtime.errors import InvalidRequest

ErrorDetails = Mapping[str, Any]
"""One of pydantic's errors: `type`, `loc`, `msg`, `input`, and `ctx` where there is one."""

_MAX_SHOWN_CHARS = 100

_OWN_CODES = frozenset(
    {"invalid_type", "string_above_max_length", "object_above_max_properties"}
)
_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def explain(
    errors: Sequence[ErrorDetails], sent: object = None, *, skip: int = 0
) -> InvalidRequest:
    """Turn the first of pydantic's errors into the error a caller is sent.

    Args:
        errors: as `ValidationError.errors()` gives them; at least one.
        sent: what was validated; with it, places are named as they were sent.
        skip: how many leading parts of each place to pass over: 1 where a web
            framework has put `body` or `query` in front.
    """
    error = errors[0]
    loc = tuple(error["loc"])[skip:]
    param = _param(loc, error, sent)
    message, code = _words(error, param)
    return InvalidRequest(message, param=param or None, code=code)


def _words(error: ErrorDetails, param: str) -> tuple[str, str]:
    kind = error["type"]
    if kind in _EXPECTED:
        return _wrong_type(error, param)
    if kind in _WORDS:
        return _WORDS[kind](error, param)
    # Our own refusals are sentences already, and their type is OpenAI's code.
    code = kind if kind in _OWN_CODES else "invalid_value"
    said: str = error["msg"]
    if not param:
        return said, code
    if code == "invalid_type":
        return f"Invalid type for '{param}': {said[0].lower()}{said[1:]}", code
    return f"Invalid '{param}': {said}", code


def _wrong_type(error: ErrorDetails, param: str) -> tuple[str, str]:
    expected, got = _EXPECTED[error["type"]], _type_name(error["input"])
    if not param:
        return f"The request body must be a JSON object, not {got}.", "invalid_type"
    return (
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        "invalid_type",
    )


def _type_name(value: object) -> str:
    names: list[tuple[type | tuple[type, ...], str]] = [
        (type(None), "null"),
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a decimal"),
        (str, "a string"),
        ((list, tuple), "an array"),
        (dict, "an object"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), "something")


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    short = text[:_MAX_SHOWN_CHARS] + ("…" if len(text) > _MAX_SHOWN_CHARS else "")
    # A refusal must itself be text that can be sent.
    return short.encode(errors="replace").decode().replace("\0", "\\0")


def _missing(error: ErrorDetails, param: str) -> tuple[str, str]:
    if not param:
        return "The request needs a JSON body.", "missing_required_parameter"
    return f"Missing required parameter: '{param}'.", "missing_required_parameter"


def _unknown(error: ErrorDetails, param: str) -> tuple[str, str]:
    return f"Unknown parameter: '{param}'.", "unknown_parameter"


def _not_supported(error: ErrorDetails, param: str) -> tuple[str, str]:
    context = error["ctx"]
    # A literal says `expected`, with an `or`; a union of objects says which tags it knows.
    expected = context.get("expected") or context["expected_tags"]
    supported = expected.replace(" or ", ", ").rsplit(", ", 1)
    got = _shown(context.get("tag", error["input"]))
    message = (
        f"Invalid value for '{param}': '{got}'. Supported values are:"
        f" {' and '.join(supported)}."
    )
    return message, "invalid_value"


def _length(error: ErrorDetails, param: str) -> tuple[str, str]:
    sent, context = error["input"], error["ctx"]
    noun, article = ("string", "a") if isinstance(sent, str) else ("array", "an")
    if "max_length" in context:
        word, rule, side = (
            "long",
            f"maximum length {context['max_length']}",
            "above_max",
        )
    else:
        word, rule, side = (
            "short",
            f"minimum length {context['min_length']}",
            "below_min",
        )
    message = (
        f"Invalid '{param}': {noun} too {word}. Expected {article} {noun} with {rule},"
        f" but got {article} {noun} with length {len(sent)} instead."
    )
    return message, f"{noun}_{side}_length"


def _range(error: ErrorDetails, param: str) -> tuple[str, str]:
    context = error["ctx"]
    bound = context.get("ge", context.get("le"))
    # By the bound: a number in a query came as text.
    noun = "integer" if isinstance(bound, int) else "decimal"
    if "ge" in context:
        rule, sign, side = "below minimum value", ">=", "below_min"
    else:
        rule, sign, side = "above maximum value", "<=", "above_max"
    message = (
        f"Invalid '{param}': {noun} {rule}. Expected a value {sign} {_number(bound)},"
        f" but got {_shown(error['input'])} instead."
    )
    return message, f"{noun}_{side}_value"


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


def _not_unicode(error: ErrorDetails, param: str) -> tuple[str, str]:
    return "The request contains text that is not valid Unicode.", "invalid_value"


def _not_finite(error: ErrorDetails, param: str) -> tuple[str, str]:
    return f"Invalid '{param}': NaN and Infinity are not numbers here.", "invalid_value"


_WORDS: dict[str, Callable[[ErrorDetails, str], tuple[str, str]]] = {
    "missing": _missing,
    "union_tag_not_found": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_supported,
    "union_tag_invalid": _not_supported,
    "string_too_long": _length,
    "string_too_short": _length,
    "too_long": _length,
    "too_short": _length,
    "greater_than_equal": _range,
    "less_than_equal": _range,
    "finite_number": _not_finite,
    "string_unicode": _not_unicode,
}


def _param(loc: tuple[object, ...], error: ErrorDetails, sent: object) -> str:
    """The place of a fault, as `tools[0].function.name`."""
    if error["type"] == "missing":
        path = [*_path(loc[:-1], error, sent), *loc[-1:]]
    else:
        path = _path(loc, error, sent)
    if error["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        path.append(error["ctx"]["discriminator"].strip("'"))
    # `base.invalid` says which key is meant.
    path += error.get("ctx", {}).get("at", ())
    param = ""
    for part in path:
        param += f"[{part}]" if isinstance(part, int) else f".{_shown(part)}"
    return param.removeprefix(".")


def _path(loc: tuple[object, ...], error: ErrorDetails, sent: object) -> list[object]:
    """The parts of `loc` that were sent, without the names of union branches.

    A branch may be called as a key is (`function`), so more than one reading can fit:
    the right one leads to the very value that pydantic complains of.
    """
    if sent is None:
        return list(loc)
    readings = list(_readings(loc, sent))
    exact = [path for path, value in readings if value is error["input"]]
    return (exact or [path for path, _ in readings])[0]


def _readings(
    loc: tuple[object, ...], node: object
) -> Iterator[tuple[list[object], object]]:
    if not loc:
        yield [], node
        return
    part, rest = loc[0], loc[1:]
    if _holds(node, part):
        for path, value in _readings(rest, node[part]):  # type: ignore[index]  # _holds saw to it
            yield [part, *path], value
    yield from _readings(rest, node)


def _holds(node: object, part: object) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and part < len(node)
