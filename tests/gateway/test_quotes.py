"""Which sentences are quoted, and that they stand as they stood."""

import time

from runtime.gateway.quotes import NOTHING_FITS, quote

HANDBOOK = """【4:0†handbook.pdf】
# Vacation
Full-time employees receive 27 days of paid
vacation per calendar year. Unused days expire on 31 March of the
following year. Dr. Mueller approves requests.

# Travel
Trains are preferred over flights. Receipts must be
submitted within 14 days.

【4:1†pets † rules [v2].md】
- Dogs are welcome on Fridays.
- Cats are not allowed, e.g. in meetings.

| Animal | Fee |
| Parrot | 12 EUR |"""


def test_the_best_sentence_is_given_verbatim_with_its_marker() -> None:
    said = quote("How many days of vacation do employees receive?", HANDBOOK)

    first = said.split("\n\n")[0]
    assert first == (
        "Full-time employees receive 27 days of paid\nvacation per calendar year."
        "【4:0†handbook.pdf】"
    )


def test_each_quote_is_a_part_of_its_chunk() -> None:
    for question in ("trains or flights?", "parrot fee", "cats in meetings", "expire"):
        for paragraph in quote(question, HANDBOOK).split("\n\n"):
            sentence, marker, _ = paragraph.partition("【4:")
            assert marker
            assert sentence in HANDBOOK


def test_the_marker_is_that_of_the_chunk() -> None:
    said = quote("When are dogs welcome?", HANDBOOK)

    assert said == "- Dogs are welcome on Fridays.【4:1†pets † rules [v2].md】"


def test_a_heading_lends_its_words_but_is_not_quoted() -> None:
    found = "【1:0†a.md】\n# Parental leave\nEverybody gets 16 weeks.\n\nLunch is free."

    assert quote("parental leave", found) == NOTHING_FITS
    assert quote("How long is leave for everybody?", found).startswith("Everybody")


def test_an_abbreviation_ends_no_sentence() -> None:
    said = quote("Who approves requests?", HANDBOOK)

    assert said.startswith("Dr. Mueller approves requests.")


def test_nothing_is_quoted_where_nothing_fits() -> None:
    for question in ("What is the capital of France?", "", "And you?", "???"):
        assert quote(question, HANDBOOK) == NOTHING_FITS
    assert quote("vacation", "") == NOTHING_FITS
    assert quote("vacation", "No results.") == NOTHING_FITS


def test_overlapping_chunks_are_quoted_once() -> None:
    sentence = "The warranty lasts 24 months."
    found = f"【1:0†a】\n{sentence}\n\n【1:1†a】\n{sentence} It is free."

    assert quote("How long is the warranty?", found) == f"{sentence}【1:0†a】"


def test_a_number_counts_where_a_number_is_asked_for() -> None:
    found = (
        "【1:0†a】\nThe warranty is generous.\n\n"
        "【1:1†b】\nThe warranty lasts 24 months for all devices."
    )

    assert "24 months" in quote("How long is the warranty?", found).split("\n\n")[0]


def test_other_words_of_a_kind_are_found() -> None:
    found = "【1:0†a】\nBatteries should be charged weekly. Wheels need oil."

    assert quote("charging a battery", found).startswith("Batteries")


def test_unspaced_scripts_are_searched_too() -> None:
    found = "【1:0†a】\n会社は九時に開きます。犬は金曜日に来られます。"

    assert quote("犬は金曜日ですか", found) == "犬は金曜日に来られます。【1:0†a】"


def test_a_text_like_a_marker_inside_a_line_is_no_marker() -> None:
    found = "【1:0†a】\nSee 【9:9†fake】 for the warranty terms. Bye."

    assert quote("warranty terms", found).endswith("【1:0†a】")


def test_abbreviations_without_end_take_milliseconds() -> None:
    found = "【1:0†a】\n" + "Dr. " * 20_000 + "Warranty."
    began = time.perf_counter()

    quote("warranty", found)

    assert time.perf_counter() - began < 2  # half a minute, were it quadratic


def test_a_question_as_long_as_a_book_takes_milliseconds() -> None:
    found = "【1:0†a】\n" + "The office opens at nine. " * 8_000
    question = "When does the office open? " + " ".join(map(str, range(30_000)))
    began = time.perf_counter()

    quote(question, found)

    assert time.perf_counter() - began < 2  # a quarter of a minute, word by word
