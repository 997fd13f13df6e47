"""Makes the tests that Schemathesis generates known by a name each."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the operation into the id of its test.

    Schemathesis puts it into the name alone. Of tests with one id, those who spread tests
    over processes by groups keep one, and never run the others.
    """
    for item in items:
        if hasattr(item, "operation_label") and item.parent is not None:
            item._id = item.parent.id.child(item.name)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let no tests share an id, whoever generates them."""
    ids = [item.nodeid for item in session.items]
    if len(set(ids)) != len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        raise pytest.UsageError(f"Several tests are called {twice}: one would run.")
