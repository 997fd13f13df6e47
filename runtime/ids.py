"""Identifiers: opaque text with the prefix the API's users know."""

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 24  # as OpenAI's; 62**24 leaves no room for a collision


def new_id(prefix: str) -> str:
    """Mint an id: ``new_id("run")`` → ``run_`` and 24 random letters and digits.

    Files are the API's one exception: their prefix ends in a hyphen (``file-…``).
    Ids are never parsed; the prefix is for people.
    """
    separator = "-" if prefix == "file" else "_"
    random_part = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"{prefix}{separator}{random_part}"
