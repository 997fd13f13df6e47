"""What goes wrong on the way to an upstream, put into our words.

Imported only with the client: it pulls in the SDK.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx2
import openai

from runtime.gateway.failures import (
    ContextExceeded,
    FailureCode,
    ModelFailed,
    NoSuchModel,
)
from runtime.gateway.too_long import says_too_long

_MAX_MESSAGE_CHARACTERS = 500
_KEY = re.compile(
    r"\bsk[-_ ][\w*.-]{6,}|\b(?:gsk|hf)_\w{16,}"
    # Words follow these two as well: a key has a digit, or was starred out.
    r"|\b(?:key|Bearer)[-_ ](?=[\w*.-]{0,64}[\d*])[\w*.-]{6,}",
    re.IGNORECASE,
)
# What is shorter is a word that a server without keys was given in place of one.
_SHORTEST_KEY = 8
# A limit that waiting does not lift.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_UNKNOWN_ADDRESS = (
    "The model server does not know the address we asked; check OPENAI_BASE_URL "
    "(it usually ends in /v1)."
)
_LIMITED = "The model server limits how much this runtime may ask at the moment."
_REFUSED_KEY = (
    "The model server refused the key this runtime is configured with "
    "(OPENAI_API_KEY). The caller's own key is not at fault."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a failure's words are made with.

    Attributes:
        model: the name that was asked for, to be said when it does not exist.
        api_key: the upstream's, never to be said.
    """

    model: str
    api_key: str | None


@contextmanager
def in_our_words(asked: Asked, *, begun: bool) -> Iterator[None]:
    """Turn whatever a call raises into ModelFailed.

    Args:
        begun: whether a piece of the answer was out already; then nothing is retryable.
    """
    try:
        yield
    except ModelFailed as failure:
        failure.retryable = failure.retryable and not begun
        raise
    except openai.APIStatusError as error:
        raise refused(
            error.status_code, error.body, error.response.headers, asked
        ) from error
    except TimeoutError as error:
        raise _silence(begun) from error
    except openai.APITimeoutError as error:
        # The SDK's only timeout is ours for connecting; aiohttp also says so when a
        # kept-alive connection turns out to be closed.
        raise _broken(begun) from error
    except (
        openai.OpenAIError,
        httpx2.HTTPError,
        aiohttp.ClientError,
        OSError,
    ) as error:
        raise _broken(begun) from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise nonsense(begun=begun) from error


def refused(
    status: int, body: object, headers: Mapping[str, str], asked: Asked
) -> ModelFailed:
    """The failure that an HTTP status stands for."""
    detail = body if isinstance(body, dict) else {}
    # An unknown model comes with an error's message, an unknown address without.
    if status == 404 and detail.get("message"):
        return NoSuchModel(
            f"The model server has no model named '{asked.model[:128]}'.", status=status
        )
    said = _upstreams_words(body, asked)
    if says_too_long(status, detail):
        # Whatever status it came with: it is the question that is at fault.
        message = said or "The messages are longer than the model can read."
        return ContextExceeded(
            message,
            code="invalid_prompt",
            status=status,
            param=_text_or_none(detail.get("param")),
            reason="context_length_exceeded",
        )
    code, message, retryable = _verdict(status, detail, said)
    return ModelFailed(
        message,
        code=code,
        status=status,
        retry_after_seconds=_retry_after_seconds(headers),
        retryable=retryable,
        param=_text_or_none(detail.get("param")),
        reason=_text_or_none(detail.get("code")),
    )


def _verdict(
    status: int, detail: Mapping[str, Any], said: str
) -> tuple[FailureCode, str, bool]:
    if status in (401, 403):
        return "server_error", _REFUSED_KEY, False
    if status == 404:
        return "server_error", _UNKNOWN_ADDRESS, False
    if status == 429:
        broke = detail.get("code") in _NO_MONEY
        return "rate_limit_exceeded", _LIMITED, not broke
    if status in (400, 413, 422):
        message = said or f"The model server refused the request (status {status})."
        return "invalid_prompt", message, False
    # A broken server's words are for its operator: they tell of hosts and accounts.
    message = f"The model server answered with status {status}."
    return "server_error", message, status in (408, 409, 425) or status >= 500


def error_in_stream(error: object, asked: Asked) -> ModelFailed:
    """The failure an `{"error": …}` object inside a 200 stands for."""
    detail = error if isinstance(error, dict) else {"message": str(error)}
    status = next(
        (
            value
            for value in (detail.get("status"), detail.get("code"))
            if isinstance(value, int) and 400 <= value < 600
        ),
        429 if "rate_limit" in str(detail.get("type")) else 500,
    )
    return refused(status, detail, {}, asked)


def nonsense(*, begun: bool = False, page: bool = False) -> ModelFailed:
    """The upstream answered, but not as a model server does."""
    if page:
        # A web page does not become a model by asking again.
        return ModelFailed(
            "The model server answered with a web page; check OPENAI_BASE_URL "
            "(it usually ends in /v1)."
        )
    return ModelFailed(
        "The model server's answer could not be understood.", retryable=not begun
    )


def cut_off(*, begun: bool) -> ModelFailed:
    """The stream ended without saying that the answer is whole."""
    return ModelFailed(
        "The model server's answer ended before it was whole.", retryable=not begun
    )


def _silence(begun: bool) -> ModelFailed:
    if begun:
        return ModelFailed("The model server fell silent in the middle of its answer.")
    return ModelFailed("The model server did not answer in time.", retryable=True)


def _broken(begun: bool) -> ModelFailed:
    if begun:
        return ModelFailed(
            "The connection to the model server broke in the middle of its answer."
        )
    return ModelFailed("The model server could not be reached.", retryable=True)


def _upstreams_words(body: object, asked: Asked) -> str:
    """The upstream's own message, without our key or anything that looks like one."""
    words = body.get("message") or body.get("detail") if isinstance(body, dict) else ""
    if not isinstance(words, str):
        words = str(words) if words else ""
    words = words.replace("\0", "").encode("utf-8", errors="replace").decode()
    if asked.api_key and len(asked.api_key) >= _SHORTEST_KEY:
        words = words.replace(asked.api_key, "[key]")
    return _KEY.sub("[key]", words)[:_MAX_MESSAGE_CHARACTERS]


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: the header may hold a number or a date."""
    milliseconds = headers.get("retry-after-ms")
    value = headers.get("retry-after")
    try:
        if milliseconds is not None:
            return _positive(float(milliseconds) / 1000)
        return None if value is None else _positive(float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" means UTC, said by someone who does not know
        moment = moment.replace(tzinfo=UTC)
    return _positive((moment - datetime.now(UTC)).total_seconds())


def _positive(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None
