"""Models: what `/v1/models` lists."""

from typing import Literal

from pydantic import ConfigDict

from runtime.wire.base import UnixSeconds, WireModel


class Model(WireModel):
    """A model one may name. Upstreams add fields of their own; they are kept."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["model"] = "model"
    created: UnixSeconds = 0
    owned_by: str = ""


class ListModelsResponse(WireModel):
    """Every model one may name."""

    object: Literal["list"] = "list"
    data: list[Model]
