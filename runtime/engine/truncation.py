"""How much of its thread a run reads: what was asked for, and what the model can take.

Whole rounds go, the oldest first: a message together with the calls that led to it, so
that no call is parted from its output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

# Tokens are counted by the upstream; before it has, a quarter of the characters.
_CHARACTERS_PER_TOKEN = 4
_IMAGE_TOKENS = 1_000


class BudgetSpent(Exception):
    """The run may not take another turn; `which` of its budgets does not allow it."""

    def __init__(self, which: Literal["max_prompt_tokens", "max_completion_tokens"]):
        super().__init__(which)
        self.which = which


@dataclass(frozen=True, slots=True)
class Truncation:
    """What a run's prompt is cut down to.

    Attributes:
        last_messages: only so many of the thread, if that was asked for.
        budget_tokens: what is left of `max_prompt_tokens`.
        context_tokens: what the model is believed to take, once it has refused more.
    """

    last_messages: int | None
    budget_tokens: int | None
    context_tokens: int | None

    def cut(self, rounds: list[list[Json]], fixed: Sequence[Json]) -> list[list[Json]]:
        """The rounds that stay.

        Args:
            rounds: the thread's messages, each behind the calls that led to it.
            fixed: what is sent in any case: instructions, and the run's own turns.

        Raises:
            BudgetSpent: not even the last round is within the caller's budget.
        """
        if self.last_messages is not None:
            rounds = rounds[-self.last_messages :]
        taken = tokens(fixed)
        if self.context_tokens is not None:
            # The question itself stays: a model that cannot take even that is to say so.
            least = len(rounds) - _last_question(rounds)
            fitting = _fitting(rounds, self.context_tokens - taken)
            rounds = rounds[-max(fitting, least) :]
        if self.budget_tokens is not None:
            left = self.budget_tokens - taken
            fitting = _fitting(rounds, left)
            if not fitting and (rounds or left < 0):
                raise BudgetSpent("max_prompt_tokens")
            rounds = rounds[len(rounds) - fitting :]
        return rounds


def tokens(messages: Sequence[Json]) -> int:
    """About how many tokens messages are; the upstream counts when it has read them."""
    return sum(map(_tokens, messages))


def _fitting(rounds: list[list[Json]], left: int) -> int:
    """How many of the last rounds fit into so many tokens."""
    fitting = 0
    for round in reversed(rounds):
        left -= tokens(round)
        if left < 0:
            break
        fitting += 1
    return fitting


def _last_question(rounds: list[list[Json]]) -> int:
    """Where the newest message of the user stands; without one, the newest message."""
    for at in range(len(rounds) - 1, -1, -1):
        if rounds[at][-1]["role"] == "user":
            return at
    return max(0, len(rounds) - 1)


def _tokens(message: Json) -> int:
    content = message["content"] or ""
    characters = len(str(message.get("tool_calls", "")))
    if isinstance(content, str):
        return (len(content) + characters) // _CHARACTERS_PER_TOKEN
    images: int = sum(part["type"] == "image_url" for part in content)
    characters += sum(len(part.get("text", "")) for part in content)
    return characters // _CHARACTERS_PER_TOKEN + images * _IMAGE_TOKENS
