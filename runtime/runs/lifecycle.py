"""What a run may become. The only place that writes `Run.status`.

                    ┌────────────── submit_tool_outputs ───────────────┐
                    ▼                                                  │
    (created) → queued → in_progress → requires_action ────────────────┤
                  │ ▲        │  │                                      │
                  │ └ hand-  │  ├→ completed · failed · incomplete     ├→ cancelled
                  │   back   │  └→ cancelling → cancelled              └→ expired
                  └──────────┴─────→ cancelled · failed · expired

A trigger in the database holds the same table of moves (`migrations/`): whatever writes
to it, a run that has ended stays ended.
"""

from datetime import datetime

from runtime.errors import IllegalMove
from runtime.runs.models import Run, RunStatus

_S = RunStatus

MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.IN_PROGRESS, _S.CANCELLED, _S.FAILED, _S.EXPIRED}),
    _S.IN_PROGRESS: frozenset(
        {
            _S.QUEUED,  # handed back by a worker that stops
            _S.REQUIRES_ACTION,
            _S.CANCELLING,
            _S.COMPLETED,
            _S.FAILED,
            _S.INCOMPLETE,
            _S.EXPIRED,
        }
    ),
    _S.REQUIRES_ACTION: frozenset({_S.QUEUED, _S.CANCELLED, _S.EXPIRED}),
    _S.CANCELLING: frozenset(
        # The final write may win against the cancel.
        {_S.CANCELLED, _S.COMPLETED, _S.FAILED, _S.INCOMPLETE, _S.EXPIRED}
    ),
    _S.CANCELLED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.INCOMPLETE: frozenset(),
    _S.EXPIRED: frozenset(),
}

LIVE = frozenset(status for status, moves in MOVES.items() if moves)
ENDED = frozenset(MOVES) - LIVE


def move(run: Run, to: RunStatus, at: datetime) -> None:
    """Make `run` be `to`, and keep what belongs to it true: claim, times.

    Args:
        run: locked by the caller.
        to: where it goes.
        at: this moment by the database's clock.

    Raises:
        IllegalMove: from where it is, it cannot go there.
    """
    if to not in MOVES[run.status]:
        raise IllegalMove(f"Run '{run.id}' is {run.status} and cannot become {to}.")
    run.status = to
    # It was let in before this, or it ends without having been.
    run.waits_for_thread = False
    if to is _S.IN_PROGRESS:
        run.started_at = run.started_at or at
    if to is _S.CANCELLING:
        run.cancel_requested_at = at
    if to not in (_S.IN_PROGRESS, _S.CANCELLING):
        # Nobody works on it from here on.
        run.lease_owner = run.lease_expires_at = None
    if to in ENDED:
        run.ended_at = at
