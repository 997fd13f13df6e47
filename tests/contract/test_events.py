"""Server-sent events: each name and its payload, by the document and by the SDK."""

import json
from typing import Any, get_args

import httpx2
import pytest
from openai import APIError, OpenAI, Stream
from openai.types.beta import AssistantStreamEvent as SdkStreamEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from runtime.wire import events
from tests.contract import spec
from tests.contract.candidates import Candidates

UNIONS = (
    "ThreadStreamEvent",
    "RunStreamEvent",
    "RunStepStreamEvent",
    "MessageStreamEvent",
)
OUR_EVENTS: TypeAdapter[Any] = TypeAdapter(events.AssistantStreamEvent)


def _names() -> list[str]:
    return [name for names in get_args(events.EventName) for name in get_args(names)]


def _sdk_events() -> dict[str, type[BaseModel]]:
    """The SDK's class for each event name. It has none for `done`."""
    union = get_args(SdkStreamEvent)[0]
    classes = get_args(union)
    return {get_args(c.model_fields["event"].annotation)[0]: c for c in classes}


def _payload(name: str) -> dict[str, Any]:
    """A payload of this event with every key there is, as it is sent."""
    model = events.PAYLOAD_TYPES[name]  # type: ignore[index]  # a str of EventName
    schema = model.model_json_schema()
    candidates = Candidates(schema.get("$defs", {}))
    value = candidates.example(schema, full=True)
    return model.model_validate(value).model_dump(mode="json")


@spec.needs_document
def test_the_names_are_those_of_the_document() -> None:
    components = spec.components()
    official = [
        branch["properties"]["event"]["enum"][0]
        for union in UNIONS
        for branch in components[union]["oneOf"]
    ]
    official += [
        components[single]["properties"]["event"]["enum"][0]
        for single in ("ErrorEvent", "DoneEvent")
    ]

    assert sorted(_names()) == sorted(official)
    assert len(_names()) == 25


@spec.needs_document
def test_each_event_carries_the_component_the_document_says() -> None:
    for union in UNIONS:
        for branch in spec.components()[union]["oneOf"]:
            name = branch["properties"]["event"]["enum"][0]
            component = branch["properties"]["data"]["$ref"].rsplit("/", 1)[-1]
            assert events.PAYLOAD_TYPES[name].__name__ == component, name


def test_the_names_are_those_of_the_sdk_and_done() -> None:
    assert sorted(_names()) == sorted([*_sdk_events(), "done"])


def test_done_alone_has_no_payload_model() -> None:
    assert set(_names()) - set(events.PAYLOAD_TYPES) == {"done"}
    assert events.DoneEvent().model_dump() == {"event": "done", "data": "[DONE]"}


@pytest.mark.parametrize("name", sorted(events.PAYLOAD_TYPES))
def test_an_event_is_read_back_as_it_was_made(name: str) -> None:
    made = {"event": name, "data": _payload(name)}

    assert OUR_EVENTS.validate_python(made).model_dump(mode="json") == made


def test_an_event_with_the_payload_of_another_is_refused() -> None:
    with pytest.raises(ValidationError):
        OUR_EVENTS.validate_python(
            {"event": "thread.run.created", "data": _payload("thread.created")}
        )


@pytest.mark.parametrize("name", sorted(set(events.PAYLOAD_TYPES) - {"error"}))
def test_the_sdk_reads_each_event_strictly(name: str) -> None:
    sent = {"event": name, "data": _payload(name)}

    read = _sdk_events()[name].model_validate(sent, strict=True)

    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == sent


def _stream_of(*frames: str) -> Stream[SdkStreamEvent]:
    """The SDK's own reader over these bytes, as if they had come from a server."""
    request = httpx2.Request("POST", "http://127.0.0.1/v1/threads/t/runs")
    body = "".join(frames).encode()
    return Stream(
        cast_to=SdkStreamEvent,  # type: ignore[arg-type]  # a union, as the SDK passes it
        response=httpx2.Response(200, content=body, request=request),
        client=OpenAI(api_key="unused", base_url="http://127.0.0.1/v1"),
    )


def _frame(name: str, data: Any) -> str:
    line = data if isinstance(data, str) else json.dumps(data)
    return f"event: {name}\ndata: {line}\n\n"


def test_the_sdk_yields_each_event_of_a_stream_and_stops_at_done() -> None:
    names = sorted(set(events.PAYLOAD_TYPES) - {"error"})
    frames = [_frame(name, _payload(name)) for name in names]

    read = list(_stream_of(*frames, _frame("done", events.DONE), _frame("late", {})))

    assert [event.event for event in read] == names
    assert [type(event) for event in read] == [_sdk_events()[name] for name in names]


def test_the_sdk_raises_on_our_error_event() -> None:
    envelope = {"message": "The stream broke.", "type": "server_error"}
    event = events.ErrorEvent.model_validate({"data": {"error": envelope}})

    with pytest.raises(APIError, match="The stream broke") as caught:
        list(_stream_of(_frame(event.event, event.data.model_dump())))

    assert caught.value.type == "server_error"
    assert caught.value.body == {**envelope, "param": None, "code": None}
