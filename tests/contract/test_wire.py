"""The wire models against the official document and the official SDK's types.

Values around the edges of each schema (every limit, word, type and key) are judged by
the document and by our model; the two must agree. What we send is read back by the
SDK's own types, strictly.
"""

import importlib
from collections.abc import Iterator
from typing import Any, Required, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.contract import spec
from tests.contract.candidates import Candidates
from tests.contract.sdk import (
    ADDITIONS,
    NOT_IN_BODY,
    OWN_WISHES,
    SDK_LAGS,
    SDK_LOOSE,
    SDK_OBJECTS,
    SDK_REQUESTS,
)

MODULES = [
    importlib.import_module(f"runtime.wire.{name}")
    for name in (
        "assistants",
        "threads",
        "messages",
        "message_edits",
        "runs",
        "steps",
        "vector_stores",
        "search",
        "files",
        "uploads",
        "events",
        "errors",
        "response_format",
        "shared",
    )
]

NOT_MODELLED = {
    "AddUploadPartRequest": "bytes, which the route streams",
    "AssistantStreamEvent": "see test_events.py",
    "AssistantSupportedModels": "any upstream's model may be named",
    "FileSearchRanker": "spelt out where it stands",
    "FunctionParameters": "any JSON object",
    "MessageStreamEvent": "see test_events.py",
    "ParallelToolCalls": "a boolean",
    "ResponseFormatJsonSchemaSchema": "any JSON object",
    "RunStepStreamEvent": "see test_events.py",
    "RunStreamEvent": "see test_events.py",
    "ThreadStreamEvent": "see test_events.py",
}

COMPONENTS = sorted((spec.asked() | spec.answered()) - set(NOT_MODELLED))


def wire(name: str) -> Any:
    """Our model or type of this official name."""
    found = [getattr(module, name) for module in MODULES if hasattr(module, name)]
    assert found, f"runtime.wire has no {name}"
    return found[0]


def adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(wire(name))


def accepted(types: TypeAdapter[Any], value: Any) -> bool:
    try:
        types.validate_python(value)
    except ValidationError:
        return False
    return True


def dumped(name: str) -> Iterator[tuple[str, Any]]:
    """Every candidate our own schema leads to and our model takes, as it is sent."""
    types = adapter(name)
    schema = types.json_schema(mode="serialization")
    for candidate in Candidates(schema.get("$defs", {})).of(schema):
        if accepted(types, candidate.value):
            value = types.validate_python(candidate.value)
            yield candidate.label, types.dump_python(value, mode="json")


@spec.needs_document
def test_every_component_of_our_operations_has_a_model() -> None:
    reached = spec.asked() | spec.answered()

    assert len(spec.operations()) == 48
    assert set(NOT_MODELLED) <= reached, "an exception that is none any more"
    for name in COMPONENTS:
        wire(name)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_model_takes_and_sends_what_its_component_says(name: str) -> None:
    official = spec.validator(name)
    # A component that is "this or null" tells of its fields; our type is the "this".
    types = TypeAdapter(wire(name) | None) if official.is_valid(None) else adapter(name)
    differences = []

    for candidate in Candidates(spec.components()).of(spec.components()[name]):
        ours, theirs = (
            accepted(types, candidate.value),
            official.is_valid(candidate.value),
        )
        if theirs and not ours:
            differences.append(f"we refuse: {candidate.label}")
        if ours and not theirs and name in spec.asked():
            differences.append(f"we take: {candidate.label}")
        if ours and name in spec.answered():
            value = types.validate_python(candidate.value)
            if not official.is_valid(types.dump_python(value, mode="json")):
                differences.append(f"we send: {candidate.label}")

    assert differences == []


@pytest.mark.parametrize("name", SDK_OBJECTS)
def test_the_sdk_reads_what_we_send_strictly_and_whole(name: str) -> None:
    read = 0
    for label, sent in dumped(name):
        if label in SDK_LAGS:
            continue
        parsed = SDK_OBJECTS[name].model_validate(sent, strict=True)

        again = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert again == sent, label
        assert set(_unknown_keys(parsed)) <= ADDITIONS, label
        read += 1
    assert read > 0


