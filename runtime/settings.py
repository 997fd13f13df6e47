"""Every knob of the runtime: its unit, its default and why it is that.

Read at the edges only (resources, api/app, worker/app, cli, local); everybody else is
given plain values. Sources, strongest first: the process environment, then a `.env` file
in the working directory. The README lists each setting; a test keeps the two together.
A little over 300 lines: one list of all knobs is worth more than two shorter ones.
"""

import hashlib
import os
import re
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# A unix socket's address holds 107 bytes; "/.s.PGSQL.5432" and its lock file need some.
_LONGEST_SOCKET_DIR = 85
_CORES = os.cpu_count() or 1
_SCHEMES = {
    "database_url": ("postgresql", "postgres", "postgresql+psycopg"),
    "redis_url": ("redis", "rediss", "unix"),
    "storage_url": ("file", "s3"),
    "sandbox_url": ("unix", "tcp"),
}


class Settings(BaseSettings):
    """The runtime's configuration, checked once at start."""

    model_config = SettingsConfigDict(
        env_prefix="ASSISTANTS_", env_file=".env", extra="ignore", frozen=True
    )

    # Upstream model server
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_BASE_URL"),
        description="OpenAI-compatible model server; unset: the built-in model serves",
    )
    openai_api_key: str | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY"),
        repr=False,
        description="key of that server",
    )
    fallback_models: str = Field(
        "", description="comma-separated models to try when the asked one is failing"
    )
    first_token_seconds: float = Field(
        60, gt=0, description="longest wait for a model's first token"
    )
    between_tokens_seconds: float = Field(
        30, gt=0, description="longest silence within a model's answer"
    )
    upstream_attempts: int = Field(
        6, ge=1, description="tries of one model call before its run fails"
    )
    embedding_model: str = Field(
        "local",
        description="`local` (all-MiniLM-L6-v2, on this machine) or a model name of the upstream",
    )

    # Where things live
    data_dir: Path = Field(
        Path("data"),
        description="everything embedded lives here: database, files, keys",
    )
    database_url: str | None = Field(
        None, repr=False, description="Postgres with pgvector; unset: embedded"
    )
    redis_url: str | None = Field(
        None, repr=False, description="Redis; unset: embedded"
    )
    storage_url: str | None = Field(
        None,
        description="`file:///…` or `s3://bucket/prefix`; unset: under the data directory",
    )

    # The API
    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the API listens on")
    api_key: str | None = Field(
        None,
        repr=False,
        description="key of the project `default`; unset: made at the first start",
    )
    max_file_bytes: int = Field(
        512 * 1024 * 1024, gt=0, description="largest file in one request (bytes)"
    )
    max_queued_runs: int = Field(
        5000, gt=0, description="queued runs in all before createRun answers 429"
    )
    max_queued_runs_per_project: int = Field(
        500, gt=0, description="queued runs of one project before createRun answers 429"
    )

    # Sizes
    api_processes: int = Field(1, ge=1, description="API processes under `up`")
    run_processes: int = Field(
        max(1, _CORES // 2),
        ge=1,
        description="worker processes that drive runs under `up`",
    )
    run_concurrency: int = Field(
        200, ge=1, description="runs one worker process holds in flight"
    )
    ingest_processes: int = Field(
        max(1, _CORES // 2),
        ge=1,
        description="processes that make files searchable under `up`",
    )

    # The engine's times (runtime/engine, design notes in runtime/DECISIONS.md)
    lease_seconds: float = Field(
        15, gt=0, description="a silent worker is given up for dead after this"
    )
    heartbeat_seconds: float = Field(
        default_factory=lambda known: known.get("lease_seconds", 15) / 3,
        description="how often a worker extends its leases; unset: thrice in one",
    )
    sweep_seconds: float = Field(
        2, gt=0, description="how often rows that nobody came for are looked for"
    )
    run_seconds: float = Field(
        600, gt=0, description="a run expires this long after creation"
    )
    shutdown_seconds: float = Field(
        25, gt=0, description="turns under way get this long after SIGTERM (`up`: 5)"
    )
    max_attempts: int = Field(
        5, ge=1, description="lost workers after which a run or file is failed"
    )
    parse_seconds: float = Field(
        120, gt=0, description="longest a file may take to be parsed"
    )

    # The sandbox
    sandbox: Literal["docker", "off"] = Field(
        "docker", description="`docker`, or `off`: code_interpreter says it is off"
    )
    sandbox_url: str | None = Field(
        None,
        description="where the sandbox manager listens (`unix:///…`, `tcp://host:port`); unset: a socket in the data directory",
    )
    sandbox_token: str | None = Field(
        None,
        repr=False,
        description="secret between workers and sandbox manager; unset: a file in the data directory",
    )
    sandbox_image: str | None = Field(
        None,
        description="image of the sandbox; unset: the one built from sandbox/image",
    )
    sandbox_runtime: Literal["runc", "runsc", "kata"] = Field(
        "runc", description="Docker runtime that holds the containers"
    )
    sandbox_warm: int = Field(
        1, ge=0, description="containers kept started and unassigned"
    )
    code_seconds: float = Field(
        120, gt=0, description="longest one piece of code may run in the sandbox"
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto`: text on a terminal, JSON elsewhere"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: ValidationInfo) -> Any:
        # docker-compose hands on an unset variable as an empty one.
        if value == "" and info.field_name is not None:
            return cls.model_fields[info.field_name].get_default(
                call_default_factory=True, validated_data=info.data
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("fallback_models")
    @classmethod
    def _strip_names(cls, names: str) -> str:
        return ",".join(filter(None, (name.strip() for name in names.split(","))))

    @field_validator(*_SCHEMES)
    @classmethod
    def _well_formed(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and info.field_name is not None:
            _check_url(url, _SCHEMES[info.field_name])
        return url

    @field_validator("heartbeat_seconds")
    @classmethod
    def _several_beats_a_lease(cls, seconds: float, info: ValidationInfo) -> float:
        lease_seconds = info.data.get("lease_seconds")
        if lease_seconds is not None and not 0 < seconds < lease_seconds:
            raise ValueError(
                f"{seconds:g} s must be above 0 and less than ASSISTANTS_LEASE_SECONDS "
                f"({lease_seconds:g} s), or every worker is given up for dead"
            )
        return seconds

    @cached_property
    def run_dir(self) -> Path:
        """Pid files of the processes that `up` started."""
        return self.data_dir / "run"

    @cached_property
    def sockets_dir(self) -> Path:
        """Where embedded services listen: `run_dir`, or a stand-in for an awkward path.

        Awkward: too long, or with characters that a URL quotes and not all readers undo.
        """
        if _fits_socket_url(self.run_dir):
            return self.run_dir
        digest = hashlib.sha256(os.fsencode(self.run_dir)).hexdigest()[:16]
        name = f"assistants-{os.getuid()}-{digest}"
        short = Path(tempfile.gettempdir()) / name
        # TMPDIR may be awkward, too; where it is, only the oldest of places is left.
        return short if _fits_socket_url(short) else Path("/tmp") / name

    @cached_property
    def postgres_socket_dir(self) -> Path:
        """Where the embedded Postgres listens; its own, as it may run as another user."""
        return self.sockets_dir / "pg"

    @cached_property
    def logs_dir(self) -> Path:
        """What the processes that `up` started have written."""
        return self.data_dir / "logs"

    @cached_property
    def api_key_file(self) -> Path:
        """Where a key made at the first start is kept, mode 0600."""
        return self.data_dir / "api_key"

    @cached_property
    def effective_database_url(self) -> str:
        """SQLAlchemy URL of the database, embedded or given."""
        if self.database_url is None:
            host = self.postgres_socket_dir
            return f"postgresql+psycopg://postgres@/assistants?host={host}"
        scheme, _, rest = self.database_url.partition("://")
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        return self.database_url

    @cached_property
    def effective_redis_url(self) -> str:
        """URL of Redis, embedded or given."""
        return self.redis_url or f"unix://{self.sockets_dir}/redis.sock"

    @cached_property
    def effective_storage_url(self) -> str:
        """URL of the file store, local or given."""
        return self.storage_url or f"file://{quote(str(self.data_dir))}/files"

    @cached_property
    def effective_sandbox_url(self) -> str:
        """Address of the sandbox manager."""
        return self.sandbox_url or f"unix://{self.sockets_dir}/sandbox.sock"

    @cached_property
    def sandbox_token_file(self) -> Path:
        """Where the secret of an embedded sandbox manager is kept, mode 0600."""
        return self.data_dir / "sandbox.token"


def _fits_socket_url(directory: Path) -> bool:
    path = os.fsencode(directory)
    return len(path) <= _LONGEST_SOCKET_DIR and quote(path) == os.fsdecode(path)


def _check_url(url: str, schemes: tuple[str, ...]) -> None:
    """Refuse what a driver would trip over, in words that hold nothing of the URL.

    Drivers quote an address they cannot read, and with it the password.
    """
    if url.partition("://")[0] not in schemes or "://" not in url:
        known = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f"it must begin with {known}")
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        is_readable = parts.netloc.count("@") <= 1 and parts.port != 0
    except ValueError:
        is_readable = False
    if not is_readable or re.search("%(?![0-9A-Fa-f]{2})", url):
        raise ValueError(
            "it is no URL; write special characters of user and password as %XX "
            "(@ is %40, : is %3A, / is %2F, # is %23, % is %25)"
        )
