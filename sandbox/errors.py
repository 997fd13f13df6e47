"""How the sandbox can fail its caller.

    SandboxError
    ├── SandboxUnavailable   no engine, no image, no room: nothing was run; says what to do
    ├── SessionLost          the container asked for is gone: it cannot be known whether
    │                        the call ran, and its variables and files are gone with it
    └── FileRefused          a file cannot be put or read; says why

Code that fails, takes too long or needs too much memory is no error but an `Outcome`.
"""


class SandboxError(Exception):
    """The sandbox could not do what was asked; the message says why, in a sentence."""


class SandboxUnavailable(SandboxError):
    """No code can be run at present. The message names the remedy."""


class SessionLost(SandboxError):
    """The session's container is no longer the one that the caller knew."""


class FileRefused(SandboxError):
    """A file cannot be put into the session or read out of it."""
