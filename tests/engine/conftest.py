"""Engine tests go through the front door: an API, a worker, a scripted model."""

from collections.abc import Awaitable, Callable
from functools import partial

import httpx2
import pytest

from tests.engine.quiet import bus, delivered, quiet, rows
from tests.engine.talk import Talk, begin
from tests.support.upstream import Upstream

__all__ = ["Begin", "bus", "delivered", "quiet", "rows", "talk"]

Begin = Callable[..., Awaitable[Talk]]


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    """Begins a thread with a scripted model: `await talk(says("Hi."))`."""
    return partial(begin, api, upstream)
