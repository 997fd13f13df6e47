"""Commands that run the runtime or a part of it: up, api, worker, migrate, doctor."""

import os
import sys
from typing import Annotated, Literal

import typer

from runtime.cli.output import CommandFailed, print_json
from runtime.local.logs import say

# Uvicorn's, from the engine's measurements: clients keep connections for a while, and
# a stop does not wait for followers of a stream.
_KEEP_ALIVE_SECONDS = 30
_GRACEFUL_SECONDS = 5


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(up)
    app.command()(api)
    app.command()(worker)
    app.command()(migrate)
    app.command()(doctor)


def up(
    logs: Annotated[
        bool, typer.Option("--logs", help="show every line that any process writes")
    ] = False,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Postgres and Redis are embedded unless ASSISTANTS_DATABASE_URL and
    ASSISTANTS_REDIS_URL name others. All data is below ASSISTANTS_DATA_DIR (./data).

    Example: ASSISTANTS_PORT=9000 assistants up
    """
    from runtime.local.import_path import import_path

    # In place of this process, under its pid: what only watches needs 14 MB, not 35.
    argv = [sys.executable, "-P", "-m", "runtime.local.foreground"]
    environment = {**os.environ, **import_path()}
    os.execve(sys.executable, [*argv, "--logs"] if logs else argv, environment)


def api(
    fd: Annotated[
        int | None, typer.Option(help="serve on this inherited listening socket")
    ] = None,
) -> None:
    """Serve the HTTP API in the foreground (ASSISTANTS_HOST, ASSISTANTS_PORT).

    Example: ASSISTANTS_HOST=0.0.0.0 assistants api
    """
    _require_uvloop()
    import uvicorn

    from runtime.local.configuration import load_settings
    from runtime.local.listener import inherit, listen

    settings = load_settings()
    config = uvicorn.Config(
        "runtime.api.app:app_from_environment",
        factory=True,
        loop="uvloop",
        http="runtime.api.protocol:Protocol",
        ws="none",
        workers=settings.api_processes,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    listener = listen(settings.host, settings.port) if fd is None else inherit(fd)
    if config.workers > 1:
        from uvicorn.supervisors import Multiprocess

        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(1)


def worker(
    queue: Annotated[
        Literal["runs", "ingest"],
        typer.Argument(help="runs: drive runs; ingest: make files searchable"),
    ],
) -> None:
    """Work off one queue in the foreground; start as many on as many hosts as needed.

    Example: ASSISTANTS_RUN_CONCURRENCY=100 assistants worker runs
    """
    from runtime.local.configuration import load_settings

    settings = load_settings()
    pool = {
        "runs": ["-P", "threads", "-c", str(settings.run_concurrency)],
        "ingest": ["-P", "prefork", "-c", str(settings.ingest_processes)],
    }[queue]
    from runtime.worker.app import app

    app.worker_main(
        [
            *("worker", "-Q", queue, *pool),
            # Names are for people; two workers of a host must not share one.
            *("-n", f"{queue}-{os.getpid()}@%h"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *("-l", settings.log_level),
        ]
    )


def migrate(
    revision: Annotated[
        str, typer.Option(help="revision to go to (`base`: no tables)")
    ] = "head",
    downgrade: Annotated[
        bool, typer.Option("--downgrade", help="go back; what is undone is lost")
    ] = False,
) -> None:
    """Bring the tables of the database up to date.

    With ASSISTANTS_API_KEY set, the project `default` is made too, with that key.

    Example: assistants migrate --downgrade --revision base
    """
    from runtime.local.configuration import load_settings
    from runtime.local.database import database_at_hand
    from runtime.local.prepare import ensure_default
    from runtime.local.prepare import migrate as migrate_to

    settings = load_settings()
    if downgrade and revision == "head":
        raise typer.BadParameter("--downgrade needs --revision")
    with database_at_hand(settings, say):
        migrate_to(settings, revision, down=downgrade)
        if settings.api_key is not None and revision == "head":
            ensure_default(settings)
    print(f"The tables are at {revision}.")


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="print the findings as JSON")
    ] = False,
) -> None:
    """Check every part, and say what to do about each that is not well.

    Ends with status 1 if a part that is needed fails.

    Example: assistants doctor --json
    """
    from runtime.local.configuration import load_settings
    from runtime.local.doctor import examine

    findings = examine(load_settings())
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            print(finding.as_text())
    if any(finding.is_failure for finding in findings):
        raise typer.Exit(1)


def _require_uvloop() -> None:
    # On the plain loop a kept connection waits 44 ms for each small answer.
    try:
        import uvloop  # noqa: F401 - only whether it is there
    except ImportError:
        raise CommandFailed(
            "The API needs uvloop, which is not installed. Run `make up`, or install "
            "the packages of requirements.lock."
        ) from None
    if sys.platform == "win32":
        raise CommandFailed("The API runs on Linux and macOS only.")
