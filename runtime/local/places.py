"""Addresses as one may show them: without the password they carry."""

from urllib.parse import parse_qsl, urlsplit


def place(url: str) -> str:
    """`scheme://host:port/path` of a URL; user, password and options left out."""
    parts = urlsplit(url)
    # What listens on a unix socket, the embedded parts do, has its place in the options.
    host = parts.hostname or dict(parse_qsl(parts.query)).get("host", "")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme.partition('+')[0]}://{host}{port}{parts.path}"
