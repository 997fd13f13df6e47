"""How many chunks of a store hold a lexeme: what ranking by rarity divides by.

Kept by whoever adds or removes chunks, in the same transaction. Both functions take the
lock on the store's row in `store_stats` first, so that files of one store that are
finished together wait for one another instead of deadlocking over lexemes. Call them
last: everything after them holds the others up.

A chunk counts `length(lexemes)` towards `lexeme_count`: its distinct lexemes.
"""

from collections.abc import Sequence

from sqlalchemy import text

from runtime.db.transaction import Session

_ADD_STATS = text("""
    INSERT INTO store_stats AS s (store_pk, chunk_count, lexeme_count)
    SELECT store_pk, count(*), sum(length(lexemes))
    FROM chunks WHERE store_file_pk = :store_file_pk GROUP BY store_pk
    ON CONFLICT (store_pk) DO UPDATE SET
        chunk_count = s.chunk_count + excluded.chunk_count,
        lexeme_count = s.lexeme_count + excluded.lexeme_count
""")

_ADD_LEXEMES = text("""
    INSERT INTO store_lexemes AS s (store_pk, lexeme, chunk_count)
    SELECT chunks.store_pk, word.lexeme, count(*)
    FROM chunks, unnest(chunks.lexemes) AS word
    WHERE chunks.store_file_pk = :store_file_pk
    GROUP BY chunks.store_pk, word.lexeme
    ON CONFLICT (store_pk, lexeme) DO UPDATE SET
        chunk_count = s.chunk_count + excluded.chunk_count
""")

# Several stores are locked in one order, whoever asks.
_LOCK = text("""
    SELECT 1 FROM store_stats
    WHERE store_pk IN (
        SELECT store_pk FROM chunks WHERE store_file_pk = ANY(:store_file_pks)
    )
    ORDER BY store_pk FOR UPDATE
""")

_SUBTRACT_STATS = text("""
    UPDATE store_stats AS s SET
        chunk_count = s.chunk_count - gone.chunk_count,
        lexeme_count = s.lexeme_count - gone.lexeme_count
    FROM (
        SELECT store_pk, count(*) AS chunk_count, sum(length(lexemes)) AS lexeme_count
        FROM chunks WHERE store_file_pk = ANY(:store_file_pks) GROUP BY store_pk
    ) AS gone
    WHERE s.store_pk = gone.store_pk
""")

_SUBTRACT_LEXEMES = text("""
    WITH gone AS MATERIALIZED (
        SELECT chunks.store_pk, word.lexeme, count(*) AS chunk_count
        FROM chunks, unnest(chunks.lexemes) AS word
        WHERE chunks.store_file_pk = ANY(:store_file_pks)
        GROUP BY chunks.store_pk, word.lexeme
    ), forgotten AS (
        DELETE FROM store_lexemes AS s USING gone
        WHERE s.store_pk = gone.store_pk AND s.lexeme = gone.lexeme
          AND s.chunk_count <= gone.chunk_count
    )
    UPDATE store_lexemes AS s SET chunk_count = s.chunk_count - gone.chunk_count
    FROM gone
    WHERE s.store_pk = gone.store_pk AND s.lexeme = gone.lexeme
      AND s.chunk_count > gone.chunk_count
""")


async def add_statistics(session: Session, store_file_pk: int) -> None:
    """Count a file's chunks in, once, after they were inserted."""
    values = {"store_file_pk": store_file_pk}
    await session.execute(_ADD_STATS, values)
    await session.execute(_ADD_LEXEMES, values)


async def remove_statistics(session: Session, store_file_pks: Sequence[int]) -> None:
    """Count the chunks of these files out, before they are deleted.

    The caller holds the locks of these store files, so that no chunk comes meanwhile.
    """
    values = {"store_file_pks": list(store_file_pks)}
    await session.execute(_LOCK, values)
    await session.execute(_SUBTRACT_STATS, values)
    await session.execute(_SUBTRACT_LEXEMES, values)
