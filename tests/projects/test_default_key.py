"""The key of the project `default`: what it may be, and what becomes of an older one."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from runtime.db.transaction import Database, Session
from runtime.errors import InvalidRequest, Unauthenticated
from runtime.projects import service
from runtime.projects.models import Project


@pytest.fixture
async def session(db: Database) -> AsyncIterator[Session]:
    async with db.transaction() as session:
        yield session


@pytest.fixture
def name() -> str:
    """Where this test's key comes from; other tests' keys come from elsewhere."""
    return f"test {uuid4()}"


async def test_it_opens_the_project_default_however_often_it_is_ensured(
    session: Session, name: str
) -> None:
    secret = service.new_secret()

    for _ in range(2):
        await service.ensure_default_project(session, secret, key_name=name)

    assert (await service.authenticate(session, secret)).name == "default"


async def test_fewer_than_sixteen_characters_are_refused(
    session: Session, name: str
) -> None:
    with pytest.raises(InvalidRequest, match="at least 16 characters"):
        await service.ensure_default_project(session, "a" * 15, key_name=name)


async def test_one_of_another_project_is_refused(
    session: Session, project: Project, name: str
) -> None:
    _, secret = await service.create_key(session, project)

    with pytest.raises(InvalidRequest, match="opens another project"):
        await service.ensure_default_project(session, secret, key_name=name)


async def test_one_that_was_revoked_is_refused(session: Session, name: str) -> None:
    secret = service.new_secret()
    default = await service.ensure_default_project(session, secret, key_name=name)
    (key,) = [k for k in await service.list_keys(session, default) if k.name == name]
    await service.revoke_key(session, key.id)

    with pytest.raises(InvalidRequest, match="was revoked"):
        await service.ensure_default_project(session, secret, key_name=name)


async def test_another_one_from_the_same_place_revokes_the_earlier(
    session: Session, name: str
) -> None:
    earlier, later, elsewhere = (service.new_secret() for _ in range(3))
    await service.ensure_default_project(session, earlier, key_name=name)
    await service.ensure_default_project(session, elsewhere, key_name=f"{name} 2")

    await service.ensure_default_project(session, later, key_name=name)

    for valid in (later, elsewhere):
        assert (await service.authenticate(session, valid)).name == "default"
    with pytest.raises(Unauthenticated):
        await service.authenticate(session, earlier)
