"""The database's room: base class, column types, transactions, paging. No tables."""

from runtime.db.transaction import Database, Session

__all__ = ["Database", "Session"]
