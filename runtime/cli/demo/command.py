"""The command: start a runtime, go through the parts, sum up, stop it."""

import shutil
import signal
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.output import CommandFailed, print_json

if TYPE_CHECKING:
    from openai import OpenAI

    from runtime.cli.demo.material import Material
    from runtime.cli.demo.parts import Demonstration
    from runtime.cli.demo.show import Show
    from runtime.settings import Settings

_EXISTING: dict[str, Any] = {"exists": True, "dir_okay": False, "readable": True}


def demo(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]…", hidden=True, **_EXISTING)
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH…",
            help="instead of the files shipped: documents to ask about, a CSV to chart",
            **_EXISTING,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help="where the chart goes")
    ] = Path("demo-output"),
    question: Annotated[
        str | None, typer.Option(help="asked about the documents")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="default: `builtin`, or the first that the upstream lists"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print a summary as JSON; the rest on stderr")
    ] = False,
) -> None:
    """Show and check the main job on real files, on a scratch directory.

    Files are searched and cited, a table is charted, a function is called, all through
    the official SDK. Status 0 only if each part really happened.

    Example: assistants demo --files report.pdf sales.csv --question "Who wrote it?"
    """
    from runtime.cli.demo.material import choose
    from runtime.cli.demo.show import Show
    from runtime.local.configuration import load_settings

    settings = load_settings()
    paths = [path.absolute() for path in (*(files or ()), *(more or ()))]
    # The SDK marks the whole API as deprecated; serving it is our point.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"Cannot write to {out}: {error.strerror}") from None
    material = choose(paths, question)
    show = Show(to_stderr=as_json)
    summary = _demonstrate(show, settings, material, out, model)
    if as_json:
        print_json(summary)
    if not summary["ok"]:
        raise typer.Exit(1)


def _demonstrate(
    show: "Show",
    settings: "Settings",
    material: "Material",
    out: Path,
    model: str | None,
) -> dict[str, Any]:
    from openai import OpenAI, __version__

    from runtime.cli.demo.parts import Demonstration
    from runtime.cli.demo.scratch import running

    sdk = f"the official SDK (openai {__version__})"
    show.title(f"Assistants Runtime, seen through {sdk}")
    show.part("Start", "all that `assistants up` starts, on a scratch directory")
    began = time.monotonic()
    with ExitStack() as stack:
        with show.waiting("starting"):
            server = stack.enter_context(running(settings))
        client = stack.enter_context(
            OpenAI(base_url=server.base_url, api_key=server.api_key)
        )
        model = model or _default_model(client, settings)
        show.fact("ready", f"{server.base_url} after {server.seconds:.1f} s")
        show.fact("model", model)
        parts = _go_through(Demonstration(client, show, model, material, out))
        failed = [name for name, part in parts.items() if not part["ok"]]
        if failed:
            shutil.copytree(server.logs, out / "logs", dirs_exist_ok=True)
    seconds = time.monotonic() - began
    show.part("Stopped", f"after {seconds:.1f} s; the scratch directory is gone")
    if failed:
        show.bad(
            f"{', '.join(failed)}: see above, and what was logged in {out / 'logs'}"
        )
    else:
        show.good("every part really happened")
    return {
        "ok": not failed,
        "start_seconds": round(server.seconds, 3),
        "seconds": round(seconds, 3),
        "parts": parts,
    }


def _default_model(client: "OpenAI", settings: "Settings") -> str:
    from openai import OpenAIError

    from runtime.cli.demo.parts import BUILTIN

    if settings.openai_base_url is None:
        return BUILTIN
    try:
        names = [model.id for model in client.models.list()]
    except OpenAIError as error:
        raise CommandFailed(
            f"The upstream's models cannot be listed: {error}"
        ) from None
    # Some servers list their embedding models first.
    chatty = [name for name in names if "embed" not in name.lower()]
    if not chatty:
        raise CommandFailed("The upstream lists no model; name one with --model.")
    return chatty[0]


def _go_through(demonstration: "Demonstration") -> dict[str, dict[str, Any]]:
    """Every part, as far as it goes; a part's failure leaves the others their chance."""
    from httpx2 import TransportError
    from openai import OpenAIError

    from runtime.cli.demo.checks import PartFailed

    show = demonstration.show
    done: dict[str, dict[str, Any]] = {}
    for name, words, part in (
        ("files", "uploaded, read, embedded", demonstration.upload),
        ("question", "file_search, streamed", demonstration.question),
        ("chart", "code_interpreter, polled", demonstration.chart),
        ("function", "called here, its output submitted", demonstration.function),
    ):
        show.part(name.capitalize(), words)
        began = time.monotonic()
        try:
            done[name] = {"ok": True, **part()}
        # The SDK lets a stream that breaks off through as its transport's own error.
        except (PartFailed, OpenAIError, TransportError) as failure:
            show.bad(str(failure))
            done[name] = {"ok": False, "error": str(failure)}
        done[name]["seconds"] = round(time.monotonic() - began, 3)
        if name == "files" and not done[name]["ok"]:
            break  # the others live on what it makes
    return done
