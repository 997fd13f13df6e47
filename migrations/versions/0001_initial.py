"""The first tables: projects, files, stores, assistants, threads, runs.

Long, because one revision makes all of them: none is of use without the others.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A run that has ended stays ended, and a fencing token only grows, whoever writes.
# The moves are those of runtime/runs/lifecycle.py on the day of this migration.
_MOVES = (
    ("queued", "cancelled"),
    ("queued", "expired"),
    ("queued", "failed"),
    ("queued", "in_progress"),
    ("in_progress", "cancelling"),
    ("in_progress", "completed"),
    ("in_progress", "expired"),
    ("in_progress", "failed"),
    ("in_progress", "incomplete"),
    ("in_progress", "queued"),
    ("in_progress", "requires_action"),
    ("requires_action", "cancelled"),
    ("requires_action", "expired"),
    ("requires_action", "queued"),
    ("cancelling", "cancelled"),
    ("cancelling", "completed"),
    ("cancelling", "expired"),
    ("cancelling", "failed"),
    ("cancelling", "incomplete"),
)


def _create_run_guard() -> None:
    moves = ", ".join(f"('{old}', '{new}')" for old, new in _MOVES)
    op.execute(
        f"""
        CREATE FUNCTION runs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.status <> OLD.status
               AND (OLD.status, NEW.status) NOT IN ({moves}) THEN
                RAISE EXCEPTION 'run % cannot go from % to %',
                    OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.attempt < OLD.attempt THEN
                RAISE EXCEPTION 'the fencing token of run % cannot shrink', OLD.id
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER runs_guard BEFORE UPDATE OF status, attempt ON runs "
        "FOR EACH ROW EXECUTE FUNCTION runs_guard()"
    )


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column(
            "hint",
            sa.Text(),
            nullable=False,
            comment="its last four characters, for people",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_api_keys_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
    )
    op.create_index("ix_api_keys_project_id", "api_keys", ["project_id"], unique=False)
    op.create_table(
        "assistants",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column(
            "tools",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "tool_resources",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("temperature", sa.Double(), nullable=True),
        sa.Column("top_p", sa.Double(), nullable=True),
        sa.Column("reasoning_effort", sa.Text(), nullable=True),
        sa.Column(
            "response_format", postgresql.JSONB(astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_assistants_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_assistants"),
        sa.UniqueConstraint("project_id", "id", name="uq_assistants_project_id_id"),
    )
    op.create_table(
        "files",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column(
            "content_state",
            sa.Enum(
                "present", "missing", name="contentstate", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_files_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_files"),
        sa.UniqueConstraint("project_id", "id", name="uq_files_project_id_id"),
    )
    op.create_index(
        "ix_files_bytes_to_remove",
        "files",
        ["pk"],
        unique=False,
        postgresql_where=sa.text(
            "deleted_at IS NOT NULL AND content_state = 'present'"
        ),
    )
    op.create_index(
        "ix_files_expiring",
        "files",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL AND expires_at IS NOT NULL"),
    )
    op.create_table(
        "threads",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "tool_resources",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("active_run_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_threads_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_threads"),
        sa.UniqueConstraint("project_id", "id", name="uq_threads_project_id_id"),
    )
    op.create_table(
        "vector_stores",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("embedding_model", sa.Text(), nullable=False),
        sa.Column("embedding_dimensions", sa.Integer(), nullable=False),
        sa.Column("expires_after_days", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_active_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("emptied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_vector_stores_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_vector_stores"),
        sa.UniqueConstraint("project_id", "id", name="uq_vector_stores_project_id_id"),
    )
    op.create_index(
        "ix_vector_stores_to_empty",
        "vector_stores",
        ["pk"],
        unique=False,
        postgresql_where=sa.text(
            "emptied_at IS NULL AND (deleted_at IS NOT NULL OR expires_at IS NOT NULL)"
        ),
    )
    op.create_table(
        "containers",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("thread_pk", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.Text(), nullable=True),
        sa.Column(
            "held",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "written",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_containers_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["thread_pk"], ["threads.pk"], name="fk_containers_thread_pk_threads"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_containers"),
        sa.UniqueConstraint("project_id", "id", name="uq_containers_project_id_id"),
    )
    op.create_index(
        "uq_containers_one_per_thread",
        "containers",
        ["thread_pk"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "file_batches",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_file_batches_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_file_batches_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_file_batches"),
        sa.UniqueConstraint("project_id", "id", name="uq_file_batches_project_id_id"),
    )
    op.create_index(
        "ix_file_batches_store_pk", "file_batches", ["store_pk"], unique=False
    )
    op.create_table(
        "runs",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("api", sa.Text(), nullable=False),
        sa.Column("thread_pk", sa.BigInteger(), nullable=True),
        sa.Column("thread_id", sa.Text(), nullable=True),
        sa.Column("assistant_id", sa.Text(), nullable=True),
        sa.Column("previous_run_pk", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column(
            "tools",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "tool_resources",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "request",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("store", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "in_progress",
                "requires_action",
                "cancelling",
                "cancelled",
                "completed",
                "failed",
                "incomplete",
                "expired",
                name="runstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "turn", sa.Integer(), nullable=False, comment="model answers kept so far"
        ),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("incomplete_reason", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lost_leases", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["previous_run_pk"], ["runs.pk"], name="fk_runs_previous_run_pk_runs"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_runs_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["thread_pk"], ["threads.pk"], name="fk_runs_thread_pk_threads"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_runs"),
        sa.UniqueConstraint("project_id", "id", name="uq_runs_project_id_id"),
    )
    op.create_index(
        "ix_runs_expiring",
        "runs",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text(
            "status IN ('queued', 'in_progress', 'requires_action', 'cancelling')"
        ),
    )
    op.create_index(
        "ix_runs_leased",
        "runs",
        ["lease_expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('in_progress', 'cancelling')"),
    )
    op.create_index(
        "ix_runs_queued",
        "runs",
        ["project_id", "pk"],
        unique=False,
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index("ix_runs_thread_pk", "runs", ["thread_pk", "pk"], unique=False)
    op.create_index(
        "uq_runs_one_live_per_thread",
        "runs",
        ["thread_pk"],
        unique=True,
        postgresql_where=sa.text(
            "status IN ('queued', 'in_progress', 'requires_action', 'cancelling')"
        ),
    )
    op.create_table(
        "store_files",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column("file_pk", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "in_progress",
                "completed",
                "failed",
                "cancelled",
                name="storefilestatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("usage_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "attributes",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("max_chunk_size_tokens", sa.Integer(), nullable=False),
        sa.Column("chunk_overlap_tokens", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "available_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["file_pk"], ["files.pk"], name="fk_store_files_file_pk_files"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_store_files_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_store_files_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_store_files"),
        sa.UniqueConstraint(
            "store_pk", "file_pk", name="uq_store_files_store_pk_file_pk"
        ),
    )
    op.create_index("ix_store_files_file_pk", "store_files", ["file_pk"], unique=False)
    op.create_index(
        "ix_store_files_waiting",
        "store_files",
        ["project_id", "available_at"],
        unique=False,
        postgresql_where=sa.text("status = 'in_progress'"),
    )
    op.create_table(
        "store_lexemes",
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column("lexeme", sa.Text(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_store_lexemes_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("store_pk", "lexeme", name="pk_store_lexemes"),
    )
    op.create_table(
        "store_stats",
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column("chunk_count", sa.BigInteger(), nullable=False),
        sa.Column("lexeme_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_store_stats_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("store_pk", name="pk_store_stats"),
    )
    op.create_table(
        "batch_files",
        sa.Column("batch_pk", sa.BigInteger(), nullable=False),
        sa.Column("store_file_pk", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_pk"],
            ["file_batches.pk"],
            name="fk_batch_files_batch_pk_file_batches",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["store_file_pk"],
            ["store_files.pk"],
            name="fk_batch_files_store_file_pk_store_files",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_pk", "store_file_pk", name="pk_batch_files"),
    )
    op.create_index(
        "ix_batch_files_store_file_pk", "batch_files", ["store_file_pk"], unique=False
    )
    op.create_table(
        "chunks",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column("store_file_pk", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("char_start", sa.Integer(), nullable=False),
        sa.Column("char_end", sa.Integer(), nullable=False),
        sa.Column("page_from", sa.Integer(), nullable=True),
        sa.Column("page_to", sa.Integer(), nullable=True),
        sa.Column(
            "page_starts",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column(
            "lexemes",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('english', content) || to_tsvector('simple', content)",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["store_file_pk"],
            ["store_files.pk"],
            name="fk_chunks_store_file_pk_store_files",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_chunks_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_chunks"),
        sa.UniqueConstraint(
            "store_file_pk", "ordinal", name="uq_chunks_store_file_pk_ordinal"
        ),
    )
    op.create_index(
        "ix_chunks_lexemes", "chunks", ["lexemes"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_chunks_store_pk", "chunks", ["store_pk"], unique=False)
    op.create_table(
        "run_steps",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_pk", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "message_creation",
                "tool_calls",
                name="steptype",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "in_progress",
                "completed",
                "failed",
                "cancelled",
                "expired",
                name="stepstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_run_steps_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["run_pk"], ["runs.pk"], name="fk_run_steps_run_pk_runs"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_run_steps"),
        sa.UniqueConstraint("project_id", "id", name="uq_run_steps_project_id_id"),
        sa.UniqueConstraint("run_pk", "idx", name="uq_run_steps_run_pk_idx"),
    )
    op.create_table(
        "windows",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_pk", sa.BigInteger(), nullable=False),
        sa.Column("store_file_pk", sa.BigInteger(), nullable=False),
        sa.Column("chunk_pks", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("embedding", HALFVEC(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_file_pk"],
            ["store_files.pk"],
            name="fk_windows_store_file_pk_store_files",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["store_pk"],
            ["vector_stores.pk"],
            name="fk_windows_store_pk_vector_stores",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_windows"),
    )
    op.create_index(
        "ix_windows_store_file_pk", "windows", ["store_file_pk"], unique=False
    )
    op.create_index("ix_windows_store_pk", "windows", ["store_pk"], unique=False)
    op.create_table(
        "items",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("thread_pk", sa.BigInteger(), nullable=True),
        sa.Column("run_pk", sa.BigInteger(), nullable=True),
        sa.Column("step_pk", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=True),
        sa.Column("output_index", sa.Integer(), nullable=True),
        sa.Column(
            "type",
            sa.Enum(
                "message",
                "function_call",
                "file_search_call",
                "code_interpreter_call",
                name="itemtype",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "in_progress",
                "completed",
                "incomplete",
                "failed",
                name="itemstatus",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("upstream_call_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column(
            "body",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "output",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("incomplete_reason", sa.Text(), nullable=True),
        sa.Column(
            "metadata",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("assistant_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_items_project_id_projects"
        ),
        sa.ForeignKeyConstraint(["run_pk"], ["runs.pk"], name="fk_items_run_pk_runs"),
        sa.ForeignKeyConstraint(
            ["step_pk"], ["run_steps.pk"], name="fk_items_step_pk_run_steps"
        ),
        sa.ForeignKeyConstraint(
            ["thread_pk"], ["threads.pk"], name="fk_items_thread_pk_threads"
        ),
        sa.PrimaryKeyConstraint("pk", name="pk_items"),
        sa.UniqueConstraint("project_id", "id", name="uq_items_project_id_id"),
        sa.UniqueConstraint("thread_pk", "seq", name="uq_items_thread_pk_seq"),
    )
    op.create_index("ix_items_run_pk", "items", ["run_pk"], unique=False)
    op.create_index("ix_items_step_pk", "items", ["step_pk"], unique=False)
    op.create_index(
        "uq_items_call_id",
        "items",
        ["project_id", "call_id"],
        unique=True,
        postgresql_where=sa.text("call_id IS NOT NULL"),
    )
    op.create_index(
        "uq_items_one_message_per_step",
        "items",
        ["step_pk"],
        unique=True,
        postgresql_where=sa.text("type = 'message' AND status <> 'incomplete'"),
    )
    op.create_index(
        "uq_items_upstream_call_id",
        "items",
        ["run_pk", "turn", "upstream_call_id"],
        unique=True,
        postgresql_where=sa.text("upstream_call_id IS NOT NULL"),
    )
    _create_run_guard()


def downgrade() -> None:
    op.drop_table("items")
    op.drop_table("windows")
    op.drop_table("run_steps")
    op.drop_table("chunks")
    op.drop_table("batch_files")
    op.drop_table("store_stats")
    op.drop_table("store_lexemes")
    op.drop_table("store_files")
    op.drop_table("runs")
    op.drop_table("file_batches")
    op.drop_table("containers")
    op.drop_table("vector_stores")
    op.drop_table("threads")
    op.drop_table("files")
    op.drop_table("assistants")
    op.drop_table("api_keys")
    op.drop_table("projects")
    op.execute("DROP FUNCTION runs_guard()")
