"""A key checked and nothing held: for routes that wait on a model, or move bytes."""

from typing import Annotated

from fastapi import Depends

from runtime.api.deps import ResourcesDep, bearer_secret
from runtime.projects.models import Project
from runtime.projects.service import authenticate


async def _check_key(
    resources: ResourcesDep, secret: Annotated[str, Depends(bearer_secret)]
) -> Project:
    # A transaction of its own, over before the model is asked or the first byte is
    # read: the request's would keep a database connection for as long as that takes.
    async with resources.db.transaction() as session:
        return await authenticate(session, secret)


Authorized = Depends(_check_key)
"""For `dependencies=[Authorized]`: 401 unless the request has a key of ours."""

Caller = Annotated[Project, Authorized]
"""As `CurrentProject`, without the request's transaction."""
