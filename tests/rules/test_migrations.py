"""Migrations and tables say the same, and lead from nothing to all and back."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from runtime.db.base import Base
from runtime.db.migrate import current, downgrade, head, upgrade
from tests.support import services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_url() -> Iterator[str]:
    """A database without any table."""
    name = f"migrations_{services.worker_name()}"
    url = services.empty_database(name)
    yield url
    services.drop_database(url.rpartition("/")[2].partition("?")[0])


def test_an_empty_database_is_brought_to_what_the_tables_say(empty_url: str) -> None:
    for path in ROOT.glob("runtime/*/models.py"):
        importlib.import_module(f"runtime.{path.parent.name}.models")
    assert current(empty_url) is None

    upgrade(empty_url)

    assert current(empty_url) == head()
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_every_step_down_leads_back_to_nothing(empty_url: str) -> None:
    upgrade(empty_url)

    downgrade(empty_url, "base")

    assert current(empty_url) is None
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
        functions = connection.scalars(
            text(
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
                " AND proname LIKE 'runs%'"
            )
        )
        assert list(functions) == []
    engine.dispose()
    upgrade(empty_url)


def test_an_upgrade_of_what_is_up_to_date_does_nothing(empty_url: str) -> None:
    upgrade(empty_url)
    upgrade(empty_url)

    assert current(empty_url) == head()
