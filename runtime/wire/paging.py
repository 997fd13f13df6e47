"""Lists: one envelope for all, and the numbers that bound a page."""

from collections.abc import Sequence
from typing import Generic, Literal, Self, TypeVar

from runtime.wire.base import WireModel

Order = Literal["asc", "desc"]

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
DEFAULT_FILES_LIMIT = 10_000
MAX_FILES_LIMIT = 10_000


class Listed(WireModel):
    """What a list can hold: it has an id, which is its cursor."""

    id: str


Item = TypeVar("Item", bound=Listed)


class Page(WireModel, Generic[Item]):
    """One page of a list.

    `first_id` and `last_id` are the cursors for `before` and `after`. An empty page has
    "" there: the official schema knows no null, and as a cursor "" asks for no place.
    `has_more` tells whether the list goes on in the direction asked for.
    """

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str
    last_id: str
    has_more: bool

    @classmethod
    def of(cls, items: Sequence[Item], *, has_more: bool) -> Self:
        """The page that holds these items, in this order."""
        return cls(
            data=list(items),
            first_id=items[0].id if items else "",
            last_id=items[-1].id if items else "",
            has_more=has_more,
        )
