"""`metadata[key]=value` in a query: pairs that things must have, all of them."""

import re
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError

from runtime.errors import InvalidRequest
from runtime.wire.refusals import explain
from runtime.wire.shared import Metadata

# As the SDKs write `extra_query={"metadata": {…}}`. A key may hold brackets itself.
_PAIR = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_METADATA: TypeAdapter[dict[str, str]] = TypeAdapter(Metadata)

# FastAPI knows no parameter of this style, so that routes publish it themselves.
PUBLISHED: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "description": "Pairs as `metadata[key]=value`; all of them must match.",
            "schema": {
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": 512},
                "maxProperties": 16,
            },
        }
    ]
}


async def _metadata_filter(request: Request) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.partition("[")[0] != "metadata":
            continue
        pair = _PAIR.fullmatch(name)
        if pair is None:
            raise InvalidRequest(
                "Metadata are asked for as 'metadata[key]=value'.", param="metadata"
            )
        if pair[1] in pairs:
            raise InvalidRequest(
                f"The key '{pair[1][:64]}' is given twice, and nothing has two values.",
                param="metadata",
            )
        pairs[pair[1]] = value
    try:
        return _METADATA.validate_python(pairs)
    except ValidationError as error:
        raise explain(
            [{**fault, "loc": ("metadata", *fault["loc"])} for fault in error.errors()]
        ) from error


MetadataFilter = Annotated[dict[str, str], Depends(_metadata_filter)]
"""The pairs asked for; empty: none."""
