"""Addresses as one may show them: without the password they carry."""

from urllib.parse import urlsplit


def place(url: str) -> str:
    """`scheme://host:port/path` of a URL; user, password and options left out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme.partition('+')[0]}://{host}{port}{parts.path}"
