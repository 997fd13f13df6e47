"""What a run does first that had to wait for its thread: its messages join the thread.

They were kept with the run, so that the run before it read none of them. They join here
and not where that one ended: what has become of their files meanwhile is the trouble of
this run alone.
"""

from runtime.db.transaction import Database
from runtime.engine.claim import Claim
from runtime.engine.patience import patiently
from runtime.errors import InvalidRequest, NotFound
from runtime.gateway import Embedder
from runtime.projects.models import Project
from runtime.runs.waiting import has_messages, take_messages
from runtime.threads.service import append_message


class MessagesRefused(Exception):
    """The thread cannot take a message that the run brings; `message` says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def bring_messages(db: Database, claim: Claim, *, embedder: Embedder) -> None:
    """Put what a run brings onto its thread, all of it or nothing, once.

    Raises:
        MessagesRefused: a file of theirs is gone, or the thread holds too many.
        ClaimLost: the run is somebody else's, or has ended.
    """
    if not has_messages(claim.run):
        return

    async def once() -> None:
        async with claim.shown(db) as shown:
            project = Project(id=shown.run.project_id)
            # Taken out of the row they stand in: a commit whose answer was lost is
            # not repeated.
            for message in take_messages(shown.run):
                await append_message(
                    shown.session,
                    project,
                    shown.thread,
                    message,
                    at=shown.now,
                    embedder=embedder,
                )

    try:
        await patiently(once)
    except (InvalidRequest, NotFound) as refused:
        raise MessagesRefused(refused.message) from refused
