"""Table: a file that was uploaded or made by the sandbox."""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base, HasPk
from runtime.ids import new_id


class ContentState(enum.StrEnum):
    """Whether the bytes are there: an imported file may come without."""

    PRESENT = "present"
    MISSING = "missing"


class File(HasPk, Base):
    """One file. Its bytes lie in storage under `storage_key`, whole before the row is."""

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        Index(
            "ix_files_expiring",
            "expires_at",
            postgresql_where=text("deleted_at IS NULL AND expires_at IS NOT NULL"),
        ),
        # Deleted files whose bytes still lie in storage: soon gone, so soon small.
        Index(
            "ix_files_bytes_to_remove",
            "pk",
            postgresql_where=text(
                "deleted_at IS NOT NULL AND content_state = 'present'"
            ),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("file"))
    filename: Mapped[str]
    purpose: Mapped[str]
    media_type: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    storage_key: Mapped[str]
    content_state: Mapped[ContentState] = mapped_column(default=ContentState.PRESENT)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    origin: Mapped[str | None]
    imported_at: Mapped[datetime | None]
