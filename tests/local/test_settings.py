"""Settings as people write them: empty, with blanks, on awkward paths."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError
from redis import Redis
from sqlalchemy import make_url

from runtime.files.storage import Storage
from runtime.settings import Settings


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prefix = "" if name.startswith("openai_") else "ASSISTANTS_"
    monkeypatch.setenv(f"{prefix}{name.upper()}", "")

    found = getattr(Settings(_env_file=None), name)

    monkeypatch.delenv(f"{prefix}{name.upper()}")
    assert found == getattr(Settings(_env_file=None), name)


def test_names_of_models_lose_their_blanks() -> None:
    assert Settings(fallback_models=" a, b ,,c").fallback_models == "a,b,c"


@pytest.mark.parametrize("seconds", [15, 20])
def test_a_heartbeat_as_long_as_a_lease_is_refused(seconds: float) -> None:
    with pytest.raises(ValidationError, match="less than ASSISTANTS_LEASE_SECONDS"):
        Settings(lease_seconds=15, heartbeat_seconds=seconds)


def test_a_heartbeat_that_is_not_set_goes_with_the_lease() -> None:
    assert Settings(lease_seconds=3).heartbeat_seconds == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p%40ss@db.example:5432/x?sslmode=require",
        "postgresql:///x?host=/run/postgresql",
        "postgresql+psycopg://u@[::1]/x",
    ],
)
def test_usual_database_urls_are_taken(url: str) -> None:
    effective = Settings(database_url=url).effective_database_url

    assert make_url(effective).drivername == "postgresql+psycopg"


@pytest.mark.parametrize("name", ["a b", "a#b", "a%41b", "a+b", "a?b", "ä"])
def test_a_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = Settings(
        data_dir=tmp_path / name,
        database_url=None,
        redis_url=None,
        storage_url=None,
        sandbox_url=None,
    )

    sockets = settings.sockets_dir
    assert make_url(settings.effective_database_url).query["host"] == f"{sockets}/pg"
    redis = Redis.from_url(settings.effective_redis_url).connection_pool
    assert redis.connection_kwargs["path"] == f"{sockets}/redis.sock"
    # The sandbox's link takes the path as it stands.
    path = urlsplit(settings.effective_sandbox_url).path
    assert path == f"{sockets}/sandbox.sock"
    files = settings.effective_storage_url
    Storage(files)  # is content with it
    assert unquote(urlsplit(files).path) == f"{tmp_path}/{name}/files"
