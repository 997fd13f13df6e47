"""Optional parameters that some model servers refuse, and what to send instead.

Only what changes nothing in the answer is dropped or renamed; a refused temperature, for
instance, stays an error, for the caller asked for it.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from runtime.gateway.failures import ModelFailed

T = TypeVar("T")
Body = dict[str, Any]


def _without_usage(body: Body) -> Body:
    return {key: value for key, value in body.items() if key != "stream_options"}


def _with_old_limit(body: Body) -> Body:
    renamed = dict(body)
    renamed["max_tokens"] = renamed.pop("max_completion_tokens")
    return renamed


def _without_parallel(body: Body) -> Body:
    # True is every upstream's own default; False was meant, so it is not dropped.
    if body["parallel_tool_calls"] is False:
        return body
    return {key: value for key, value in body.items() if key != "parallel_tool_calls"}


_ADAPTATIONS: Mapping[str, Callable[[Body], Body]] = {
    "stream_options": _without_usage,
    "max_completion_tokens": _with_old_limit,
    "parallel_tool_calls": _without_parallel,
}

# "max_completion_tokens is too large" names the parameter but does not refuse it.
_REFUSAL = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra|"
    r"not (permitted|allowed|accepted)",
    re.IGNORECASE,
)


class Quirks:
    """What each model of an upstream was found to refuse; learnt once, remembered."""

    def __init__(self) -> None:
        self._refused: dict[str, frozenset[str]] = {}

    async def adapting(self, body: Body, ask: Callable[[Body], Awaitable[T]]) -> T:
        """Ask; where a known parameter is refused, leave it out and ask again.

        Raises:
            ModelFailed: the refusal had another reason, or `ask` failed otherwise.
        """
        model = body["model"]
        refused = self._refused.get(model, frozenset())
        while True:
            try:
                answer = await ask(_adapted(body, refused))
            except ModelFailed as failure:
                culprit = _culprit(failure, body, refused)
                if culprit is None:
                    raise
                refused |= {culprit}
            else:
                # Only what led to an answer is remembered, or a misread refusal would
                # spoil every later request.
                self._refused[model] = refused
                return answer


def _adapted(body: Body, refused: frozenset[str]) -> Body:
    for parameter, adapt in _ADAPTATIONS.items():
        if parameter in refused and parameter in body:
            body = adapt(body)
    return body


def _culprit(failure: ModelFailed, body: Body, refused: frozenset[str]) -> str | None:
    if failure.code != "invalid_prompt" or not _REFUSAL.search(failure.message):
        return None
    for parameter in _ADAPTATIONS.keys() & body.keys() - refused:
        if failure.param == parameter or parameter in failure.message:
            return parameter
    return None
