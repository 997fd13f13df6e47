"""Words to look for → a condition on threads: a message, or the title, has them.

Asked for as people ask search engines: all words must be there, `"a phrase"` as it
stands, `this or that`, `-without`; and the last word may be half typed. All of it holds
within one text (one message, or the title), whatever the case of letters. Words are
whole words and not stems: nobody knows which language a thread is in.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, cast, func, select, union_all
from sqlalchemy.dialects.postgresql import REGCONFIG, TSQUERY

from runtime.db.transaction import Session
from runtime.projects.models import Project
from runtime.threads.models import Item, Thread

# An optional minus, then a phrase (its end may be missing) or what stands up to a space.
_PART = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True, slots=True)
class _Term:
    """A word or a phrase that must be there, or must not."""

    text: str
    is_excluded: bool
    is_quoted: bool


async def threads_that_say(
    session: Session, project: Project, words: str
) -> ColumnElement[bool] | None:
    """A condition: a thread's title, or a message that its list shows, fits `words`.

    Returns:
        None if there is no word to look for: nothing fits then.
    """
    alternatives = _alternatives(words)
    query = _written(alternatives, await _read(session, alternatives))
    if not query:
        return None
    wanted = cast(query, TSQUERY)
    by_message = select(Item.thread_pk).where(
        Item.project_id == project.id,
        Item.__table__.c.words.op("@@")(wanted),
        Item.role.in_(("user", "assistant")),
        Item.seq.is_not(None),
        Item.deleted_at.is_(None),
    )
    by_title = select(Thread.pk).where(
        Thread.project_id == project.id,
        func.title_words(Thread.metadata_).op("@@")(wanted),
        Thread.deleted_at.is_(None),
    )
    return Thread.pk.in_(union_all(by_message, by_title))


def _alternatives(words: str) -> list[list[_Term]]:
    """The terms that must all fit, for each side of an `or`."""
    alternatives: list[list[_Term]] = [[]]
    for part in _PART.finditer(words):
        minus, phrase, word = part.groups()
        if word is not None and not minus and word.lower() == "or":
            alternatives.append([])
            continue
        text = phrase if word is None else word
        alternatives[-1].append(_Term(text, bool(minus), word is None))
    return alternatives


async def _read(
    session: Session, alternatives: Sequence[Sequence[_Term]]
) -> Mapping[str, str]:
    """What Postgres finds in the text of each term, as a tsquery; empty: no word.

    It says what a word is, as it did when it read the messages.
    """
    texts = list(dict.fromkeys(term.text for some in alternatives for term in some))
    if not texts:
        return {}
    simple = cast("simple", REGCONFIG)
    row = await session.execute(
        select(
            *(
                cast(func.phraseto_tsquery(simple, func.plain_words(text)), Text)
                for text in texts
            )
        )
    )
    return dict(zip(texts, row.one(), strict=True))


def _written(alternatives: Sequence[Sequence[_Term]], read: Mapping[str, str]) -> str:
    """All of it as one tsquery."""
    written = []
    for some in alternatives:
        terms = [term for term in some if read[term.text]]
        # What only excludes asks for nothing.
        if all(term.is_excluded for term in terms):
            continue
        is_last = some is alternatives[-1]
        half_typed = terms[-1] if is_last and not terms[-1].is_quoted else None
        written.append(
            " & ".join(
                f"!({read[term.text]})"
                if term.is_excluded
                else f"({read[term.text]}{':*' if term is half_typed else ''})"
                for term in terms
            )
        )
    return " | ".join(written)
