"""Search finds what fits, by words and by meaning, and says how well."""

import pytest
from sqlalchemy import func, insert, select, update

from runtime.db.transaction import Database
from runtime.errors import InvalidRequest
from runtime.vector_stores.hits import render_hits, without_repeats
from runtime.vector_stores.models import Chunk, VectorStore, Window
from runtime.vector_stores.search import Hit, RankingOptions
from runtime.vector_stores.statistics import add_statistics
from runtime.wire.search import ComparisonFilter
from tests.support.make import Make
from tests.vector_stores.asking import FACTS, Ask


@pytest.mark.parametrize(
    ("question", "place"),
    [
        ("Where does the feline pet take its nap?", 0),  # not one word in common
        ("What did the bank say about rates, and was anybody surprised?", 1),
        ("err-4711-xj", 2),
        ("wann fährt die straßenbahn", 3),
        ("parse_header", 4),
    ],
)
async def test_a_question_finds_its_passage(
    ask: Ask, facts: VectorStore, question: str, place: int
) -> None:
    hits = await ask(question, facts)

    assert hits[0].text == FACTS[place]
    assert hits[0].attributes == {"length": len(FACTS[place])}
    assert (hits[0].char_start, hits[0].char_end) == (0, len(FACTS[place]))
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    "question",
    [
        "the of and",
        "😀",
        "東京の天気",
        "'it\\'s' & | ! <-> (:*",
        "%s :x {y}",
        "a" * 30_000,
    ],
)
async def test_no_question_is_too_odd(
    ask: Ask, facts: VectorStore, question: str
) -> None:
    assert len(await ask(question, facts)) == len(FACTS)


async def test_words_that_no_passage_has_do_not_crowd_out_the_others(
    ask: Ask, facts: VectorStore
) -> None:
    question = " ".join(f"zq{n}x" for n in range(200)) + " hauptbahnhof"
    words = RankingOptions(embedding_weight=0, text_weight=1)

    assert (await ask(question, facts, ranking=words))[0].text == FACTS[3]


async def test_a_threshold_parts_sense_from_nonsense(
    ask: Ask, facts: VectorStore
) -> None:
    strict = RankingOptions(score_threshold=0.4)

    sense = await ask("cat slept on the windowsill", facts, ranking=strict)
    nonsense = await ask("zxqv brmpf kwyjibo", facts, ranking=strict)

    assert [hit.text for hit in sense] == [FACTS[0]]
    assert nonsense == []


async def test_weights_say_whether_words_or_meaning_count(ask: Ask, make: Make) -> None:
    store = await make.store()
    await make.store_file(store, "Jaguar invoices are archived by year.")
    await make.store_file(store, "Large wild cats hunt at night in the jungle.")
    question = "At what time of day does a jaguar look for prey?"

    words = RankingOptions(embedding_weight=0, text_weight=2)
    meaning = RankingOptions(embedding_weight=3, text_weight=0)

    assert "invoices" in (await ask(question, store, ranking=words))[0].text
    assert "jungle" in (await ask(question, store, ranking=meaning))[0].text


@pytest.mark.parametrize("weights", [(0, 0), (-1, 2)])
async def test_weights_that_weigh_nothing_are_refused(
    ask: Ask, facts: VectorStore, weights: tuple[float, float]
) -> None:
    ranking = RankingOptions(embedding_weight=weights[0], text_weight=weights[1])

    with pytest.raises(InvalidRequest, match="weights"):
        await ask("cat", facts, ranking=ranking)


async def test_a_filter_leaves_as_many_hits_as_there_are(ask: Ask, make: Make) -> None:
    store = await make.store()
    # All of these fit better than those which the filter lets through.
    for number in range(15):
        await make.store_file(store, *[f"Whales sing, {number}.{n}." for n in range(4)])
    for number in range(6):
        attributes = {"kept": True}
        await make.store_file(store, f"Tax form {number}.", attributes=attributes)
    kept = ComparisonFilter(type="eq", key="kept", value=True)

    hits = await ask("do whales sing", store, filters=kept, max_num_results=5)

    assert len(hits) == 5
    assert all(hit.text.startswith("Tax form") for hit in hits)


async def test_several_questions_are_each_answered(
    ask: Ask, facts: VectorStore
) -> None:
    hits = await ask(["cat on the windowsill", "lost pressure"], facts)

    assert {hit.text for hit in hits[:2]} == {FACTS[0], FACTS[2]}
    assert len(hits) == len(FACTS)


async def test_no_more_hits_come_than_were_asked_for(
    ask: Ask, facts: VectorStore
) -> None:
    assert len(await ask("cat", facts, max_num_results=2)) == 2


def hit(file_id: str, start: int, end: int, score: float = 0.5) -> Hit:
    return Hit(
        file_id=file_id,
        filename=f"{file_id}.txt",
        score=score,
        attributes={},
        text="x" * (end - start),
        char_start=start,
        char_end=end,
        page_from=None,
        page_to=None,
        page_starts=None,
    )


def test_a_hit_that_better_ones_hold_is_dropped() -> None:
    best, next_but_one = hit("a", 0, 100), hit("a", 100, 200)
    between, elsewhere = hit("a", 50, 150), hit("b", 50, 150)
    half_new = hit("a", 150, 250)

    kept = without_repeats([best, next_but_one, between, elsewhere, half_new])

    assert kept == [best, next_but_one, elsewhere, half_new]


async def test_a_large_store_is_searched_by_its_rarest_words(
    ask: Ask, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store)
    async with db.transaction() as session:
        await session.execute(
            insert(Chunk),
            [
                {
                    "store_pk": store.pk,
                    "store_file_pk": row.pk,
                    "ordinal": number,
                    "content": f"Entry {number} of the ship's log: all is well.",
                    "char_start": number * 50,
                    "char_end": number * 50 + 50,
                    "tokens": 12,
                }
                for number in range(1_100)
            ],
        )
        await add_statistics(session, row.pk)

    hits = await ask("what does entry 937 of the ship's log say?", store)

    assert hits[0].text.startswith("Entry 937 ")


async def test_vectors_without_a_direction_come_last(
    ask: Ask, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "Rain fell on the hills.", "Snow fell too.")
    async with db.transaction() as session:
        second = await session.scalar(
            select(func.max(Chunk.pk)).where(Chunk.store_file_pk == row.pk)
        )
        await session.execute(
            update(Window)
            .where(Window.chunk_pks == [second])
            .values(embedding=[0.0] * 384)
        )

    hits = await ask("precipitation", store)

    assert [hit.text for hit in hits] == ["Rain fell on the hills.", "Snow fell too."]
    assert hits[1].score == 0


def test_each_hit_is_shown_as_an_item_of_its_own() -> None:
    page = render_hits("what", [hit("a", 0, 3, 0.75), hit("a", 9, 12, 0.5)])

    shown = page.model_dump(mode="json")
    assert shown["search_query"] == ["what"]
    assert shown["data"][0] == {
        "file_id": "a",
        "filename": "a.txt",
        "score": 0.75,
        "attributes": {},
        "content": [{"type": "text", "text": "xxx"}],
    }
    assert (len(shown["data"]), shown["has_more"]) == (2, False)
