"""Column types that several tables use."""

from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects.postgresql import JSON, TSVECTOR

# No dimension: each store keeps the dimension of the model it was made with.
HalfVector: Any = HALFVEC()
SearchVector = TSVECTOR
# For schemas, which models are told: they fill keys in the order of a schema, and jsonb
# sorts the keys of an object. No SQL looks inside such a column.
JsonInOrder = JSON(none_as_null=True)

__all__ = ["HalfVector", "JsonInOrder", "SearchVector"]
