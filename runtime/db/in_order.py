"""JSON whose keys stay in the order they came in."""

import json
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator


class JsonInOrder(TypeDecorator[Any]):
    """For schemas, which models are told: they fill keys in the order of a schema.

    jsonb sorts the keys of an object, so objects and lists lie here as a jsonb text.
    What an earlier release has stored as jsonb itself is read as it is.
    """

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Objects and lists as text; words and numbers as they are."""
        if isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=False)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The reverse."""
        if isinstance(value, str) and value[:1] in ("{", "["):
            return json.loads(value)
        return value
