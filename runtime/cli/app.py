"""`assistants`: every command, in the order one meets them."""

import sys

import typer

from runtime.cli import admin, chat, sandbox, serve
from runtime.cli.demo.command import demo
from runtime.cli.output import CommandFailed, complain
from runtime.local.failure import CannotStart

app = typer.Typer(
    name="assistants",
    help="A self-hosted home for apps written against OpenAI's Assistants API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
serve.add_to(app)
app.command("demo")(demo)
app.command("chat")(chat.chat)
app.add_typer(admin.projects, name="projects")
app.add_typer(admin.keys, name="keys")
app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Run a command. Status 0: done; 1: failed, in a sentence; 2: wrong use."""
    if sys.version_info < (3, 11):  # noqa: UP036 - a checkout may meet any Python
        sys.exit("assistants needs Python 3.11 or newer.")
    try:
        app()
    except (CannotStart, CommandFailed) as failure:
        complain(str(failure))
        sys.exit(1)
