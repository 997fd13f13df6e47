"""Schemathesis reads our `/openapi.json`, and tries each operation at its edges.

Whatever it sends, the answer is one that the description foresees, in status, media type,
headers and body; and what the description forbids is refused.
"""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.properties.described import DOCUMENT

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
_TIMEOUT_SECONDS = 20
# It filters by `metadata[key]=value`. To Schemathesis a value of `null` is none of a
# text, but a query holds nothing else.
_TEXT_ONLY = "GET /v1/threads"

_described = schemathesis.openapi.from_dict(DOCUMENT)
# `/readyz` says truly that no worker is there: none is needed here.
_tried = _described.exclude(path="/readyz")


@_tried.parametrize()
@settings(
    # Beside these, its own list of edges: some forty a body.
    max_examples=3,
    # The same requests every time: no build fails by chance.
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_an_operation_is_as_it_is_described(
    case: schemathesis.Case[Any], api_url: str, key: str
) -> None:
    # The few keys it tries would soon stand for other requests; they have tests of
    # their own.
    case.headers.pop("Idempotency-Key", None)
    case.call_and_validate(
        base_url=api_url,
        headers={"authorization": f"Bearer {key}"},
        checks=_CHECKS,
        excluded_checks=[negative_data_rejection]
        if case.operation.label == _TEXT_ONLY
        else [],
        timeout=_TIMEOUT_SECONDS,
    )
