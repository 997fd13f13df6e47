"""Tables: who owns what."""

from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db.base import Base
from runtime.ids import new_id


class Project(Base):
    """Everything belongs to exactly one project; a project sees nothing of another."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("proj"))
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A key that opens one project. Only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id("key"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str]
    # SHA-256 in hex. A key is 256 random bits, so a slow hash would protect nothing more.
    secret_hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str] = mapped_column(comment="its last four characters, for people")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
