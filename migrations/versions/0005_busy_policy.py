"""Busy policy: a run may wait for its thread.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LIVE = "status IN ('queued', 'in_progress', 'requires_action', 'cancelling')"


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "waits_for_thread",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
        ),
    )
    op.add_column("runs", sa.Column("run_seconds", sa.Float(), nullable=True))
    op.create_check_constraint(
        # op.f: this is the whole name, not a word for the naming convention.
        op.f("ck_runs_waits_while_queued"),
        "runs",
        "NOT waits_for_thread OR status = 'queued'",
    )
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["thread_pk", "pk"],
        unique=False,
        postgresql_where=sa.text("waits_for_thread"),
    )
    _create_indexes(also=" AND NOT waits_for_thread")


def downgrade() -> None:
    # As they are, they would be live, and a thread has one live run.
    op.execute(
        "UPDATE runs SET status = 'cancelled', ended_at = clock_timestamp(), "
        "waits_for_thread = false WHERE waits_for_thread"
    )
    _create_indexes(also="")
    op.drop_index("ix_runs_waiting", "runs")
    op.drop_constraint(op.f("ck_runs_waits_while_queued"), "runs")
    op.drop_column("runs", "run_seconds")
    op.drop_column("runs", "waits_for_thread")


def _create_indexes(*, also: str) -> None:
    """Anew, as the condition of an index cannot be changed."""
    op.drop_index("ix_runs_queued", "runs")
    op.create_index(
        "ix_runs_queued",
        "runs",
        ["project_id", "pk"],
        unique=False,
        postgresql_where=sa.text(f"status = 'queued'{also}"),
    )
    op.drop_index("uq_runs_one_live_per_thread", "runs")
    op.create_index(
        "uq_runs_one_live_per_thread",
        "runs",
        ["thread_pk"],
        unique=True,
        postgresql_where=sa.text(_LIVE + also),
    )
