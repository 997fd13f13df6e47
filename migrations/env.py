"""Alembic's environment: every table's module, one connection, patience with locks."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from runtime.assistants import models as assistants
from runtime.db.base import Base
from runtime.files import models as files
from runtime.idempotency import models as idempotency
from runtime.projects import models as projects
from runtime.runs import models as runs
from runtime.threads import models as threads
from runtime.vector_stores import models as vector_stores

# Imported for their tables.
MODELS = (projects, idempotency, files, vector_stores, assistants, threads, runs)

# Any number, the same for all: who holds it migrates, the others wait and find it done.
_LOCK_KEY = 7_240_518


def run_migrations() -> None:
    """Migrate under a lock, giving up rather than blocking a busy table for long."""
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise RuntimeError("no database URL was given to the migration")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run_migrations()
