"""One answer in odd pieces: what followers hear is what is kept."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.engine.citations import CitedText, Source
from runtime.engine.code_input import CodeInput
from runtime.gateway.clean import clean
from runtime.threads.render import render_annotation, render_text
from tests.engine.conftest import Begin
from tests.engine.talk import ADD, open_calls
from tests.support.stream import named, names
from tests.support.turns import Answers, Sends, calls, says, streams

MARKER = "【0:0†moon.txt】"
SOURCES = {
    MARKER: Source("file-1", "moon.txt", "The moon is made of basalt. It is dry.", 100)
}
WRITTEN = {"plot.csv": "file-2", "a b.txt": "file-3"}
# What answers are made of, markers whole, cut and foreign among it.
PIECES = st.lists(
    st.sampled_from(
        [
            "The moon is basalt",
            MARKER,
            "【9:9†nobody.txt】",
            "【",
            "】",
            "【not a marker】",
            " sandbox:/mnt/data/plot.csv.",
            "👋🏽",
            "\n",
            " ",
        ]
    ),
    max_size=8,
)


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


@settings(max_examples=200, deadline=None)
@given(pieces=PIECES, cuts=st.lists(st.integers(0, 120), max_size=12))
def test_however_an_answer_is_cut_it_is_told_and_kept_alike(
    pieces: list[str], cuts: list[int]
) -> None:
    whole = "".join(pieces)
    edges = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    cited = CitedText(SOURCES, WRITTEN)
    told = []
    for start, end in itertools.pairwise(edges):
        told += cited.feed(whole[start:end])
    told += cited.end()

    text = "".join(piece.text for piece in told)
    annotated = [
        render_annotation(piece.annotation, piece.start)
        for piece in told
        if piece.annotation is not None
    ]
    kept_text, kept = render_text(cited.text, cited.annotations)

    assert text == kept_text
    assert text == whole.replace("【9:9†nobody.txt】", "")
    assert sorted(kept, key=lambda a: a.start_index) == sorted(
        annotated, key=lambda a: a.start_index
    )
    for annotation in kept:
        place = slice(annotation.start_index, annotation.end_index)
        assert kept_text[place] == annotation.text


@pytest.mark.parametrize("pieces", [1, 3, 40])
async def test_a_text_in_any_number_of_pieces_is_one_text(
    talk: Begin, pieces: int
) -> None:
    on = await talk(says("Grüße an 👩‍👩‍👧 und 世界.", pieces=pieces))

    events = await on.stream()

    deltas = named(events, "thread.message.delta")
    assert all(d["delta"]["content"][0]["index"] == 0 for d in deltas)
    joined = "".join(d["delta"]["content"][0]["text"]["value"] for d in deltas)
    assert joined == "Grüße an 👩‍👩‍👧 und 世界."


async def test_a_refusal_is_a_part_of_its_own(talk: Begin) -> None:
    on = await talk(
        streams(choice(refusal="I "), choice(refusal="cannot."), choice("stop"))
    )

    events = await on.stream()

    (message,) = named(events, "thread.message.completed")
    assert message["content"] == [{"type": "refusal", "refusal": "I cannot."}]
    deltas = named(events, "thread.message.delta")
    parts = [d["delta"]["content"][0] for d in deltas]
    assert "".join(part["refusal"] for part in parts) == "I cannot."


async def test_calls_without_index_or_id_are_told_apart(talk: Begin) -> None:
    def wants(name: str, arguments: str) -> dict[str, Any]:
        return choice(tool_calls=[{"function": {"name": name, "arguments": arguments}}])

    on = await talk(
        streams(wants("add", '{"a": 1}'), wants("add", '{"a": 2}'), choice("stop")),
        tools=[ADD],
    )

    run = await on.run()

    assert [c["function"]["arguments"] for c in open_calls(run)] == [
        '{"a": 1}',
        '{"a": 2}',
    ]
    assert len({c["id"] for c in open_calls(run)}) == 2


async def test_an_upstream_that_does_not_stream_is_heard_all_the_same(
    talk: Begin,
) -> None:
    body = '{"choices": [{"index": 0, "message": {"content": "Whole."}}]}'
    on = await talk(Sends(body=body, headers=(("Content-Type", "application/json"),)))

    events = await on.stream()

    assert names(events)[-2:] == ["thread.run.completed", "done"]
    assert (await on.texts())[-1] == "Whole."


async def test_a_fast_model_costs_few_events(talk: Begin) -> None:
    on = await talk(Answers(deltas=tuple({"content": "x"} for _ in range(2000))))

    events = await on.stream()

    assert len(named(events, "thread.message.delta")) < 300
    assert (await on.texts())[-1] == "x" * 2000


async def test_tokens_nobody_counted_are_estimated(talk: Begin) -> None:
    on = await talk(says("Twelve signs", usage=None))

    run = await on.run()

    assert run["usage"]["completion_tokens"] == 3
    assert run["usage"]["prompt_tokens"] > 0


async def test_a_long_call_costs_few_events_and_no_letter(talk: Begin) -> None:
    words = " ".join(str(n) for n in range(2_000))
    on = await talk(calls(("add", {"words": words}), pieces=2_000), tools=[ADD])

    events = await on.stream()

    deltas = [
        call["function"]
        for delta in named(events, "thread.run.step.delta")
        for call in delta["delta"]["step_details"]["tool_calls"]
    ]
    assert json.loads("".join(call["arguments"] for call in deltas)) == {"words": words}
    assert len(deltas) < 200


@settings(max_examples=300, deadline=None)
@given(
    code=st.text(alphabet='ab\n"\\/\0é👋\ud800u0', max_size=20),
    cuts=st.lists(st.integers(0, 80), max_size=8),
    escaped=st.booleans(),
)
def test_however_code_is_cut_it_is_told_as_it_is_run(
    code: str, cuts: list[int], escaped: bool
) -> None:
    written = json.dumps({"code": code}, ensure_ascii=escaped)
    arguments = written if escaped else clean(written)
    places = sorted({min(cut, len(arguments)) for cut in (0, *cuts, len(arguments))})
    pieces = [arguments[a:b] for a, b in itertools.pairwise(places)]
    run = clean(json.loads(arguments)["code"])

    reader = CodeInput()
    told = "".join(reader.feed(piece) for piece in pieces) + reader.end(run)

    assert told == run


@pytest.mark.parametrize(
    "arguments",
    ['{"language": "python", "code": "1"}', '{"code": 1}', "[]", '{"code": "\\x"}', ""],
)
def test_code_in_another_place_is_told_in_the_end_or_never(arguments: str) -> None:
    reader = CodeInput()

    assert reader.feed(arguments) == ""
    assert reader.end("1") == "1"
    assert CodeInput().end(None) == ""
