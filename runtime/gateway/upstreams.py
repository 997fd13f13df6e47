"""Which upstream serves which model name.

With no upstream set, the built-in model answers to every name, so that an app with
`gpt-4o` written into it runs at once; each of its answers says what it is.
"""

from dataclasses import dataclass

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamConfig:
    """One OpenAI-compatible model server, and how patient we are with it.

    The times were measured and tried; tests give shorter ones.
    """

    base_url: str | None
    api_key: str | None
    connect_timeout_seconds: float = 5
    # From the request to the first piece of an answer, queueing upstream included.
    first_token_timeout_seconds: float = 60
    between_tokens_timeout_seconds: float = 30
    # An answer that is not streamed shows no sign of life before it is whole.
    whole_answer_timeout_seconds: float = 600
    max_attempts: int = 6
    backoff_seconds: float = 0.5
    max_backoff_seconds: float = 8
    # A longer Retry-After is not waited for: the attempt ends there.
    max_retry_after_seconds: float = 60
    fallback_models: tuple[str, ...] = ()
    # More than one run's six attempts: one unlucky run must not shut out the others.
    breaker_failures: int = 10
    breaker_cooldown_seconds: float = 5
    max_connections: int = 1000


def is_builtin(model: str, config: UpstreamConfig) -> bool:
    """Whether the built-in model serves this name."""
    return model == BUILTIN or config.base_url is None


def models_to_try(model: str, config: UpstreamConfig) -> tuple[str, ...]:
    """The model asked for, then the configured fallbacks, each once."""
    return tuple(dict.fromkeys((model, *config.fallback_models)))
