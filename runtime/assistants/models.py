"""Table: an assistant."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base, HasPk
from runtime.db.types import JsonInOrder
from runtime.ids import new_id


class Assistant(HasPk, Base):
    """A model with instructions and tools. Runs copy what they need from it."""

    __tablename__ = "assistants"
    __table_args__ = (UniqueConstraint("project_id", "id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    id: Mapped[str] = mapped_column(default=lambda: new_id("asst"))
    name: Mapped[str | None]
    description: Mapped[str | None]
    model: Mapped[str]
    instructions: Mapped[str | None]
    tools: Mapped[list[dict[str, Any]]] = mapped_column(JsonInOrder, default=list)
    tool_resources: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    reasoning_effort: Mapped[str | None]
    # "auto", or an object that says which form the answer takes.
    response_format: Mapped[Any] = mapped_column(JsonInOrder, default="auto")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    origin: Mapped[str | None]
    imported_at: Mapped[datetime | None]