def _unknown_keys(value: Any) -> Iterator[str]:
    """The keys that the SDK kept without a name for them, as `Model.key`."""
    if isinstance(value, BaseModel):
        for key in value.model_extra or {}:
            yield f"{type(value).__name__}.{key}"
        for key in type(value).model_fields:
            yield from _unknown_keys(getattr(value, key))
    elif isinstance(value, list):
        for part in value:
            yield from _unknown_keys(part)


@pytest.mark.parametrize("name", SDK_OBJECTS)
def test_an_object_has_every_key_and_word_the_sdk_knows(name: str) -> None:
    theirs: TypeAdapter[Any] = TypeAdapter(SDK_OBJECTS[name])
    schema = theirs.json_schema()
    for candidate in Candidates(schema.get("$defs", {})).of(schema):
        # The SDK keeps keys it does not know, and takes null for each that may be absent.
        free = candidate.label.endswith(("unknown key", "null"))
        if free or candidate.label in SDK_LOOSE:
            continue
        if accepted(theirs, candidate.value):
            assert _unknown_to_us(name, candidate.value) == [], candidate.label


def _unknown_to_us(name: str, value: Any) -> list[Any]:
    try:
        adapter(name).validate_python(value)
    except ValidationError as error:
        kinds = {"extra_forbidden", "literal_error", "union_tag_invalid"}
        return [found["loc"] for found in error.errors() if found["type"] in kinds]
    return []


@pytest.mark.parametrize("name", SDK_REQUESTS)
def test_a_request_has_the_keys_the_sdk_sends_and_no_others(name: str) -> None:
    hints = get_type_hints(SDK_REQUESTS[name], include_extras=True)
    needed = {key for key, hint in hints.items() if get_origin(hint) is Required}
    fields = wire(name).model_fields
    required = {key for key, field in fields.items() if field.is_required()}

    assert set(fields) - OWN_WISHES.get(name, set()) == set(hints) - NOT_IN_BODY
    assert required == needed - NOT_IN_BODY - {"stream"}


@pytest.mark.parametrize("name", SDK_REQUESTS)
@pytest.mark.parametrize(
    "text", ["NUL \0", "half a pair \ud800"], ids=["nul", "surrogate"]
)
def test_no_request_takes_text_that_cannot_be_stored(name: str, text: str) -> None:
    types = adapter(name)
    schema = types.json_schema()
    candidates = list(Candidates(schema.get("$defs", {})).of(schema))
    whole = [c for c in candidates if accepted(types, c.value)]

    for candidate in whole:
        for label, spoilt in _spoilt(candidate.value, text):
            assert not accepted(types, spoilt), f"{candidate.label}: {label}"


def _spoilt(value: Any, text: str) -> Iterator[tuple[str, Any]]:
    """This value with one of its texts, or one of its keys, replaced."""
    if isinstance(value, str):
        yield "here", text
    elif isinstance(value, dict):
        for key, part in value.items():
            rest = {k: v for k, v in value.items() if k != key}
            yield f"key {key}", {**rest, text: part}
            for label, spoilt in _spoilt(part, text):
                yield f"{key}: {label}", {**value, key: spoilt}
    elif isinstance(value, list) and value:
        for label, spoilt in _spoilt(value[0], text):
            yield f"item: {label}", [spoilt, *value[1:]]


@pytest.mark.parametrize("name", SDK_REQUESTS)
def test_no_request_takes_an_unknown_key_at_any_depth(name: str) -> None:
    types = adapter(name)
    schema = types.json_schema()
    for candidate in Candidates(schema.get("$defs", {})).of(schema):
        if accepted(types, candidate.value):
            for label, spoilt in _with_unknown_keys(candidate.value):
                assert not accepted(types, spoilt), f"{candidate.label}: {label}"


# Open by the contract: the caller's own keys.
_OPEN = {"metadata", "attributes", "parameters", "schema"}


def _with_unknown_keys(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield "here", {**value, "no_such_key": 1}
        for key, part in value.items():
            if key not in _OPEN:
                for label, spoilt in _with_unknown_keys(part):
                    yield f"{key}: {label}", {**value, key: spoilt}
    elif isinstance(value, list) and value:
        for label, spoilt in _with_unknown_keys(value[0]):
            yield f"item: {label}", [spoilt, *value[1:]]
