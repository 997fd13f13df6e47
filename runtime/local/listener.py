"""The port of the API, taken by the supervisor and inherited by the API's processes.

So a taken port is known before anything starts, port 0 works, several processes share one
port, and callers wait instead of being refused while an API process is restarted.
"""

import errno
import socket

from runtime.local.failure import CannotStart


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one.

    Raises:
        CannotStart: the port is taken, not allowed, or the address not one of ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotStart(_sentence(host, port, error)) from None


def inherit(descriptor: int) -> socket.socket:
    """The listening socket that the supervisor passed on."""
    return socket.socket(fileno=descriptor)


def base_url(listener: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = address(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def address(listener: socket.socket) -> tuple[str, int]:
    """Host and port to reach it at; "every address" is reached at the loopback one."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. "
            "Stop that one, or set ASSISTANTS_PORT to another port."
        )
    if error.errno == errno.EACCES:
        return (
            f"This user may not listen on port {port}. Set ASSISTANTS_PORT above 1023."
        )
    return (
        f"Cannot listen on {host}: {error.strerror or error}. "
        "Set ASSISTANTS_HOST to an address of this machine."
    )
