"""How model servers say that a prompt is longer than they can read.

There is no common code for it: OpenAI, Azure and Groq send `context_length_exceeded`,
llama.cpp a type of its own, everybody else a sentence, and some send it with status 500
or within a 200. `tests/gateway/test_too_long.py` has what each is known to say.
"""

import re
from collections.abc import Mapping
from typing import Any

_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})

# A sentence counts when it speaks of the context, or of a prompt's tokens, and of a
# limit that they exceed. "max_tokens is too large" alone is about the answer.
_SENTENCES = re.compile(
    r"context[ _](length|size|window|limit)"
    r".{0,80}(exceed|only|not enough|smaller|reduce|shorten|\bis \d|\d+ tokens)"
    r"|(exceed|overflow|longer|larger|greater|too (large|long|big|many))"
    r".{0,80}context([ _](length|size|window|limit)|\b)"
    r"|maximum (context|model) length"
    r"|prompt (is )?too long"
    r"|input (is )?too long"
    r"|(input|prompt)( token count|s? tokens?| length).{0,60}exceeds?"
    r"|too many (input |prompt )?tokens"
    r"|`inputs`.{0,60}must (be|have)",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_SENTENCE = 2_000

# What these say is about keys, names and quotas, whatever the words.
_OTHER_STATUSES = frozenset({401, 402, 403, 404, 429})


def says_too_long(status: int, detail: Mapping[str, Any]) -> bool:
    """Whether a refusal means that the prompt exceeds the model's context.

    Args:
        status: the HTTP status, or the one that an error within a 200 stands for.
        detail: the error object: `message`, `code`, `type`, where there are any.
    """
    if status in _OTHER_STATUSES:
        return False
    if _CODES & {_text(detail.get("code")), _text(detail.get("type"))}:
        return True
    message = _text(detail.get("message")) or _text(detail.get("detail"))
    return _SENTENCES.search(message[:_LONGEST_SENTENCE]) is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
