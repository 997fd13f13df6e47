"""Lists, a page at a time, by a key that never ties (never by time)."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute

from runtime.db.transaction import Session
from runtime.errors import InvalidRequest

T = TypeVar("T")

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What a caller asks of a list.

    `after` and `before` are ids; `before` gives the page just in front of that id.
    """

    limit: int = 20
    order: Order = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, in order, and whether more follow in that direction."""

    data: list[T]
    has_more: bool


async def fetch_page(
    session: Session,
    query: Select[T],
    cursor: Cursor,
    *,
    id: InstrumentedAttribute[str],
    key: InstrumentedAttribute[Any],
    places: Select[T] | None = None,
) -> Page[T]:
    """Fetch one page of `query`.

    Args:
        query: the whole list, filtered by project, unordered.
        id: the column that cursors name.
        key: the unique column that orders the list.
        places: where cursors are looked up, if that is more than `query`: what has left
            the list since the last page (deleted, or of another status by now) keeps
            its place, so that one can delete what one walks through.

    Raises:
        InvalidRequest: a cursor names nothing that is, or was, in this list.
    """
    ascending = cursor.order == "asc"
    wanted = query
    places = query if places is None else places
    if cursor.after is not None:
        place = await _place(session, places, id, key, cursor.after, "after")
        wanted = wanted.where(_beyond(key, place, ascending))
    if cursor.before is not None:
        place = await _place(session, places, id, key, cursor.before, "before")
        wanted = wanted.where(_beyond(key, place, not ascending))
    # Only `before`: read backwards from the cursor, so that the page touches it.
    backwards = cursor.before is not None and cursor.after is None
    reading_ascending = ascending != backwards
    wanted = wanted.order_by(key.asc() if reading_ascending else key.desc())
    rows: list[T] = list(await session.scalars(wanted.limit(cursor.limit + 1)))
    has_more = len(rows) > cursor.limit
    rows = rows[: cursor.limit]
    if backwards:
        rows.reverse()
    return Page(rows, has_more)


def _beyond(
    key: InstrumentedAttribute[Any], place: Any, ascending: bool
) -> ColumnElement[bool]:
    beyond: ColumnElement[bool] = key > place if ascending else key < place
    return beyond


async def _place(
    session: Session,
    places: Select[T],
    id: InstrumentedAttribute[str],
    key: InstrumentedAttribute[Any],
    value: str,
    param: str,
) -> Any:
    place = None
    if "\0" not in value:  # Postgres could not even be asked
        found = places.with_only_columns(key).where(id == value)
        place = await session.scalar(found)
    if place is None:
        raise InvalidRequest(
            f"No object with id '{value[:128]}' is in this list.", param=param
        )
    return place
