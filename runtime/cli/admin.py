"""Projects and their API keys, straight in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from runtime.cli.output import CommandFailed, print_json, print_table
from runtime.local.logs import say

if TYPE_CHECKING:
    from runtime.db.transaction import Session
    from runtime.projects.models import ApiKey, Project

T = TypeVar("T")

projects = typer.Typer(help="Projects: each sees only its own things.")
keys = typer.Typer(help="API keys: each opens one project.")

Json = Annotated[bool, typer.Option("--json", help="print JSON, for a script")]
KeyId = Annotated[str, typer.Argument(help="id of the key (key_…), from `keys list`")]


@projects.command("create")
def create_project(name: str, as_json: Json = False) -> None:
    """Create a project.

    Example: assistants projects create billing-bot
    """
    from runtime.projects import service

    project = _in_transaction(lambda session: service.create_project(session, name))
    if as_json:
        print_json(_project_json(project))
    else:
        print(f"Created project {project.name} ({project.id}).")


@projects.command("list")
def list_projects(as_json: Json = False) -> None:
    """List all projects.

    Example: assistants projects list --json
    """
    from runtime.projects import service

    found = _in_transaction(service.list_projects)
    if as_json:
        print_json([_project_json(project) for project in found])
    else:
        rows = [(p.name, p.id, f"{p.created_at:%Y-%m-%d %H:%M}") for p in found]
        print_table(("NAME", "ID", "CREATED"), rows)


@keys.command("create")
def create_key(
    project: Annotated[str, typer.Option(help="its project; made if it is not there")],
    name: Annotated[str, typer.Option(help="a word for people")] = "",
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept.

    Example: assistants keys create --project billing-bot --json
    """
    from runtime.projects import service

    async def create(session: "Session") -> "tuple[ApiKey, str]":
        owner = await service.find_project_by_name(session, project)
        if owner is None:
            owner = await service.create_project(session, project)
        return await service.create_key(session, owner, name)

    _show_secret(*_in_transaction(create), as_json=as_json)


@keys.command("list")
def list_keys(
    project: Annotated[str | None, typer.Option(help="only this project's")] = None,
    as_json: Json = False,
) -> None:
    """List keys: ids and last characters, never the keys themselves.

    Example: assistants keys list --project billing-bot
    """
    from runtime.projects import service

    async def collect(session: "Session") -> "list[tuple[Project, ApiKey]]":
        owners = await service.list_projects(session)
        if project is not None:
            owners = [owner for owner in owners if owner.name == project]
            if not owners:
                raise CommandFailed(f"There is no project named '{project}'.")
        return [(p, key) for p in owners for key in await service.list_keys(session, p)]

    found = _in_transaction(collect)
    if as_json:
        print_json([_key_json(key, project=owner.name) for owner, key in found])
        return
    rows = [
        (key.id, owner.name, key.name, f"…{key.hint}", _state(key))
        for owner, key in found
    ]
    print_table(("ID", "PROJECT", "NAME", "ENDS IN", "STATE"), rows)


@keys.command("revoke")
def revoke_key(key_id: KeyId, as_json: Json = False) -> None:
    """Let a key open nothing from now on.

    Example: assistants keys revoke key_9f0c…
    """
    from runtime.projects import service

    key = _in_transaction(lambda session: service.revoke_key(session, key_id))
    if as_json:
        print_json(_key_json(key))
    else:
        print(f"Revoked {key.id}.")


@keys.command("rotate")
def rotate_key(key_id: KeyId, as_json: Json = False) -> None:
    """Revoke a key and make another for the same project.

    The key that `up` made is replaced in the data directory, too.

    Example: assistants keys rotate key_9f0c… --json
    """
    from runtime.local.configuration import load_settings
    from runtime.local.data_dir import keep_api_key, kept_api_key
    from runtime.projects import service

    settings = load_settings()
    kept = kept_api_key(settings)

    async def rotate(session: "Session") -> "tuple[bool, tuple[ApiKey, str]]":
        old = await service.get_key(session, key_id)
        is_kept = kept is not None and old.secret_hash == service.hash_secret(kept)
        return is_kept, await service.rotate_key(session, key_id)

    is_kept, (key, secret) = _in_transaction(rotate)
    if is_kept:
        keep_api_key(settings, secret)
    _show_secret(key, secret, as_json=as_json)


def _in_transaction(work: "Callable[[Session], Awaitable[T]]") -> T:
    from runtime.errors import ApiError
    from runtime.local.configuration import load_settings
    from runtime.local.database import database_at_hand
    from runtime.local.prepare import migrate

    settings = load_settings()
    with database_at_hand(settings, say):
        migrate(settings)
        try:
            return asyncio.run(_transact(settings.effective_database_url, work))
        except ApiError as failure:
            raise CommandFailed(failure.message) from None


async def _transact(url: str, work: "Callable[[Session], Awaitable[T]]") -> T:
    from runtime.db.transaction import Database

    database = Database(url, pool_size=1, max_overflow=0)
    try:
        async with database.transaction() as session:
            return await work(session)
    finally:
        await database.close()


def _show_secret(key: "ApiKey", secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": secret, **_key_json(key)})
    else:
        print(f"{secret}\nThis is {key.id}. It is not shown again.")


def _project_json(project: "Project") -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "created_at": project.created_at.isoformat(),
    }


def _key_json(key: "ApiKey", **more: str) -> dict[str, Any]:
    revoked_at = key.revoked_at.isoformat() if key.revoked_at else None
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "project_id": key.project_id,
        "revoked_at": revoked_at,
        **more,
    }


def _state(key: "ApiKey") -> str:
    return f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "in use"
