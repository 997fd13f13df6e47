"""Chunks and windows: what must hold for every text, and what reads well."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from runtime.gateway.minilm import MiniLM
from runtime.ingest.chunk import WINDOW_TOKENS, Chunk, Window, split
from runtime.ingest.parse.document import Document, PageSpan

TOKENIZER: Tokenizer = MiniLM().tokenizer

PROSE = (
    "The harbour froze in January. Nobody had seen that before, and the old men on "
    "the quay said so at length. Ships waited outside for eleven days.\n\n"
)

bits = st.sampled_from(
    [
        *("word ", "and\n", "stop. ", "\n\n", " " * 100, "x" * 300, "日本語。"),
        *("e\u0301", "🎉🎉🎉🎉🎉🎉", "ﬁ", "½", "\u200d", "\t", "İ", "a-b_c(d)", "ก็ำ"),
    ]
)
texts = st.lists(bits | st.text(max_size=20), max_size=400).map("".join)


def cut(
    text: str, size: int = 800, overlap: int = 400
) -> tuple[list[Chunk], list[Window]]:
    return split(
        Document(text),
        tokenizer=TOKENIZER,
        max_chunk_size_tokens=size,
        chunk_overlap_tokens=overlap,
    )


@settings(max_examples=150, deadline=None)
@given(text=texts, size=st.integers(1, 120), data=st.data())
def test_whatever_the_text_chunks_and_windows_keep_their_promises(
    text: str, size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size // 2))

    chunks, windows = cut(text, size, overlap)

    if not text.strip():
        assert not chunks and not windows
        return
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0].char_start == windows[0].char_start == 0
    assert chunks[-1].char_end == windows[-1].char_end == len(text)
    for chunk in chunks:
        assert chunk.text == text[chunk.char_start : chunk.char_end]
        assert 1 <= chunk.tokens <= size
    for before, after in pairwise(chunks):
        assert before.char_start < after.char_start <= before.char_end < after.char_end
    for left, right in pairwise(windows):
        assert left.char_end == right.char_start
    spoken_for = {ordinal for window in windows for ordinal in window.chunk_ordinals}
    assert spoken_for == set(range(len(chunks)))
    for window in windows:
        assert window.text == text[window.char_start : window.char_end] != ""
        assert window.chunk_ordinals
        for ordinal in window.chunk_ordinals:
            assert chunks[ordinal].char_start < window.char_end
            assert window.char_start < chunks[ordinal].char_end


@pytest.mark.parametrize(("size", "overlap"), [(800, 400), (800, 0), (300, 60)])
def test_neighbours_share_what_was_asked_for(size: int, overlap: int) -> None:
    text = PROSE * 200

    chunks, _ = cut(text, size, overlap)

    for before, after in pairwise(chunks):
        shared = text[after.char_start : before.char_end]
        tokens = len(TOKENIZER.encode(shared, add_special_tokens=False).ids)
        assert overlap * 3 / 4 <= tokens <= overlap


def test_an_overlap_of_more_than_half_is_refused() -> None:
    with pytest.raises(ValueError, match="more than half"):
        cut("text", 100, 51)


def test_a_chunk_ends_with_a_paragraph_where_one_is_near() -> None:
    chunks, _ = cut(PROSE * 100)

    assert all(chunk.text.endswith("days.\n\n") for chunk in chunks)
    assert all(700 < chunk.tokens <= 800 for chunk in chunks[:-1])


def test_without_paragraphs_it_ends_with_a_sentence() -> None:
    chunks, windows = cut((PROSE.strip() + " ") * 60)

    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)
    assert all(window.text.rstrip().endswith(".") for window in windows)


def test_rows_and_lines_of_code_are_not_cut_in_two() -> None:
    lines = "".join(f"    total_{n} = add(total_{n}, {n})\n" for n in range(500))

    chunks, windows = cut(lines)

    assert all(chunk.text.endswith(")\n") for chunk in chunks)
    assert all(window.text.endswith(")\n") for window in windows)
    assert all(chunk.text.startswith("    total") for chunk in chunks)


def test_wrapped_prose_is_cut_between_sentences_rather_than_lines() -> None:
    wrapped = "The harbour froze\nin January. Ships waited\noutside for days. " * 200

    chunks, _ = cut(wrapped)

    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)


def test_a_window_is_small_enough_for_the_embedder_to_see_whole() -> None:
    _, windows = cut(PROSE * 100)

    for window in windows:
        tokens = len(TOKENIZER.encode(window.text, add_special_tokens=False).ids)
        assert tokens <= WINDOW_TOKENS


def test_with_half_overlap_most_windows_speak_for_two_chunks() -> None:
    _, windows = cut(PROSE * 400)

    doubles = sum(len(window.chunk_ordinals) == 2 for window in windows)

    assert doubles > len(windows) * 0.7


def test_words_unknown_to_the_tokenizer_still_fill_a_chunk() -> None:
    chunks, _ = cut("deadbeef" * 10_000)

    assert max(len(chunk.text) for chunk in chunks) == 3200
    chunks, _ = cut("x" + " " * 1_000_000 + "y")
    assert max(len(chunk.text) for chunk in chunks) <= 32 * 800 + 1


def test_a_chunk_knows_the_pages_of_its_first_and_last_visible_character() -> None:
    first, second = PROSE * 30, PROSE * 30
    pages = (
        PageSpan(1, 0, len(first)),
        PageSpan(2, len(first), len(first)),  # an empty page
        PageSpan(3, len(first), len(first + second)),
    )

    chunks, _ = split(Document(first + second, pages), tokenizer=TOKENIZER)

    assert (chunks[0].page_from, chunks[0].page_to) == (1, 1)
    assert (chunks[-1].page_from, chunks[-1].page_to) == (3, 3)
    crossing = [c for c in chunks if c.char_start < len(first) < c.char_end]
    assert crossing
    assert {(c.page_from, c.page_to) for c in crossing} == {(1, 3)}


def test_a_document_without_pages_has_chunks_without_pages() -> None:
    ((chunk,), _) = cut("Just a note.")

    assert chunk == Chunk(0, "Just a note.", 0, 12, None, None, 4)


@pytest.mark.parametrize("unit", [PROSE, "x", "日本語のテキスト。", "🎉", "\n", "a "])
def test_a_megabyte_of_anything_takes_linear_time(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length] + "end"
        start = time.perf_counter()
        cut(text)
        return time.perf_counter() - start

    seconds(10_000)

    assert seconds(1_000_000) < max(8 * seconds(250_000), 1)
