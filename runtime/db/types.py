"""Column types that several tables use."""

from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects.postgresql import TSVECTOR

# No dimension: each store keeps the dimension of the model it was made with.
HalfVector: Any = HALFVEC()
SearchVector = TSVECTOR

__all__ = ["HalfVector", "SearchVector"]
