"""The parts of the demonstration, in order. Each shows what it does and checks it.

upload  →  question (file_search, streamed)  →  chart (code_interpreter)  →  function
"""

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import OpenAI
from openai.types import FileObject
from openai.types.beta.function_tool_param import FunctionToolParam

from runtime.cli.demo import checks, material
from runtime.cli.demo.ask import Answer, ask_polling, ask_streaming
from runtime.cli.demo.checks import PartFailed
from runtime.cli.demo.show import Show

BUILTIN = "builtin"

_INSTRUCTIONS = (
    "Answer questions about the files from what file_search finds, and cite it. Use "
    "code_interpreter for tables, and the function for bookings."
)
_BOOKING: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "book_crossing",
        "description": "Book a crossing of the ferries; gives a booking number.",
        "parameters": {
            "type": "object",
            "properties": {
                "route": {"type": "string"},
                "date": {"type": "string", "description": "YYYY-MM-DD"},
                "passengers": {"type": "integer"},
            },
            "required": ["route", "date", "passengers"],
        },
    },
}
_WANTED = {"route": "Holmen-Skarv", "date": "2024-06-21", "passengers": 3}
_FARE_CROWNS = 46


@dataclass(slots=True)
class Demonstration:
    """What the parts share."""

    client: OpenAI
    show: Show
    model: str
    material: material.Material
    out: Path
    # Made by `upload`: file id → path, of what is searched.
    searched: dict[str, Path] = field(default_factory=dict)
    store_id: str = ""
    table_id: str = ""
    assistant_id: str = ""

    def upload(self) -> dict[str, Any]:
        """Upload the files, make the documents searchable, set up the assistant."""
        began = time.monotonic()
        store = self.client.vector_stores.create(name="Demonstration")
        self.store_id = store.id
        documents = self.material.documents
        with self.show.sending() as opened:
            batch = self.client.vector_stores.file_batches.upload_and_poll(
                store.id, files=[opened(path) for path in documents]
            )
            table = self.client.files.create(
                file=opened(self.material.table), purpose="assistants"
            )
        self._check_batch(batch.status)
        self.table_id = table.id
        for path in documents:
            self.show.fact("searchable", f"{path.name}, {_size(path)}")
        self.show.fact("for code", f"{table.filename}, {_size(self.material.table)}")
        self.assistant_id = self.client.beta.assistants.create(
            model=self.model,
            name="Demonstration",
            instructions=_INSTRUCTIONS,
            tools=[{"type": "file_search"}, {"type": "code_interpreter"}, _BOOKING],
            tool_resources={
                "file_search": {"vector_store_ids": [store.id]},
                "code_interpreter": {"file_ids": [table.id]},
            },
        ).id
        seconds = time.monotonic() - began
        self.show.good(f"{len(documents) + 1} files in {seconds:.1f} s")
        return {"files": [path.name for path in (*documents, self.material.table)]}

    def _check_batch(self, status: str) -> None:
        for row in self.client.vector_stores.files.list(self.store_id):
            path = self._path_of(self.client.files.retrieve(row.id))
            if row.status != "completed":
                why = row.last_error.message if row.last_error else "no reason given"
                raise PartFailed(f"{path.name} is {row.status}: {why}")
            self.searched[row.id] = path
        if status != "completed" or not self.searched:
            raise PartFailed(f"the batch of files ended as {status}")

    def _path_of(self, file: FileObject) -> Path:
        """Uploads end in any order, and a server may tidy a name; sizes stay."""
        same = [p for p in self.material.documents if p.stat().st_size == file.bytes]
        if not same:
            raise PartFailed(f"{file.filename} arrived with {file.bytes} bytes")
        return next((path for path in same if path.name == file.filename), same[0])

    def question(self) -> dict[str, Any]:
        """Ask about the documents, streamed; check quote, page and offsets."""
        question = self.material.question
        if question is None:
            file_id, path = next(iter(self.searched.items()))
            question = material.question_about(path.name, self._text_of(file_id))
        self.show.said(f"> {question}\n", style="italic")
        with self.show.answering() as on_text:
            answer = ask_streaming(self.client, self.assistant_id, question, on_text)
        citations = checks.check_citations(answer.message, self.searched, self._text_of)
        for cited in citations:
            page = f", page {cited.page}" if cited.page else ""
            place = f"characters {cited.char_start}-{cited.char_end}"
            quote = " ".join(cited.quote.split())
            self.show.fact("cites", f'{cited.filename}{page}, {place}: "{quote}"')
        self._show_run(answer)
        checks.check_steps(answer.steps, "file_search")
        checks.check_stream(answer.streamed, answer.text, answer.events)
        for word in self.material.expected:
            if word not in answer.text:
                raise PartFailed(
                    f"the answer does not say {word}, as the handbook does"
                )
        self.show.good("each quote stands at its place, on its page, in its file")
        return {
            "question": question,
            "answer": answer.text,
            "citations": [_citation_json(cited) for cited in citations],
            "events": dict(answer.events),
            **_run_json(answer),
        }

    def _text_of(self, file_id: str) -> str:
        content = self.client.vector_stores.files.content(
            file_id, vector_store_id=self.store_id
        )
        return "".join(part.text or "" for part in content)

    def chart(self) -> dict[str, Any]:
        """Have the table charted by code in the sandbox; save the picture."""
        name = self.client.files.retrieve(self.table_id).filename
        request = material.chart_request(name, with_code=self.model == BUILTIN)
        self.show.said(f"> {request.splitlines()[0]}\n", style="italic")
        with self.show.waiting("drawing"):
            answer = ask_polling(self.client, self.assistant_id, request, {})
        self.show.said(answer.text)
        self._show_run(answer)
        checks.check_steps(answer.steps, "code_interpreter")
        file_id = checks.drawn_by(answer.steps)[-1]
        data = self.client.files.content(file_id).read()
        picture = checks.check_picture(data, file_id, answer.message)
        saved = self.out / f"{self.material.table.stem}.png"
        saved.write_bytes(data)
        self.show.fact("chart", str(saved))
        self.show.good(
            f"a PNG of {picture.width} x {picture.height} pixels, "
            f"{picture.colours} different ones"
        )
        return {"chart": str(saved), "answer": answer.text, **_run_json(answer)}

    def function(self) -> dict[str, Any]:
        """Have a function called that runs here; its output is in the answer."""
        # Drawn here and now: no model can know it unless it was told.
        number = f"NF-{secrets.randbelow(90_000) + 10_000}"

        def book_crossing(wanted: dict[str, Any]) -> dict[str, Any]:
            price = _FARE_CROWNS * int(wanted["passengers"])
            return {"booking": number, "price_crowns": price, **wanted}

        if self.model == BUILTIN:
            request = f"/call book_crossing {json.dumps(_WANTED)}"
        else:
            request = (
                f"Book the crossing {_WANTED['route']} on {_WANTED['date']} for "
                f"{_WANTED['passengers']}, and tell me the booking number."
            )
        self.show.said(f"> {request}\n", style="italic")
        with self.show.waiting("booking"):
            answer = ask_polling(
                self.client,
                self.assistant_id,
                request,
                {"book_crossing": book_crossing},
            )
        for name, arguments, output in answer.called:
            self.show.fact("called", f"{name} {json.dumps(arguments)}")
            self.show.fact("gave", output)
        self.show.said(answer.text)
        self._show_run(answer)
        checks.check_function(answer.called, "book_crossing", "booking", answer.text)
        checks.check_steps(answer.steps, "function")
        self.show.good(f"the number {number}, drawn here, came back in the answer")
        return {"booking": number, "answer": answer.text, **_run_json(answer)}

    def _show_run(self, answer: Answer) -> None:
        for line in _steps_in_words(answer):
            self.show.fact("step", line)
        words = f"completed in {answer.seconds:.2f} s"
        if answer.first_text_seconds is not None:
            words += f", first text after {answer.first_text_seconds:.2f} s"
        if answer.events:
            words += f", {answer.events.total()} events streamed"
        self.show.fact("run", words)
        usage = answer.run.usage
        if usage is not None:
            told, said = usage.prompt_tokens, usage.completion_tokens
            self.show.fact("tokens", f"{told} in, {said} out")


def _steps_in_words(answer: Answer) -> Iterable[str]:
    for number, step in enumerate(answer.steps, 1):
        what = ", ".join(checks.tools_of([step])) or "message"
        usage = step.usage
        tokens = f", {usage.total_tokens} tokens" if usage else ""
        yield f"{number}. {what}: {step.status}{tokens}"


def _run_json(answer: Answer) -> dict[str, Any]:
    return {
        "run_id": answer.run.id,
        "steps": [
            {"type": step.type, "tools": checks.tools_of([step]), "status": step.status}
            for step in answer.steps
        ],
        "run_seconds": round(answer.seconds, 3),
        "first_text_seconds": answer.first_text_seconds
        and round(answer.first_text_seconds, 3),
        "usage": answer.run.usage.model_dump() if answer.run.usage else None,
    }


def _citation_json(cited: checks.Citation) -> dict[str, Any]:
    return {
        "file": cited.filename,
        "page": cited.page,
        "quote": cited.quote,
        "char_start": cited.char_start,
        "char_end": cited.char_end,
    }


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.1f} kB"
