"""What tools found, as a model reads it and as an answer cites it."""

from collections.abc import Iterable

from runtime.engine.citations import Source
from runtime.threads.models import Item, ItemType


def marker(turn: int, index: int, filename: str) -> str:
    """The marker under which a chunk is handed to the model."""
    # Brackets within a name would end the marker too early.
    safe = filename.replace("【", "[").replace("】", "]")
    return f"【{turn}:{index}†{safe}】"


def tool_text(call: Item) -> str:
    """What the model reads of an answered call."""
    output = call.output or {}
    if call.type is not ItemType.FILE_SEARCH_CALL or "results" not in output:
        return str(output.get("text", ""))
    blocks = [f"{found['marker']}\n{found['text']}" for found in output["results"]]
    return "\n\n".join(blocks) or "No passage in the files fits this query."


def sources_of(calls: Iterable[Item]) -> dict[str, Source]:
    """Marker → chunk, of all that these searches found."""
    return {
        found["marker"]: Source(
            file_id=found["file_id"],
            filename=found["file_name"],
            text=found["text"],
            char_start=found.get("char_start") or 0,
            page_starts=tuple((n, at) for n, at in found.get("page_starts", ())),
        )
        for call in calls
        if call.type is ItemType.FILE_SEARCH_CALL and call.output
        for found in call.output.get("results", ())
    }


def images_of(calls: Iterable[Item]) -> list[str]:
    """File ids of the pictures that these calls drew, in order."""
    return [
        output["image"]["file_id"]
        for call in calls
        if call.type is ItemType.CODE_INTERPRETER_CALL and call.output
        for output in call.output.get("outputs", ())
        if output["type"] == "image"
    ]
