"""After a worker was lost: what it had said and not stored is shown as abandoned.

Followers have heard half an answer under one message id. The new attempt begins another
message, so the old one must be closed first; else a follower would hold 144 tokens of a
100-token answer.
"""

from runtime.engine.claim import Claim
from runtime.engine.leftovers import leftover_of
from runtime.engine.record import Record
from runtime.events.bus import Bus


async def abandon_leftovers(bus: Bus, record: Record, claim: Claim) -> None:
    """Close what the lost worker left open, as far as Redis still knows of it."""
    turn = await leftover_of(bus, claim.run)
    if turn is not None:
        await record.abandon(turn)
