"""Tables: a run, its steps, and the sandbox container of a thread."""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base, HasPk
from runtime.db.types import JsonInOrder
from runtime.ids import new_id


class RunStatus(enum.StrEnum):
    """Where a run is. `lifecycle.py` draws the moves."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"


class StepType(enum.StrEnum):
    """What a step did."""

    MESSAGE_CREATION = "message_creation"
    TOOL_CALLS = "tool_calls"


class StepStatus(enum.StrEnum):
    """How far a step is."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


LIVE = "'queued', 'in_progress', 'requires_action', 'cancelling'"


class Run(HasPk, Base):
    """One answer being worked out on a thread.

    The assistant may be deleted while its run goes on, so it is named, not referenced,
    and what the run needs of it is copied here.
    """

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        # A thread has at most one live run, and others that wait for it. The database
        # says so, because two requests in the same millisecond will not ask each other.
        Index(
            "uq_runs_one_live_per_thread",
            "thread_pk",
            unique=True,
            postgresql_where=text(f"status IN ({LIVE}) AND NOT waits_for_thread"),
        ),
        CheckConstraint(
            "NOT waits_for_thread OR status = 'queued'", name="waits_while_queued"
        ),
        # Who is let in when a run ends: the oldest that waits for its thread.
        Index(
            "ix_runs_waiting",
            "thread_pk",
            "pk",
            postgresql_where=text("waits_for_thread"),
        ),
        # What a claim reads: the oldest run of each project that wants a worker.
        Index(
            "ix_runs_queued",
            "project_id",
            "pk",
            postgresql_where=text("status = 'queued' AND NOT waits_for_thread"),
        ),
        # What the sweeper and re-claims read.
        Index(
            "ix_runs_leased",
            "lease_expires_at",
            postgresql_where=text("status IN ('in_progress', 'cancelling')"),
        ),
        Index(
            "ix_runs_expiring",
            "expires_at",
            postgresql_where=text(f"status IN ({LIVE})"),
        ),
        Index("ix_runs_thread_pk", "thread_pk", "pk"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("run"))
    api: Mapped[str] = mapped_column(default="assistants")
    thread_pk: Mapped[int | None] = mapped_column(ForeignKey("threads.pk"))
    thread_id: Mapped[str | None]
    assistant_id: Mapped[str | None]
    previous_run_pk: Mapped[int | None] = mapped_column(ForeignKey("runs.pk"))

    # What was asked. `request` holds the parameters nobody searches by.
    model: Mapped[str]
    instructions: Mapped[str] = mapped_column(default="")
    tools: Mapped[list[dict[str, Any]]] = mapped_column(JsonInOrder, default=list)
    tool_resources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    request: Mapped[dict[str, Any]] = mapped_column(JsonInOrder, default=dict)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    background: Mapped[bool] = mapped_column(default=True)
    store: Mapped[bool] = mapped_column(default=True)

    # Where it is
    status: Mapped[RunStatus] = mapped_column(default=RunStatus.QUEUED)
    # Queued behind the live run of its thread: no worker may claim it yet. The default
    # is the database's, for an API of the release before that still writes beside us.
    waits_for_thread: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )
    # Its time to live, while it waits; let in, it has `expires_at` like any other.
    run_seconds: Mapped[float | None]
    turn: Mapped[int] = mapped_column(default=0, comment="model answers kept so far")
    event_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    incomplete_reason: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    purge_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]

    # The claim. `attempt` is the fencing token: it only grows, and every write of a
    # worker shows the one it was given.
    attempt: Mapped[int] = mapped_column(default=0)
    lost_leases: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    available_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp()
    )


class RunStep(HasPk, Base):
    """One thing a run did: said a message, or called tools. Its items point to it."""

    __tablename__ = "run_steps"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        UniqueConstraint("run_pk", "idx"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str]
    run_pk: Mapped[int] = mapped_column(ForeignKey("runs.pk"))
    idx: Mapped[int]
    turn: Mapped[int]
    type: Mapped[StepType]
    status: Mapped[StepStatus] = mapped_column(default=StepStatus.IN_PROGRESS)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)


class Container(HasPk, Base):
    """A sandbox session: a container with an id of its own, a thread's at most one.

    `epoch` changes when the container is a new one; `held` maps the names of the files
    put into that epoch to their file ids.
    """

    __tablename__ = "containers"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        Index(
            "uq_containers_one_per_thread",
            "thread_pk",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("cntr"))
    thread_pk: Mapped[int | None] = mapped_column(ForeignKey("threads.pk"))
    epoch: Mapped[str | None]
    held: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # What code of this thread wrote: name → file id. Put back into a new epoch.
    written: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
