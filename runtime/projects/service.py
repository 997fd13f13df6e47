"""Projects and keys: create, list, revoke, rotate, and who a key belongs to."""

import hashlib
import secrets

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from runtime.db.transaction import Session
from runtime.errors import InvalidRequest, NotFound, Unauthenticated
from runtime.projects.models import ApiKey, Project

DEFAULT_PROJECT = "default"
_KEY_BYTES = 32
_SHORTEST_SECRET = 16


def hash_secret(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """A fresh key: `sk-` and 256 random bits."""
    return f"sk-{secrets.token_urlsafe(_KEY_BYTES)}"


async def authenticate(session: Session, secret: str) -> Project:
    """The project that this key opens.

    Raises:
        Unauthenticated: no such key, or it was revoked.
    """
    project = await session.scalar(
        select(Project)
        .join(ApiKey, ApiKey.project_id == Project.id)
        .where(ApiKey.secret_hash == hash_secret(secret), ApiKey.revoked_at.is_(None))
    )
    if project is None:
        shown = f"{secret[:3]}…{secret[-4:]}" if len(secret) > 12 else "…"
        raise Unauthenticated(
            f"Incorrect API key provided: {shown}. Keys are made with "
            "`assistants keys create`."
        )
    return project


async def create_project(session: Session, name: str) -> Project:
    """Create a project.

    Raises:
        InvalidRequest: the name is empty, too long (128) or taken.
    """
    name = name.strip()
    if not 1 <= len(name) <= 128:
        raise InvalidRequest("A project's name has 1 to 128 characters.", param="name")
    if await find_project_by_name(session, name) is not None:
        raise InvalidRequest(f"A project named '{name}' exists already.", param="name")
    project = Project(name=name)
    session.add(project)
    await session.flush()
    return project


async def find_project_by_name(session: Session, name: str) -> Project | None:
    """The project of that name, if there is one."""
    return await session.scalar(select(Project).where(Project.name == name))


async def list_projects(session: Session) -> list[Project]:
    """All projects, the oldest first."""
    return list(
        await session.scalars(select(Project).order_by(Project.created_at, Project.id))
    )


async def create_key(
    session: Session, project: Project, name: str = "", secret: str | None = None
) -> tuple[ApiKey, str]:
    """Make a key for a project; its secret is given out here and never again.

    Raises:
        InvalidRequest: a given secret is too short (under 16 characters) or is in use.
    """
    if secret is None:
        secret = new_secret()
    _check_length(secret)
    taken = await session.scalar(
        select(ApiKey.id).where(ApiKey.secret_hash == hash_secret(secret))
    )
    if taken is not None:
        raise InvalidRequest("This API key is in use already.", param="secret")
    key = ApiKey(
        project_id=project.id,
        name=name,
        secret_hash=hash_secret(secret),
        hint=secret[-4:],
    )
    session.add(key)
    await session.flush()
    return key, secret


async def list_keys(session: Session, project: Project) -> list[ApiKey]:
    """A project's keys, revoked ones too, the oldest first."""
    return list(
        await session.scalars(
            select(ApiKey)
            .where(ApiKey.project_id == project.id)
            .order_by(ApiKey.created_at, ApiKey.id)
        )
    )


async def get_key(session: Session, key_id: str) -> ApiKey:
    """A key by its id (`key_…`, not its secret).

    Raises:
        NotFound: there is none.
    """
    key = await session.get(ApiKey, key_id)
    if key is None:
        raise NotFound("API key", key_id)
    return key


async def revoke_key(session: Session, key_id: str) -> ApiKey:
    """Let a key open nothing from now on. Revoking twice is no error.

    Raises:
        NotFound: there is no such key.
    """
    key = await get_key(session, key_id)
    if key.revoked_at is None:
        key.revoked_at = await session.scalar(select(func.now()))
    return key


async def rotate_key(session: Session, key_id: str) -> tuple[ApiKey, str]:
    """Revoke a key and make another of the same project and name.

    Raises:
        NotFound: there is no such key.
        InvalidRequest: it was revoked before.
    """
    old = await get_key(session, key_id)
    if old.revoked_at is not None:
        raise InvalidRequest(f"API key '{key_id}' was revoked before.")
    await revoke_key(session, key_id)
    project = await session.get_one(Project, old.project_id)
    return await create_key(session, project, name=old.name)


async def ensure_default_project(
    session: Session, secret: str, *, key_name: str
) -> Project:
    """See to it that the project `default` exists and that `secret` opens it.

    A key that it had under the same `key_name` before is revoked: whoever changes the
    default key wants the old one to open nothing. Safe when several processes start at
    once.

    Raises:
        InvalidRequest: the secret is too short (under 16 characters), was revoked, or
            opens another project.
    """
    _check_length(secret)
    await session.execute(
        insert(Project).values(name=DEFAULT_PROJECT).on_conflict_do_nothing()
    )
    project = await session.scalar(
        select(Project).where(Project.name == DEFAULT_PROJECT)
    )
    if project is None:
        raise RuntimeError("the default project was inserted and is not there")
    await session.execute(
        insert(ApiKey)
        .values(
            project_id=project.id,
            name=key_name,
            secret_hash=hash_secret(secret),
            hint=secret[-4:],
        )
        .on_conflict_do_nothing()
    )
    await _check_default_key(session, project, secret)
    await session.execute(
        update(ApiKey)
        .where(
            ApiKey.project_id == project.id,
            ApiKey.name == key_name,
            ApiKey.secret_hash != hash_secret(secret),
            ApiKey.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
    )
    return project


async def _check_default_key(session: Session, project: Project, secret: str) -> None:
    key = await session.scalar(
        select(ApiKey).where(ApiKey.secret_hash == hash_secret(secret))
    )
    if key is None:
        raise RuntimeError("the default key was inserted and is not there")
    if key.project_id != project.id:
        raise InvalidRequest(
            f"The API key that ends in {key.hint} opens another project than "
            f"'{DEFAULT_PROJECT}'.",
            param="secret",
        )
    if key.revoked_at is not None:
        raise InvalidRequest(
            f"The API key that ends in {key.hint} was revoked.", param="secret"
        )


def _check_length(secret: str) -> None:
    if len(secret) < _SHORTEST_SECRET:
        raise InvalidRequest(
            f"An API key needs at least {_SHORTEST_SECRET} characters.", param="secret"
        )
