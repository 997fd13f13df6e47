"""Thread lists: found by metadata and by what was said. Places between messages.

All of `items` is written anew and read by the indexes: half a minute for a hundred
thousand messages, in which nothing else can be written. `downgrade` leaves the places.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Bodies are parsed here and not when they are called: indexes are built, and dumps are
# read, with a search path on which our own functions are not found.
#
# Whatever is neither letter nor digit becomes a space, here and in what is asked for.
# Left as it is, Postgres' parser takes time squared on some of it (`a_a_a_…`), and where
# the database's locale is C, it takes foreign punctuation for letters.
_PLAIN_WORDS = """
CREATE FUNCTION plain_words(said text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(said, '[^[:alnum:]]+', ' ', 'g')
"""

# Null of a tool's call, whose body has no content. A tsvector holds 1 MB; a word costs at
# most four bytes for each of its characters and the space behind it, so 100,000
# characters always fit.
_MESSAGE_WORDS = """
CREATE FUNCTION message_words(body jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT to_tsvector('pg_catalog.simple', plain_words(left(
        string_agg(part #>> '{}', ' '), 100000)))
    FROM jsonb_path_query(body, '$.content[*].text') AS part
)
"""

_TITLE_WORDS = """
CREATE FUNCTION title_words(metadata jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector('pg_catalog.simple', plain_words(metadata ->> 'title'))
"""

# Neighbours were one apart, and are a step apart now. By way of negative numbers, which
# nothing else has: a number may be another item's until that has moved, too.
_PLACES = (
    "UPDATE items SET seq = -seq * 1048576 WHERE seq IS NOT NULL",
    "UPDATE items SET seq = -seq WHERE seq < 0",
    "UPDATE threads SET next_seq = next_seq * 1048576",
)


def upgrade() -> None:
    for statement in _PLACES:
        op.execute(statement)
    op.execute(_PLAIN_WORDS)
    op.execute(_MESSAGE_WORDS)
    op.execute(_TITLE_WORDS)
    op.add_column(
        "items",
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed("message_words(body)", persisted=True),
            nullable=True,
        ),
    )
    op.create_index(
        "ix_items_words",
        "items",
        ["words"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 512},
        postgresql_where=sa.text("deleted_at IS NULL AND words IS NOT NULL"),
    )
    op.create_index(
        "ix_threads_listed",
        "threads",
        ["project_id", "pk"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_threads_metadata",
        "threads",
        ["metadata"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_threads_title_words",
        "threads",
        [sa.text("title_words(metadata)")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_threads_title_words", table_name="threads")
    op.drop_index("ix_threads_metadata", table_name="threads")
    op.drop_index("ix_threads_listed", table_name="threads")
    op.drop_index("ix_items_words", table_name="items")
    op.drop_column("items", "words")
    op.execute("DROP FUNCTION title_words(jsonb)")
    op.execute("DROP FUNCTION message_words(jsonb)")
    op.execute("DROP FUNCTION plain_words(text)")
