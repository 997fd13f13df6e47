"""Schemas in order: JSON that models are told keeps the order of its keys.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = {
    "assistants": ("tools", "response_format"),
    "runs": ("tools", "request"),
}


def upgrade() -> None:
    _retype("json")


def downgrade() -> None:
    _retype("jsonb")


def _retype(to: str) -> None:
    # All columns of a table in one statement: its rows are written anew only once.
    for table, columns in _COLUMNS.items():
        changes = (f"ALTER {name} TYPE {to} USING {name}::{to}" for name in columns)
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
