"""What has to be true for a part of the demonstration to count.

Facts only: a model may word its answer as it likes, but a quote stands in its file or it
does not.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
from openai.types.beta.threads import FileCitationAnnotation, Message
from openai.types.beta.threads.runs import RunStep, ToolCallsStepDetails

from runtime.cli.demo.png import NotAPicture, Picture, read_png


class PartFailed(Exception):
    """A part did not really happen: why, in words."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A checked citation: these words stand at this place of this file.

    `page` counts from 1 and is None for a file without pages; the offsets count code
    points of the file's text as the runtime has read it.
    """

    marker: str
    filename: str
    quote: str
    page: int | None
    char_start: int
    char_end: int


def check_citations(
    message: Message, files: Mapping[str, Path], text_of: Callable[[str], str]
) -> list[Citation]:
    """Every citation of a message, each found in its file.

    Args:
        files: file id → the file as it lies on this machine.
        text_of: what the runtime has read out of a file, by its id.

    Raises:
        PartFailed: there is none, or one of them is not right.
    """
    citations = [
        _check_citation(part.text.value, annotation, files, text_of)
        for part in message.content
        if part.type == "text"
        for annotation in part.text.annotations
        if annotation.type == "file_citation"
    ]
    if not citations:
        raise PartFailed("the answer cites no file")
    return citations


def _check_citation(
    answer: str,
    annotation: FileCitationAnnotation,
    files: Mapping[str, Path],
    text_of: Callable[[str], str],
) -> Citation:
    marker, start, end = annotation.text, annotation.start_index, annotation.end_index
    if answer[start:end] != marker:
        raise PartFailed(f"{marker} is not at {start}-{end} of the answer")
    cited = annotation.file_citation
    path = files.get(cited.file_id)
    if path is None:
        raise PartFailed(f"{marker} names the file {cited.file_id}, which is not ours")
    # What this runtime adds to OpenAI's citation; the SDK keeps it as it comes.
    extra = cited.model_extra or {}
    quote, page = extra.get("quote"), extra.get("page")
    char_start, char_end = extra.get("char_start"), extra.get("char_end")
    if not quote or char_start is None or char_end is None:
        raise PartFailed(f"{marker} comes without its quote")
    if text_of(cited.file_id)[char_start:char_end] != quote:
        raise PartFailed(
            f'"{quote}" is not at {char_start}-{char_end} of {path.name}, but cited so'
        )
    if path.suffix.lower() == ".pdf":
        _check_page(path, page, quote)
    return Citation(marker, path.name, quote, page, char_start, char_end)


def _check_page(path: Path, page: int | None, quote: str) -> None:
    """The quote begins on that page of the PDF itself, as an independent look shows."""
    with pypdfium2.PdfDocument(path) as document:
        if page is None or not 1 <= page <= len(document):
            raise PartFailed(f"{path.name} is cited with page {page}")
        text = document[page - 1].get_textpage().get_text_range()
        if page < len(document):  # a quote may go on overleaf
            text += document[page].get_textpage().get_text_range()
    if _words(quote) not in _words(text):
        raise PartFailed(f'"{quote}" is not on page {page} of {path.name}')


def _words(text: str) -> str:
    return " ".join(text.split())


def check_steps(steps: Sequence[RunStep], tool: str) -> None:
    """A call of `tool` and a message, and every step completed.

    Raises:
        PartFailed: a step is missing or did not complete.
    """
    for step in steps:
        if step.status != "completed":
            reason = f": {step.last_error.message}" if step.last_error else ""
            raise PartFailed(f"a step ({step.type}) is {step.status}{reason}")
    if tool not in tools_of(steps):
        raise PartFailed(f"the model did not call {tool}")
    if not any(step.type == "message_creation" for step in steps):
        raise PartFailed("no step created a message")


def tools_of(steps: Sequence[RunStep]) -> list[str]:
    """Names of the tools called, in order; functions as `function`."""
    return [
        call.type
        for step in steps
        if isinstance(step.step_details, ToolCallsStepDetails)
        for call in step.step_details.tool_calls
    ]


def check_stream(streamed: str, text: str, events: Mapping[str, int]) -> None:
    """What came as deltas is what was stored, between a beginning and an end.

    Raises:
        PartFailed: it is not.
    """
    if streamed != text:
        raise PartFailed("the streamed text is not the message that was stored")
    for name in ("thread.run.created", "thread.run.completed"):
        if events.get(name) != 1:
            raise PartFailed(f"the stream told {name} {events.get(name, 0)} times")


def drawn_by(steps: Sequence[RunStep]) -> list[str]:
    """File ids of the pictures that code drew.

    Raises:
        PartFailed: there is none, with what the code printed.
    """
    pictures, printed = [], []
    for step in steps:
        if not isinstance(step.step_details, ToolCallsStepDetails):
            continue
        for call in step.step_details.tool_calls:
            if call.type != "code_interpreter":
                continue
            for output in call.code_interpreter.outputs:
                if output.type == "logs":
                    printed.append(output.logs.strip())
                elif output.image.file_id:
                    pictures.append(output.image.file_id)
    if not pictures:
        raise PartFailed("the code drew nothing; it printed:\n" + "\n".join(printed))
    return pictures


def check_picture(data: bytes, file_id: str, message: Message) -> Picture:
    """A PNG that the message shows, with pixels that differ.

    Raises:
        PartFailed: it is not.
    """
    shown = [p.image_file.file_id for p in message.content if p.type == "image_file"]
    if file_id not in shown:
        raise PartFailed("the code drew a picture, but the message does not show it")
    try:
        picture = read_png(data)
    except NotAPicture as error:
        raise PartFailed(f"the chart is no picture: {error}") from None
    if picture.colours < 2:
        raise PartFailed("every pixel of the chart has the same colour")
    return picture


def check_function(
    called: Sequence[tuple[str, dict[str, Any], str]], name: str, key: str, text: str
) -> str:
    """`name` was called here, and what `key` of its output says is in the answer.

    Raises:
        PartFailed: it is not so.
    """
    outputs = [output for function, _, output in called if function == name]
    if not outputs:
        raise PartFailed(f"the model did not call {name}")
    try:
        value = str(json.loads(outputs[-1])[key])
    except (ValueError, KeyError):
        raise PartFailed(f"{name} could not be called: {outputs[-1]}") from None
    if value not in text:
        raise PartFailed(f"{name} gave {key} {value}, which the answer does not hold")
    return value
