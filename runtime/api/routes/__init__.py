"""The list of routers. A file here with a `router` is an address of the API."""

import importlib
import pkgutil

from fastapi import APIRouter

from runtime.api.router import Router

# Outside /v1: for operators, without a key.
_OPERATORS = frozenset({"health"})


def v1_routers() -> list[APIRouter]:
    """The routers below `/v1`.

    Raises:
        TypeError: one is not a `Router`, and would not honour `Idempotency-Key`.
    """
    routers: list[APIRouter] = []
    for name in _names():
        if name not in _OPERATORS:
            router = _router(name)
            if not isinstance(router, Router):
                raise TypeError(f"routes/{name}.py: make its router a `Router`")
            routers.append(router)
    return routers


def operator_routers() -> list[APIRouter]:
    """The routers at the root."""
    return [_router(name) for name in _names() if name in _OPERATORS]


def _names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def _router(name: str) -> APIRouter:
    router: APIRouter = importlib.import_module(f"{__name__}.{name}").router
    return router
