"""What every route below `/v1` is: one that answers a key's request once."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from runtime.api.azure import take_deployment
from runtime.api.deps import unit_of
from runtime.api.idempotency import answer_once
from runtime.idempotency.service import HEADER


class Route(APIRoute):
    """A route that honours `Idempotency-Key`, whatever it does, if it is a POST."""

    @property
    def in_transaction(self) -> bool:
        """Whether all of its effect is one transaction; otherwise it waits for a model."""
        return _asks_for_unit(self.dependant)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handle
        in_transaction = self.in_transaction
        reads_body = self.body_field is not None

        async def handle_once(request: Request) -> Response:
            await take_deployment(request)
            if HEADER not in request.headers:
                return await handle(request)
            return await answer_once(
                request, handle, in_transaction=in_transaction, reads_body=reads_body
            )

        return handle_once


class Router(APIRouter):
    """The router of a file in `routes/`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)


def _asks_for_unit(dependant: Dependant) -> bool:
    return any(
        needed.call is unit_of or _asks_for_unit(needed)
        for needed in dependant.dependencies
    )
