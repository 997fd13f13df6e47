"""The demonstration's files, and what is asked about other ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cli.demo.material import FERRIES, HANDBOOK, choose, question_about


def test_the_committed_files_are_what_the_script_makes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "runtime.cli.demo.make_files", str(tmp_path)], check=True
    )

    for path in (HANDBOOK, FERRIES):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_without_files_the_shipped_ones_are_taken() -> None:
    chosen = choose([], None)

    assert (chosen.documents, chosen.table) == ((HANDBOOK,), FERRIES)
    assert chosen.question is not None


def test_the_first_table_is_charted_and_all_else_is_searched() -> None:
    files = [Path("a.md"), Path("b.CSV"), Path("c.csv")]

    chosen = choose(files, None)

    assert chosen.table == Path("b.CSV")
    assert chosen.documents == (Path("a.md"), Path("c.csv"))
    assert chosen.question is None
    assert chosen.expected == ()


def test_a_question_of_ones_own_about_the_handbook_expects_no_certain_answer() -> None:
    chosen = choose([], "Who answers a report?")

    assert (chosen.question, chosen.expected) == ("Who answers a report?", ())


def test_a_question_is_made_of_the_words_that_mark_a_sentence() -> None:
    common = "The weather report of the station speaks about the usual weather. " * 5
    rare = "In August the lighthouse keeper Almqvist painted her boathouse turquoise. "

    question = question_about("diary.txt", common + rare + common)

    assert question.startswith("What does diary.txt say about ")
    assert "boathouse" in question
    assert "Almqvist" in question


@pytest.mark.parametrize(
    ("text", "question"),
    [("", "What is in a.txt?"), ("灯台は千八百八十四年に点灯された。", None)],
)
def test_a_text_without_english_prose_has_a_question_too(
    text: str, question: str | None
) -> None:
    assert question_about("a.txt", text) == (question or text)
