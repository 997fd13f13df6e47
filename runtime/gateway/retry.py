"""Patience with a model server: backoff, fallback models, a circuit breaker.

Only what has shown nothing to anybody yet is tried again. Once a piece of an answer
has left, a failure is final here, and the engine decides whether to take the turn
again.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from runtime.gateway.failures import CircuitOpen, ModelFailed
from runtime.gateway.upstreams import UpstreamConfig

log = structlog.get_logger(__name__)

T = TypeVar("T")

# With another model waiting, one retry bridges a hiccup; more would only cost time.
_ATTEMPTS_BEFORE_FALLBACK = 2


class Breaker:
    """Stops asking a model that keeps failing; lets one probe through now and then.

    closed: everything passes. After `failures` failures in a row it opens for
    `cooldown_seconds`. Then a single call probes: success closes, failure opens again.
    """

    def __init__(self, *, failures: int, cooldown_seconds: float) -> None:
        self._limit = failures
        self._cooldown_seconds = cooldown_seconds
        self._failed_in_a_row = 0
        self._opened_at: float | None = None
        self._probing = False

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, unless the circuit is open, and take note of how it went.

        Raises:
            CircuitOpen: nothing was asked.
            ModelFailed: whatever `ask` raised.
        """
        self._admit()
        try:
            answer = await ask()
        except ModelFailed as failure:
            self.note(failure)
            raise
        except BaseException:
            # Cancelled: no verdict, but the next one may probe.
            self._probing = False
            raise
        self.note(None)
        return answer

    def note(self, failure: ModelFailed | None) -> None:
        """Learn how a call ended. A refused question still shows a living server."""
        self._probing = False
        if failure is None or not failure.blames_server:
            self._failed_in_a_row = 0
            self._opened_at = None
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._limit:
            self._opened_at = time.monotonic()

    def note_broken_answer(self) -> None:
        """Learn that an answer which had begun broke off: the server's failure too."""
        self.note(ModelFailed("The answer broke off.", retryable=True))

    def _admit(self) -> None:
        if self._opened_at is None:
            return
        wait = self._opened_at + self._cooldown_seconds - time.monotonic()
        if wait > 0 or self._probing:
            raise CircuitOpen(
                f"The model server failed {self._failed_in_a_row} times in a row and "
                "is left alone for a moment.",
                retryable=True,
                retry_after_seconds=wait if wait > 0 else None,
            )
        self._probing = True


class Retrier:
    """The retry loop, with one breaker per model of its upstream."""

    def __init__(self, config: UpstreamConfig) -> None:
        self._config = config
        self._breakers: dict[str, Breaker] = {}

    def breaker(self, model: str) -> Breaker:
        """The breaker of one model; made when first asked for."""
        if model not in self._breakers:
            self._breakers[model] = Breaker(
                failures=self._config.breaker_failures,
                cooldown_seconds=self._config.breaker_cooldown_seconds,
            )
        return self._breakers[model]

    async def first_answer(
        self, models: Sequence[str], ask: Callable[[str], Awaitable[T]]
    ) -> T:
        """Ask the models in order, each with retries, until one answers.

        Raises:
            ModelFailed: none did; it says how the last one failed.
        """
        *earlier, last = models
        for model in earlier:
            try:
                return await self._ask_patiently(model, ask, has_successor=True)
            except ModelFailed as failure:
                if not failure.worth_another_model:
                    raise
                log.warning("model fell back", model=model, status=failure.status)
        return await self._ask_patiently(last, ask, has_successor=False)

    async def _ask_patiently(
        self, model: str, ask: Callable[[str], Awaitable[T]], *, has_successor: bool
    ) -> T:
        breaker = self.breaker(model)
        attempts = max(1, self._config.max_attempts)
        if has_successor:
            attempts = min(attempts, _ATTEMPTS_BEFORE_FALLBACK)
        for attempt in range(1, attempts):
            try:
                return await breaker.call(lambda: ask(model))
            except ModelFailed as failure:
                delay = self._delay_seconds(failure, attempt, has_successor)
                if delay is None:
                    raise
                log.info(
                    "model asked again",
                    model=model,
                    status=failure.status,
                    reason=failure.reason,
                    attempt=attempt,
                    delay_seconds=round(delay, 2),
                )
            await asyncio.sleep(delay)
        return await breaker.call(lambda: ask(model))

    def _delay_seconds(
        self, failure: ModelFailed, attempt: int, has_successor: bool
    ) -> float | None:
        """How long to wait before the next attempt; None if there should be none."""
        if not failure.retryable:
            return None
        asked = failure.retry_after_seconds
        if asked is not None:
            patience = 0 if has_successor else self._config.max_retry_after_seconds
            # Spread a little, upwards: many runs were told the same moment.
            return asked * random.uniform(1, 1.1) if asked <= patience else None
        # Full jitter: the whole range, so that a crowd does not come back as a crowd.
        ceiling = self._config.backoff_seconds * 2 ** (attempt - 1)
        return random.uniform(0, min(self._config.max_backoff_seconds, ceiling))
