"""Which sentences of a search result answer a question, by their words alone.

Rare words weigh more (inverse document frequency over the sentences at hand), a
sentence's neighbours lend it a little of theirs, and where the question asks how many or
when, a number counts. Sentences are given verbatim, each with its chunk's marker.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from runtime.gateway.sentences import sentence_spans

NOTHING_FITS = (
    "The built-in model searched the files, and found no sentence that answers this."
)

_MOST_SENTENCES = 3
# A further sentence has to be nearly as good as the best.
_NEARLY = 0.6
# Below this share of the question's weight, the overlap is chance.
_LEAST_COVERAGE = 0.25
_NEIGHBOURS_SHARE = 0.35
_NUMBER_BONUS = 1.25
# A chunk may begin or end in the middle of a sentence.
_FRAGMENT_MALUS = 0.7
_SAME = 0.8
_MOST_CANDIDATES = 30
# Each is looked for in each sentence; a pasted book must not hold everybody up.
_MOST_WORDS = 200

_MARKER = re.compile(r"^【\d+:\d+†.+】[ \t]*$", re.MULTILINE)
_ENDED = re.compile(r"[^\w\s,;-]$")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ASKS_NUMBER = re.compile(
    r"\b(how (many|much|long|old|often|far)|when|what year)\b", re.IGNORECASE
)
_STOPWORDS = frozenset(
    """a about after all also am an and any are as at be been before but by can could did do
    does done for from give had has have he her his how i if in into is it its just me
    more most much many my no not of on one or our out over please say says she should
    show so some tell than that the their them then there these they this those to under
    up us was we were what when where which while who whom whose why will with would you
    your der die das und ist ein eine wie was wer wo le la les des est une el los las""".split()  # noqa: SIM905 (words are read best as words)
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    marker: str
    words: frozenset[str]  # those of the question that it holds
    nearby: frozenset[str]  # and those that its neighbours or its heading hold
    is_fragment: bool


def quote(question: str, result: str) -> str:
    """Answer from a file_search result with its best one to three sentences.

    Args:
        question: what the user asked.
        result: blocks of a marker line (`【turn:index†file name】`) and a chunk's text.

    Returns:
        Each sentence verbatim with its marker behind it, a paragraph each; or a sentence
        saying that nothing fits.
    """
    wanted = frozenset(islice(_words(question), _MOST_WORDS))
    sentences = list(_sentences(result, wanted))
    weights = _weights(wanted, sentences)
    total = sum(weights.values())
    if not total:
        return NOTHING_FITS
    asks_number = bool(_ASKS_NUMBER.search(question))
    scored = [
        (_score(sentence, weights, asks_number), sentence) for sentence in sentences
    ]
    # The sort keeps equal ones in the order of the search, which ranks as well.
    scored.sort(key=lambda pair: -pair[0])
    if not scored or scored[0][0] < _LEAST_COVERAGE * total:
        return NOTHING_FITS
    return "\n\n".join(
        f"{sentence.text}{sentence.marker}" for sentence in _best(scored)
    )


def _best(scored: Sequence[tuple[float, _Sentence]]) -> list[_Sentence]:
    enough = scored[0][0] * _NEARLY
    chosen: list[_Sentence] = []
    for score, sentence in scored[:_MOST_CANDIDATES]:
        if score < enough or len(chosen) == _MOST_SENTENCES:
            break
        # Chunks overlap: the same words again are no news.
        if all(_differ(sentence, earlier) for earlier in chosen):
            chosen.append(sentence)
    return chosen


def _differ(one: _Sentence, other: _Sentence) -> bool:
    words, others = set(_words(one.text)), set(_words(other.text))
    return len(words & others) < _SAME * min(len(words), len(others))


def _score(sentence: _Sentence, weights: dict[str, float], asks_number: bool) -> float:
    own = sum(weights.get(word, 0) for word in sentence.words)
    if not own:
        return 0
    lent = sum(weights.get(word, 0) for word in sentence.nearby - sentence.words)
    score = own + _NEIGHBOURS_SHARE * lent
    if asks_number and _DIGIT.search(sentence.text):
        score *= _NUMBER_BONUS
    if sentence.is_fragment:
        score *= _FRAGMENT_MALUS
    # Of two sentences that say it, the shorter says it more clearly.
    return score / (1 + len(sentence.text) / 1500)


def _weights(
    wanted: frozenset[str], sentences: Sequence[_Sentence]
) -> dict[str, float]:
    seen = Counter(word for sentence in sentences for word in sentence.words)
    return {word: math.log(1 + len(sentences) / (1 + seen[word])) for word in wanted}


def _sentences(result: str, wanted: frozenset[str]) -> Iterator[_Sentence]:
    markers = list(_MARKER.finditer(result))
    for at, marker in enumerate(markers):
        end = markers[at + 1].start() if at + 1 < len(markers) else len(result)
        block = result[marker.end() : end]
        texts = [block[first:last] for first, last in sentence_spans(block)]
        words = [_shared(wanted, text) for text in texts]
        for position, text in enumerate(texts):
            if text.startswith("#") or not words[position]:
                continue  # a heading answers nothing, but lends its words
            nearby = words[max(0, position - 1) : position + 2]
            yield _Sentence(
                text,
                marker.group().strip(),
                words[position],
                frozenset().union(*nearby),
                text[0].islower() or (text is texts[-1] and not _ENDED.search(text)),
            )


def _shared(wanted: frozenset[str], text: str) -> frozenset[str]:
    """The wanted words that a text holds. Most texts hold none: they are told fast."""
    folded = text.casefold()
    if not any(word in folded for word in wanted):
        return frozenset()
    return wanted.intersection(_words(folded))


def _words(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.casefold()):
        yield from _terms(word)


# A result repeats its words a hundredfold; an answer is due within milliseconds.
@lru_cache(maxsize=8192)
def _terms(word: str) -> tuple[str, ...]:
    if _CJK.search(word):
        # Unspaced scripts: overlapping pairs stand for words.
        return tuple(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    if "-" in word:
        # A compound is a rare word, and each of its parts is one too.
        parts = (term for part in word.split("-") for term in _terms(part))
        return (_stem(word), *parts)
    if word in _STOPWORDS or (len(word) == 1 and not word.isdigit()):
        return ()
    return (_stem(word),)


def _stem(word: str) -> str:
    for ending in (
        "ations",
        "ation",
        "ings",
        "ing",
        "ies",
        "ed",
        "es",
        "ly",
        "s",
        "y",
        "e",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
