"""Whether an answer is what its run's `response_format` asks for."""

import asyncio
import json
from typing import Any

from runtime.engine.schema import TooMuchWork, why_not_allowed
from runtime.engine.turn import Turn
from runtime.gateway import ModelFailed
from runtime.runs.models import Run
from runtime.wire.output_schema import SchemaRefused

Json = dict[str, Any]


class UnfitAnswer(ModelFailed):
    """A whole answer that is not in the form which was asked for.

    `why` is for the model that may answer again, `message` for the caller.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"The model's answer does not fit response_format: {why}.")
        self.why = why


async def check_answer(run: Run, turn: Turn) -> None:
    """Check a turn's answer, where the run could end with it.

    Calls are not checked: they have a form of their own. Nor is an answer that was cut,
    which leaves the run `incomplete`, or one that the model refused to give.

    Raises:
        UnfitAnswer: it is not what was asked for.
    """
    wanted = run.request.get("response_format")
    saying = turn.saying
    if not isinstance(wanted, dict) or turn.finish != "stop" or saying is None:
        return
    if turn.calls or saying.refusal:
        return
    # In a thread: there may be two seconds of work, and other runs are under way.
    why = await asyncio.to_thread(misfit, wanted, saying.cited.text)
    if why is not None:
        raise UnfitAnswer(why)


def correction(turn: Turn, unfit: UnfitAnswer) -> list[Json]:
    """What a model is told when it is to answer again.

    Asked the same anew, one without much temperature would answer the same.
    """
    assert turn.saying is not None  # what was checked was said
    demand = (
        f"That answer cannot be used: {unfit.why}. Answer again with nothing but JSON "
        "in the form that was asked for."
    )
    return [
        {"role": "assistant", "content": turn.saying.cited.text},
        {"role": "user", "content": demand},
    ]


def misfit(response_format: Json, text: str) -> str | None:
    """Why a text is not what a `response_format` asks for; None when it is.

    `json_object` wants any JSON object, `json_schema` with `strict` what its schema
    allows. Anything else is left to the model.
    """
    kind = response_format["type"]
    schema_format = response_format.get("json_schema") or {}
    if kind != "json_object" and not (
        kind == "json_schema" and schema_format.get("strict")
    ):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if kind == "json_object":
        return None if isinstance(value, dict) else "it is JSON, but not an object"
    try:
        return why_not_allowed(schema_format.get("schema", {}), value)
    except TooMuchWork:
        return "to check it against the schema takes too long"
    except SchemaRefused as refused:
        return f"it cannot be checked, as {refused}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
