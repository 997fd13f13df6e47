"""Calls, made into requests: the ids of a test's world in place of their names."""

from typing import Any

from tests.contract import official
from tests.contract.calls import Call
from tests.contract.world import World

# Where an id in an address is not called as it is in our world.
_PATH_IDS = {"vector_store_id": "store"}


def filled(value: Any, world: World) -> Any:
    """A value with the world's ids in place of their names."""
    if isinstance(value, dict):
        return {key: filled(part, world) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, world) for part in value]
    return world[value[1:]] if isinstance(value, str) and value[:1] == "$" else value


def request_of(call: Call, world: World) -> dict[str, Any]:
    """What an HTTP client is to send for a call."""
    operation = official.operations()[call.operation]
    usual = {
        name: world[_PATH_IDS.get(name, name.removesuffix("_id"))]
        for name in operation.path_ids
    }
    request: dict[str, Any] = {
        "method": operation.verb,
        "url": operation.path.format(**{**usual, **filled(call.at, world)}),
        "params": filled(call.query, world),
    }
    if call.body is not None:
        request["json"] = filled(call.body, world)
    if call.form is not None:
        request["files"] = {k: v for k, v in call.form.items() if isinstance(v, tuple)}
        request["data"] = {k: v for k, v in call.form.items() if isinstance(v, str)}
    return request
