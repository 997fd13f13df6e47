"""The data directory: its lock, its secrets, and what is said when it cannot be used."""

from pathlib import Path

import pytest

from runtime.local import data_dir
from runtime.local.failure import CannotStart
from runtime.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", api_key=None)


def _ignore(words: str) -> None:
    pass


def test_it_is_made_for_us_alone(settings: Settings) -> None:
    with data_dir.locked(settings, _ignore):
        assert data_dir.is_in_use(settings)
        for directory in (settings.data_dir, settings.run_dir, settings.logs_dir):
            assert directory.stat().st_mode & 0o777 == 0o700

    assert not data_dir.is_in_use(settings)


def test_asking_about_a_directory_that_is_not_there_does_not_make_it(
    settings: Settings,
) -> None:
    assert not data_dir.is_in_use(settings)
    assert not settings.data_dir.exists()


def test_one_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(data_dir=tmp_path / "file" / "data")

    with (
        pytest.raises(CannotStart, match="Cannot write to the data directory"),
        data_dir.locked(settings, _ignore),
    ):
        pass


def test_the_api_key_is_made_once_and_readable_by_us_alone(settings: Settings) -> None:
    settings.data_dir.mkdir()

    key = data_dir.read_or_make_api_key(settings)

    assert key.startswith("sk-") and len(key) > 40
    assert data_dir.read_or_make_api_key(settings) == key
    assert settings.api_key_file.stat().st_mode & 0o777 == 0o600


def test_a_given_api_key_is_used_and_not_written_down(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, api_key="sk-given-by-its-owner")

    assert data_dir.read_or_make_api_key(settings) == "sk-given-by-its-owner"
    assert not settings.api_key_file.exists()
