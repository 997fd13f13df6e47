"""Uploads: a large file brought in parts.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column(
            "size_bytes", sa.BigInteger(), nullable=False, comment="as was announced"
        ),
        sa.Column("file_expires_after_seconds", sa.Integer(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "completed",
                "cancelled",
                "expired",
                name="uploadstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("file_pk", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'completed') = (file_pk IS NOT NULL)",
            # op.f: this is the whole name, not a word for the naming convention.
            name=op.f("ck_uploads_completed_is_file"),
        ),
        sa.ForeignKeyConstraint(
            ["file_pk"], ["files.pk"], name="fk_uploads_file_pk_files"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_uploads_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_uploads"),
        sa.UniqueConstraint("project_id", "id", name="uq_uploads_project_id_id"),
    )
    op.create_index(
        "ix_uploads_expiring",
        "uploads",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "upload_parts",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("upload_pk", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["upload_pk"], ["uploads.pk"], name="fk_upload_parts_upload_pk_uploads"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_upload_parts"),
        sa.UniqueConstraint("upload_pk", "id", name="uq_upload_parts_upload_pk_id"),
    )


def downgrade() -> None:
    op.drop_table("upload_parts")
    op.drop_table("uploads")
