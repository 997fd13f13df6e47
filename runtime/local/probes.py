"""Does it answer? Small questions to a port or a socket, on the event loop."""

import asyncio
from contextlib import suppress
from pathlib import Path


async def http_status(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and body of a GET; (0, reason) when nobody answers within two seconds."""
    try:
        async with asyncio.timeout(2):
            return await _get(host, port, path)
    except (OSError, TimeoutError, ValueError) as error:
        return 0, str(error) or type(error).__name__


async def unix_socket_answers(path: Path) -> bool:
    """Whether somebody listens on this unix socket."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        return True
    return False


async def _get(host: str, port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode(errors="replace")
    except IndexError:
        return 0, "no answer"
    finally:
        writer.close()
