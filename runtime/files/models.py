"""Tables: files, uploaded or made by the sandbox; uploads that bring one in parts."""

import enum
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
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


class UploadStatus(enum.StrEnum):
    """Only a pending upload takes parts. The other three are ends."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Upload(HasPk, Base):
    """A file that comes in parts.

    Past `expires_at` a pending upload has expired, whether its row says so yet or not.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        CheckConstraint(
            "(status = 'completed') = (file_pk IS NOT NULL)", name="completed_is_file"
        ),
        Index(
            "ix_uploads_expiring",
            "expires_at",
            postgresql_where=text("status = 'pending'"),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("upload"))
    filename: Mapped[str]
    purpose: Mapped[str]
    media_type: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger, comment="as was announced")
    file_expires_after_seconds: Mapped[int | None]
    status: Mapped[UploadStatus] = mapped_column(default=UploadStatus.PENDING)
    file_pk: Mapped[int | None] = mapped_column(ForeignKey("files.pk"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class UploadPart(HasPk, Base):
    """Some bytes of an upload. Gone, with its bytes, soon after the upload has ended."""

    __tablename__ = "upload_parts"
    __table_args__ = (UniqueConstraint("upload_pk", "id"),)

    upload_pk: Mapped[int] = mapped_column(ForeignKey("uploads.pk"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("part"))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    storage_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
