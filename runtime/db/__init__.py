"""The database's room: base class, column types, transactions, paging. No tables."""

from runtime.db.transaction import Database, Session, Unit

__all__ = ["Database", "Session", "Unit"]
