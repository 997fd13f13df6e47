"""Tables: a thread, and the append-only log of what it holds.

Messages and tool calls are items of one log; the Assistants API sees views of it, and
the Responses API will see others of the same rows (`runtime/DECISIONS.md` tells why).
"""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, Unmapped, mapped_column, unmapped_column

from runtime.db.base import Base, HasPk
from runtime.db.types import SearchVector
from runtime.ids import new_id

# Between neighbours in the log, and before the first: room for a score of later ones
# at each place.
SEQ_STEP = 2**20


class ItemType(enum.StrEnum):
    """What an item is. Other APIs know more; they add words, not tables."""

    MESSAGE = "message"
    FUNCTION_CALL = "function_call"
    FILE_SEARCH_CALL = "file_search_call"
    CODE_INTERPRETER_CALL = "code_interpreter_call"


class ItemStatus(enum.StrEnum):
    """How far an item is."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class Thread(HasPk, Base):
    """A conversation. Its row is locked by whoever appends to it."""

    __tablename__ = "threads"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        Index(
            "ix_threads_listed",
            "project_id",
            "pk",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_threads_metadata",
            "metadata",
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_threads_title_words",
            text("title_words(metadata)"),
            postgresql_using="gin",
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("thread"))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    tool_resources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Order of items: never a time, never an id. Gaps mean nothing.
    next_seq: Mapped[int] = mapped_column(BigInteger, default=SEQ_STEP)
    # What `runs` says, told here so that this package need not import it.
    active_run_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    origin: Mapped[str | None]
    imported_at: Mapped[datetime | None]

    def take_seq(self) -> int:
        """The next place in the log. Hold the row's lock."""
        seq = self.next_seq
        self.next_seq = seq + SEQ_STEP
        return seq


class Item(HasPk, Base):
    """One entry of the log: a message, or a call of a tool with its output.

    `body` of a message: ``{"content": [part…], "attachments": […]}``; a part is
    ``{"type": "text", "text", "annotations"}``, ``{"type": "image", "file_id"|"url",
    "detail"}`` or ``{"type": "refusal", "text"}``. `body` of a call:
    ``{"arguments": str}``. Text is kept without citation markers; an annotation says
    where its marker goes (code points), and each API renders its own form.
    """

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        UniqueConstraint("thread_pk", "seq"),
        # Ours is unique in the project; the model's own only within its turn: local
        # models say `call_0` every time.
        Index(
            "uq_items_call_id",
            "project_id",
            "call_id",
            unique=True,
            postgresql_where=text("call_id IS NOT NULL"),
        ),
        Index(
            "uq_items_upstream_call_id",
            "run_pk",
            "turn",
            "upstream_call_id",
            unique=True,
            postgresql_where=text("upstream_call_id IS NOT NULL"),
        ),
        # A step creates one message.
        Index(
            "uq_items_one_message_per_step",
            "step_pk",
            unique=True,
            postgresql_where=text("type = 'message' AND status <> 'incomplete'"),
        ),
        Index("ix_items_run_pk", "run_pk"),
        Index("ix_items_step_pk", "step_pk"),
        Index(
            "ix_items_words",
            "words",
            postgresql_using="gin",
            # New words are gathered and filed together, by some unlucky insert: 512 kB
            # of them keep it waiting for 25 ms, the 4 MB of the default for 90.
            postgresql_with={"gin_pending_list_limit": 512},
            postgresql_where=text("deleted_at IS NULL AND words IS NOT NULL"),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str]
    thread_pk: Mapped[int | None] = mapped_column(ForeignKey("threads.pk"))
    run_pk: Mapped[int | None] = mapped_column(ForeignKey("runs.pk"))
    step_pk: Mapped[int | None] = mapped_column(ForeignKey("run_steps.pk"))
    seq: Mapped[int | None] = mapped_column(BigInteger)
    turn: Mapped[int | None]
    output_index: Mapped[int | None]
    type: Mapped[ItemType]
    role: Mapped[str | None]
    status: Mapped[ItemStatus]
    call_id: Mapped[str | None]
    upstream_call_id: Mapped[str | None]
    name: Mapped[str | None]
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)
    output: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]
    incomplete_reason: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    assistant_id: Mapped[str | None]
    # The run's id again, so that a message is rendered without its run's row.
    run_id: Mapped[str | None]
    # Of an item of a forked thread: the one that it is a copy of.
    source_id: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    # What a message says, null of a call. Not mapped, so that no insert sends it back.
    words: Unmapped[Any] = unmapped_column(
        SearchVector, Computed("message_words(body)", persisted=True)
    )
