"""One tool call under way: its row, its step, and how its progress is told."""

from dataclasses import dataclass
from typing import Any

from runtime.engine.claim import Claim, Interruption
from runtime.engine.engine import Engine
from runtime.engine.listen import step_delta
from runtime.engine.record import Record
from runtime.engine.voice import Voice
from runtime.projects.models import Project
from runtime.runs.models import Run
from runtime.threads.models import Item

_ENDS = (Interruption.CANCELLED, Interruption.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a tool is given. `item` is a snapshot; `record` writes."""

    engine: Engine
    record: Record
    voice: Voice
    run: Run
    item: Item
    step_id: str
    claim: Claim

    def run_is_over(self) -> bool:
        """Whether the run was cancelled or has expired.

        A worker that stops, or was given up for dead, leaves the call to its successor.
        """
        why = self.claim.interruption
        return why.done() and why.result() in _ENDS

    @property
    def project(self) -> Project:
        """The run's project, as services ask for it."""
        return Project(id=self.run.project_id)

    @property
    def call_id(self) -> str:
        """Ours, unique in the project; the sandbox's key too."""
        assert self.item.call_id is not None  # every call item has one
        return self.item.call_id

    def tell(self, kind: str, change: dict[str, Any]) -> None:
        """Tell the followers what has changed on this call; they know its id."""
        told = {"index": self.item.output_index, "type": kind, kind: change}
        self.voice.say("thread.run.step.delta", step_delta(self.step_id, told))
