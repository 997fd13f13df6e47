"""The table: which request a key stands for, and what it was answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base


class IdempotencyKey(Base):
    """A caller's key: somebody works on its request, or it has its answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint(
            "(claim IS NOT NULL) = (status IS NULL)"
            " AND (claim IS NOT NULL) = (lease_expires_at IS NOT NULL)",
            name="claimed_or_answered",
        ),
        CheckConstraint(
            "(status IS NOT NULL) = (body IS NOT NULL OR stream IS NOT NULL)",
            name="answer_is_whole",
        ),
        # For the sweeper: keys are forgotten by their age.
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(comment="SHA-256 of what was asked")
    # Only a request that waits for a model is seen claimed: all others are answered in
    # the transaction that claims.
    claim: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    status: Mapped[int | None]
    media_type: Mapped[str | None]
    body: Mapped[bytes | None]
    stream: Mapped[dict[str, Any] | None] = mapped_column(
        comment="where a run's events begin, when they were the answer"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
