"""Talk to an assistant in the terminal, over the public API, with the official SDK."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.output import CommandFailed

if TYPE_CHECKING:
    from openai import OpenAI

_INSTRUCTIONS = "You are a helpful assistant. Use the tools when they help."


def chat(
    question: Annotated[
        str | None, typer.Argument(help="ask this and end; without it: a conversation")
    ] = None,
    assistant: Annotated[
        str | None, typer.Option(help="id (asst_…); without it: a temporary one")
    ] = None,
    model: Annotated[str, typer.Option(help="model of the temporary one")] = "builtin",
    file: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="let it read this; repeatable"),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="…/v1; default: `up` here")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="API key; default: that of `up`, for `up` here alone"),
    ] = None,
) -> None:
    """Talk to an assistant; its answer appears as it is written. Ctrl-D ends.

    Example: assistants chat --file handbook.pdf "How many days of leave are there?"
    """
    client = _connect(base_url, key)
    from openai import APIConnectionError, APIStatusError

    # The SDK marks the whole API as deprecated; serving it is our point.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        _converse(client, question, assistant, model, file or [])
    except APIConnectionError:
        raise CommandFailed(
            f"No API answers at {client.base_url}. Start it with `assistants up`, or "
            "name another with --base-url."
        ) from None
    except APIStatusError as error:
        raise CommandFailed(error.message) from None


def _connect(base_url: str | None, key: str | None) -> "OpenAI":
    from openai import OpenAI

    from runtime.local.configuration import load_settings
    from runtime.local.data_dir import kept_api_key

    settings = load_settings()
    if key is None and base_url is not None:
        # The key of this machine's runtime is nobody else's business.
        raise CommandFailed("With --base-url, give --key too: the key of that server.")
    if key is None:
        key = settings.api_key or kept_api_key(settings)
    if key is None:
        raise CommandFailed(
            "There is no API key yet: run `assistants up`, or give --key."
        )
    where = base_url or f"http://{settings.host}:{settings.port}/v1"
    return OpenAI(base_url=where, api_key=key)


def _converse(
    client: "OpenAI",
    question: str | None,
    assistant_id: str | None,
    model: str,
    files: list[Path],
) -> None:
    temporary = assistant_id is None
    if assistant_id is None:
        assistant_id = client.beta.assistants.create(
            model=model,
            instructions=_INSTRUCTIONS,
            tools=[{"type": "file_search"}, {"type": "code_interpreter"}],
        ).id
    thread_id = client.beta.threads.create().id
    try:
        attached = [_upload(client, path) for path in files]
        if question is not None:
            _ask(client, thread_id, assistant_id, question, attached)
            return
        while (question := _read_question()) is not None:
            if question.strip():
                _ask(client, thread_id, assistant_id, question, attached)
                attached = []
    finally:
        client.beta.threads.delete(thread_id)
        if temporary:
            client.beta.assistants.delete(assistant_id)


def _read_question() -> str | None:
    try:
        return input("\n> ")
    except (EOFError, KeyboardInterrupt):
        print()
        return None


def _upload(client: "OpenAI", path: Path) -> str:
    print(f"Uploading {path.name} …", file=sys.stderr)
    return client.files.create(file=path, purpose="assistants").id


def _ask(
    client: "OpenAI",
    thread_id: str,
    assistant_id: str,
    question: str,
    file_ids: list[str],
) -> None:
    client.beta.threads.messages.create(
        thread_id,
        role="user",
        content=question,
        attachments=[
            {
                "file_id": file_id,
                "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
            }
            for file_id in file_ids
        ],
    )
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant_id
    ) as stream:
        for text in stream.text_deltas:
            print(text, end="", flush=True)
        print()
        run = stream.current_run
    if run is not None and run.status != "completed":
        reason = run.last_error.message if run.last_error else "no reason was given"
        raise CommandFailed(f"The run is {run.status}: {reason}")
