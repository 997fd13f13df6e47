"""The one statement that ranks chunks: words by rarity, windows by cosine, their sum.

**Words.** A question's lexemes, English and plain, each weigh their rarity in the stores
searched (BM25's idf). A chunk's text score is the share of that weight it holds, each
lexeme counted by how often it stands there (`ts_rank` of one lexeme: .61 for once, .76
for twice, towards 1). Any lexeme will do: of natural questions about half have a word
that no chunk answers with, so a conjunction finds nothing. Lexemes that no chunk has
count in the whole, so that nonsense scores near 0.

**Vectors.** The cosine of the question with a chunk's best window. All windows of the
stores are looked at: a filter, or a small store beside a large one, would leave an
approximate index with a handful of rows (recall .02 at 1 % of the rows). Per 10,000
windows of 384 dimensions this costs some ten milliseconds.

**Sum.** Both scores run from 0 to 1 and mean the same for every question, so their
weighted mean orders the hits and is also the `score` that a threshold can be set on. On
the public benchmark this does as well as scores relative to each question's best hit.
"""

from sqlalchemy import TextClause, text

# More windows than these tell nothing new about a chunk in the first fifty.
_WINDOWS = 1_000
# Chunks scored word by word, some ten microseconds each. In a store of more than the
# first number the rarest lexemes choose the second, and the others only add to the score.
_WHOLE = 1_000
_CANDIDATES = 2_000
# Of a question as long as a page, the rarest words say what it is about.
_LEXEMES = 64

# Planned for its very values each time: a prepared statement's general plan would serve
# a store of ten chunks and one of a hundred thousand alike. Nothing here is long enough
# to be worth compiling.
PLANNING = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true),"
    " set_config('jit', 'off', true)"
)

_RANKING = """
WITH corpus AS MATERIALIZED (
    SELECT coalesce(sum(chunk_count), 0)::float8 AS chunks
    FROM store_stats WHERE store_pk = ANY(CAST(:store_pks AS bigint[]))
),
question AS MATERIALIZED (
    SELECT word.lexeme, df,
           -- Quoted as a tsquery wants it, whatever is in it.
           ('''' || replace(replace(word.lexeme, '\\', '\\\\'), '''', '''''')
            || '''')::tsquery AS query,
           ln(1 + (chunks - df + 0.5) / (df + 0.5)) AS idf
    FROM corpus,
         unnest(to_tsvector('english', :query)
                || to_tsvector('simple', :query)) AS word,
         LATERAL (SELECT coalesce(sum(chunk_count), 0)::float8 AS df
                  FROM store_lexemes
                  WHERE store_pk = ANY(CAST(:store_pks AS bigint[]))
                    AND lexeme = word.lexeme) AS found
    -- Words that no chunk has come last: they must not crowd out those to be found.
    ORDER BY df = 0, df, word.lexeme
    LIMIT {lexemes}
),
telling AS MATERIALIZED (
    -- Words that stand nearly everywhere cost as much to count, and tell nothing.
    SELECT query, idf, sum(df) OVER (ORDER BY df, lexeme) AS reached,
           row_number() OVER (ORDER BY df, lexeme) AS place
    FROM question WHERE df > 0 AND idf >= (SELECT 0.03 * max(idf) FROM question)
),
chosen AS (
    -- A small store is scored whole: the index on lexemes knows all stores' words, and
    -- asking it for common ones costs more than reading a few hundred chunks.
    SELECT pk, lexemes FROM chunks
    WHERE (SELECT chunks <= {whole} FROM corpus)
      AND store_pk = ANY(CAST(:store_pks AS bigint[])) {allowed}
    UNION ALL
    SELECT pk, lexemes FROM chunks
    WHERE (SELECT chunks > {whole} FROM corpus)
      AND store_pk = ANY(CAST(:store_pks AS bigint[])) {allowed}
      AND lexemes @@ (SELECT string_agg(query::text, ' | ')::tsquery FROM telling
                      WHERE place = 1 OR reached <= {candidates})
),
unpacked AS (
    -- Concatenated with nothing, a tsvector is unpacked once, not once for each lexeme;
    -- OFFSET 0 keeps the planner from writing the expression out at every use.
    SELECT pk, lexemes || ''::tsvector AS lexemes FROM chosen OFFSET 0
),
by_words AS (
    SELECT pk,
           coalesce((SELECT sum(idf * ts_rank('{{1,1,1,1}}', unpacked.lexemes, query))
                     FROM telling), 0)
           -- A question of nothing but words that stand everywhere asks for none.
           / (SELECT 0.1 + sum(idf) FROM question) AS text_score
    FROM unpacked
),
near AS MATERIALIZED (
    SELECT chunk_pks, embedding <=> CAST(:vector AS halfvec) AS distance
    FROM windows
    WHERE store_pk = ANY(CAST(:store_pks AS bigint[])) {allowed}
    ORDER BY distance LIMIT {windows}
),
by_vector AS (
    -- A vector of zeros has no direction: its distance is NaN, its cosine 0.
    SELECT pk, max(greatest(0, 1 - nullif(distance, 'NaN'))) AS cosine
    FROM near, unnest(chunk_pks) AS pk GROUP BY pk
),
weights AS (
    -- Without a word to look for, the vectors alone have to say.
    SELECT CASE WHEN EXISTS (SELECT FROM question) THEN CAST(:text_weight AS float8)
           ELSE 0 END AS text_weight
),
best AS (
    SELECT pk, text_weight * coalesce(text_score, 0)
               + (1 - text_weight) * coalesce(cosine, 0) AS score
    FROM by_words FULL JOIN by_vector USING (pk), weights
    ORDER BY score DESC, pk LIMIT :most
)
SELECT store_files.file_id, files.filename, best.score, store_files.attributes,
       chunks.content, chunks.char_start, chunks.char_end,
       chunks.page_from, chunks.page_to, chunks.page_starts
FROM best
JOIN chunks USING (pk)
JOIN store_files ON store_files.pk = chunks.store_file_pk
JOIN files ON files.pk = store_files.file_pk
WHERE best.score >= :threshold AND store_files.project_id = :project_id
ORDER BY best.score DESC, best.pk
"""

_ALLOWED = """
      AND store_file_pk IN (
          SELECT store_files.pk FROM store_files
          WHERE store_files.store_pk = ANY(CAST(:store_pks AS bigint[])) AND {condition})
"""


def ranking_statement(condition: str | None = None) -> TextClause:
    """The statement, for files of which `condition` holds (SQL on `store_files`).

    The condition stands within both rankings, so that a filter never leaves fewer hits
    than there are. Parameters: store_pks, project_id, query, vector (as pgvector writes
    it), text_weight (0 to 1), threshold, most, and those of the condition.
    """
    allowed = "" if condition is None else _ALLOWED.format(condition=condition)
    return text(
        _RANKING.format(
            allowed=allowed,
            windows=_WINDOWS,
            whole=_WHOLE,
            candidates=_CANDIDATES,
            lexemes=_LEXEMES,
        )
    )
