"""Runs untrusted Python in containers. Workers need only what is named here."""

from sandbox.client import SandboxClient
from sandbox.errors import (
    FileRefused,
    SandboxError,
    SandboxUnavailable,
    SessionLost,
)
from sandbox.outcome import Health, Image, Outcome, ProducedFile, Session
from sandbox.protocol import safe_name

__all__ = [
    "FileRefused",
    "Health",
    "Image",
    "Outcome",
    "ProducedFile",
    "SandboxClient",
    "SandboxError",
    "SandboxUnavailable",
    "Session",
    "SessionLost",
    "safe_name",
]
