"""Tokens, estimated where nobody counted them.

A token is taken for four characters, OpenAI's own rule of thumb for English
(help.openai.com, "What are tokens and how to count them?"). Pictures count nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

_CHARACTERS_PER_TOKEN = 4


def estimate_tokens(characters: int) -> int:
    """Tokens in that many characters, rounded up."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Estimated tokens of a chat completion request: its messages and its tools."""
    characters = sum(_characters(message) for message in body.get("messages") or ())
    tools = body.get("tools")
    if tools:
        characters += len(json.dumps(tools))
    return estimate_tokens(characters)


def _characters(message: object) -> int:
    if not isinstance(message, dict):
        return 0
    content, calls = message.get("content"), message.get("tool_calls")
    total = len(json.dumps(calls)) if calls else 0
    if isinstance(content, str):
        return total + len(content)
    parts = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return total + sum(len(text) for text in texts if isinstance(text, str))
