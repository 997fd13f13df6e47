"""What cannot be read as HTTP is refused in the envelope, too.

Such bytes never become a request, so no route or middleware of ours sees them: a space
in an address, an address beyond 64 KB, two lengths of one body. Uvicorn would answer in
plain text.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.api.errors import render_error
from runtime.errors import InvalidRequest
from runtime.ids import new_id

_WORDS = (
    "This cannot be read as an HTTP request: its address or a header holds what it must "
    "not or is too long, or the body's length is told wrongly."
)


class Protocol(HttpToolsProtocol):
    """Uvicorn's own, but for the words of its one refusal."""

    def send_400_response(self, msg: str) -> None:
        refusal = render_error(
            InvalidRequest(_WORDS),
            {"connection": "close", "x-request-id": new_id("req")},
        )
        lines = [b"HTTP/1.1 400 Bad Request"]
        lines += [name + b": " + value for name, value in refusal.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(refusal.body)]))
        self.transport.close()
