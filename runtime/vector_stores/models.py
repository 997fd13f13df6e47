"""Tables: stores, the files in them, and what ingestion makes of a file.

VectorStore ─< StoreFile ─< Chunk    what a search answers with
                       └──< Window   what an embedding is taken of; names its chunks
FileBatch ─< BatchFile >─ StoreFile
VectorStore ─< StoreLexeme, StoreStats   what ranking by rarity needs
"""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Computed,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base, HasPk
from runtime.db.types import HalfVector, SearchVector
from runtime.ids import new_id


class StoreFileStatus(enum.StrEnum):
    """How far a file's ingestion is."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class VectorStore(HasPk, Base):
    """A searchable set of files, all embedded by one model."""

    __tablename__ = "vector_stores"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        # What the sweeper looks through: deleted or expiring, and not yet emptied.
        Index(
            "ix_vector_stores_to_empty",
            "pk",
            postgresql_where=text(
                "emptied_at IS NULL"
                " AND (deleted_at IS NOT NULL OR expires_at IS NOT NULL)"
            ),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("vs"))
    name: Mapped[str] = mapped_column(default="")
    description: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    # Vectors of different models do not compare: a store keeps to the one it began with.
    embedding_model: Mapped[str]
    # 0 until the first vector has come: an upstream does not say it beforehand.
    embedding_dimensions: Mapped[int]
    expires_after_days: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_active_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    # Its chunks and windows are gone, after deletion or expiry.
    emptied_at: Mapped[datetime | None]
    origin: Mapped[str | None]
    imported_at: Mapped[datetime | None]


class StoreFile(HasPk, Base):
    """One file in one store, and the work of getting it there (claimed like a run)."""

    __tablename__ = "store_files"
    __table_args__ = (
        UniqueConstraint("store_pk", "file_pk"),
        # What waits, by project: claims go round the projects (`ingest/claim.py`).
        Index(
            "ix_store_files_waiting",
            "project_id",
            "available_at",
            postgresql_where=text("status = 'in_progress'"),
        ),
        Index("ix_store_files_file_pk", "file_pk"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE")
    )
    file_pk: Mapped[int] = mapped_column(ForeignKey("files.pk"))
    # The file's id again, because a store's files are listed and paged by it.
    file_id: Mapped[str]
    status: Mapped[StoreFileStatus] = mapped_column(default=StoreFileStatus.IN_PROGRESS)
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    usage_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    max_chunk_size_tokens: Mapped[int] = mapped_column(default=800)
    chunk_overlap_tokens: Mapped[int] = mapped_column(default=400)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]
    # The claim: `attempt` is the fencing token, every write of a worker shows it.
    attempt: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FileBatch(HasPk, Base):
    """Files added to a store together. Its status and counts are those of its files."""

    __tablename__ = "file_batches"
    __table_args__ = (UniqueConstraint("project_id", "id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("vsfb"))
    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    cancelled_at: Mapped[datetime | None]


class BatchFile(Base):
    """A file of a batch."""

    __tablename__ = "batch_files"

    batch_pk: Mapped[int] = mapped_column(
        ForeignKey("file_batches.pk", ondelete="CASCADE"), primary_key=True
    )
    store_file_pk: Mapped[int] = mapped_column(
        ForeignKey("store_files.pk", ondelete="CASCADE"), primary_key=True, index=True
    )


class Chunk(HasPk, Base):
    """A passage of a file, as a search returns it and an answer cites it.

    `char_start` and `char_end` are code points in the file's parsed text; pages count
    from 1. English stemming finds other forms of a word, the plain vector finds names,
    code and other languages.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_lexemes", "lexemes", postgresql_using="gin"),
        UniqueConstraint("store_file_pk", "ordinal"),
    )

    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE"), index=True
    )
    store_file_pk: Mapped[int] = mapped_column(
        ForeignKey("store_files.pk", ondelete="CASCADE")
    )
    ordinal: Mapped[int]
    content: Mapped[str]
    char_start: Mapped[int]
    char_end: Mapped[int]
    page_from: Mapped[int | None]
    page_to: Mapped[int | None]
    # [[page, offset in content], …] of the pages it lies on, rising; null without pages.
    page_starts: Mapped[list[list[int]] | None] = mapped_column(
        JSONB(none_as_null=True)
    )
    tokens: Mapped[int]
    lexemes: Mapped[Any] = mapped_column(
        SearchVector,
        Computed(
            "to_tsvector('english', content) || to_tsvector('simple', content)",
            persisted=True,
        ),
    )


class Window(HasPk, Base):
    """About 200 tokens, the most an embedder reads well, and the chunks they lie in."""

    __tablename__ = "windows"

    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE"), index=True
    )
    store_file_pk: Mapped[int] = mapped_column(
        ForeignKey("store_files.pk", ondelete="CASCADE"), index=True
    )
    chunk_pks: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    embedding: Mapped[Any] = mapped_column(HalfVector)


class StoreLexeme(Base):
    """In how many chunks of a store a lexeme stands."""

    __tablename__ = "store_lexemes"

    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE"), primary_key=True
    )
    lexeme: Mapped[str] = mapped_column(primary_key=True)
    chunk_count: Mapped[int] = mapped_column(Integer)


class StoreStats(Base):
    """How many chunks a store has, and how many lexemes these hold together."""

    __tablename__ = "store_stats"

    store_pk: Mapped[int] = mapped_column(
        ForeignKey("vector_stores.pk", ondelete="CASCADE"), primary_key=True
    )
    chunk_count: Mapped[int] = mapped_column(BigInteger, default=0)
    lexeme_count: Mapped[int] = mapped_column(BigInteger, default=0)
