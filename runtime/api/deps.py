"""What routes ask for: a transaction, the caller's project, the process' resources."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import AfterValidator

from runtime import db
from runtime.api.idempotency import keyed
from runtime.db.paging import Cursor
from runtime.projects.models import Project
from runtime.resources import Resources
from runtime.vector_stores.models import StoreFileStatus
from runtime.wire.paging import (
    DEFAULT_FILES_LIMIT,
    DEFAULT_LIMIT,
    MAX_FILES_LIMIT,
    MAX_LIMIT,
    Order,
)
from runtime.wire.runs import RunInclude

__all__ = [
    "CurrentProject",
    "FilesCursor",
    "Include",
    "ListCursor",
    "ResourcesDep",
    "Session",
    "Unit",
    "unit_of",
]


# All of them are `async`, also those that await nothing: FastAPI hands a plain function
# to a thread, four times a request, which costs more than what they do.
async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(_resources)]


async def unit_of(request: Request, resources: ResourcesDep) -> AsyncIterator[db.Unit]:
    """The request's unit of work. Its transaction claims the idempotency key, if any."""
    key = keyed(request)
    async with resources.db.unit(key.claim if key is not None else None) as unit:
        yield unit


# For a route with something slow to do before its transaction: bytes to store. All others
# want a `Session`.
# scope="function" commits before the first byte leaves; FastAPI's default commits after
# the response, so a failed commit would follow a 200.
Unit = Annotated[db.Unit, Depends(unit_of, scope="function")]


async def _transaction(unit: Unit) -> db.Session:
    return await unit.begin()


Session = Annotated[db.Session, Depends(_transaction)]


async def _current_project(request: Request) -> Project:
    # Found by the gate, before anything of the body was read.
    project: Project = request.state.project
    return project


CurrentProject = Annotated[Project, Depends(_current_project)]


# Some clients name a cursor that they do not have: `?after=`.
def _or_none(cursor: str | None) -> str | None:
    return cursor or None


_CursorId = Annotated[str | None, AfterValidator(_or_none)]


async def _list_cursor(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    order: Order = "desc",
    after: _CursorId = None,
    before: _CursorId = None,
) -> Cursor:
    return Cursor(limit=limit, order=order, after=after, before=before)


async def _files_cursor(
    limit: Annotated[int, Query(ge=1, le=MAX_FILES_LIMIT)] = DEFAULT_FILES_LIMIT,
    order: Order = "desc",
    after: _CursorId = None,
) -> Cursor:
    return Cursor(limit=limit, order=order, after=after)


ListCursor = Annotated[Cursor, Depends(_list_cursor)]
FilesCursor = Annotated[Cursor, Depends(_files_cursor)]

# What a list or a run may be asked to show in full; a repeated key with brackets.
Include = Annotated[list[RunInclude] | None, Query(alias="include[]")]
StoreFileFilter = Annotated[StoreFileStatus | None, Query(alias="filter")]
