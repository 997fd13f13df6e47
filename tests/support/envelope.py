"""What every failed request answers with."""

from typing import Any

import httpx2


def check_error(
    response: httpx2.Response,
    status: int,
    *,
    param: str | None = None,
    says: str = "",
) -> dict[str, Any]:
    """Assert status and OpenAI's envelope; the error itself, for more.

    Args:
        param: the field that is named; None: any or none.
        says: a part of the message.
    """
    assert response.status_code == status, response.text
    assert response.headers["x-request-id"]
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    if param is not None:
        assert error["param"] == param, error
    assert says in error["message"], error
    return error
