"""The files of a demonstration, and what is asked about them."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SHIPPED = Path(__file__).parent / "files"
HANDBOOK = _SHIPPED / "crew-handbook.pdf"
FERRIES = _SHIPPED / "ferries-2024.csv"
_HANDBOOK_QUESTION = "How many hours of rest lie between two duties?"
_TABLES = frozenset({".csv", ".tsv"})

_READ_CHARACTERS = 200_000
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_WORD = re.compile(r"[^\W\d_]{5,}")
_SENTENCE_WORDS = range(8, 41)
_QUESTION_WORDS = 6


@dataclass(frozen=True, slots=True)
class Material:
    """What is searched, what is charted, and the question if one was given.

    `expected` are words that an answer about the shipped handbook has to hold.
    """

    documents: tuple[Path, ...]
    table: Path
    question: str | None
    expected: tuple[str, ...] = ()


def choose(files: Sequence[Path], question: str | None) -> Material:
    """The user's files; for a kind that is not among them, the file shipped for it.

    The first CSV or TSV file is charted, every other file is searched.
    """
    tables = [path for path in files if path.suffix.lower() in _TABLES]
    table = tables[0] if tables else FERRIES
    documents = tuple(path for path in files if path != table)
    if documents:
        return Material(documents, table, question)
    if question:
        return Material((HANDBOOK,), table, question)
    return Material((HANDBOOK,), table, _HANDBOOK_QUESTION, expected=("11",))


def question_about(filename: str, text: str) -> str:
    """A question that some sentence of a text answers, made of the words that mark it.

    Rare words mark a sentence: the one whose rarest words are rarest is asked for.
    """
    text = text[:_READ_CHARACTERS]
    counts = Counter(_WORD.findall(text.lower()))
    best: list[str] = []
    best_score = 0.0
    for sentence in _SENTENCE.split(text):
        if not _is_prose(sentence):
            continue
        words = list(dict.fromkeys(_WORD.findall(sentence)))
        rarest = sorted(words, key=lambda word: counts[word.lower()])[:_QUESTION_WORDS]
        score = sum(1 / counts[word.lower()] for word in rarest)
        if score > best_score:
            best, best_score = [word for word in words if word in rarest], score
    if not best:  # no prose, or a script without spaces: its own beginning will do
        return " ".join(text.split())[:200] or f"What is in {filename}?"
    return f"What does {filename} say about {', '.join(best)}?"


def _is_prose(sentence: str) -> bool:
    """Not a heading, a list of names, a table or a formula."""
    words = sentence.split()
    small = sum(word.islower() for word in words)
    ended = sentence.rstrip().endswith((".", "!", "?"))
    return ended and len(words) in _SENTENCE_WORDS and small >= 0.6 * len(words)


def chart_request(filename: str, *, with_code: bool) -> str:
    """Ask for a chart of a table; with the code to run, for a model that writes none."""
    if not with_code:
        return (
            f"Draw a chart of the numeric columns of /mnt/data/{filename} with the code "
            "interpreter and show it. Then say in one sentence what one sees."
        )
    path = json.dumps(f"/mnt/data/{filename}", ensure_ascii=False)
    return f"Draw a chart of {filename}.\n\n```python\n{_CHART.format(path=path)}```"


# Knows nothing of the table: a panel for each numeric column, over its dates if it has
# some, with a running mean where there are many rows.
_CHART = """\
import pandas as pd
import matplotlib.pyplot as plt

table = pd.read_csv({path}, sep=None, engine="python")
numbers = table.select_dtypes("number").dropna(axis="columns", how="all")
numbers = numbers.iloc[:, :6]
words = table.drop(columns=numbers.columns)
dates = words.apply(pd.to_datetime, errors="coerce", format="mixed", utc=True)
dated = [name for name in dates if dates[name].notna().mean() > 0.9]
place = dates[dated[0]] if dated else table.index

figure, panels = plt.subplots(
    len(numbers.columns), sharex=True, squeeze=False, layout="constrained",
    figsize=(9, 1 + 1.3 * len(numbers.columns)),
)
for panel, name in zip(panels.flat, numbers):
    panel.plot(place, numbers[name], color="#9db8c9", linewidth=0.8)
    if len(numbers) > 60:
        mean = numbers[name].rolling(len(numbers) // 26, center=True).mean()
        panel.plot(place, mean, color="#125278", linewidth=1.8)
    panel.set_title(name, loc="left", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)
plt.show()
print(len(table), "rows;", ", ".join(numbers.columns))
print(numbers.mean().round(2).to_string())
"""
