"""One tool call under way: its row, its step, and how its progress is told."""

from dataclasses import dataclass
from typing import Any

from runtime.engine.claim import Claim, Interruption
from runtime.engine.engine import Engine
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

    def begin(self, kind: str, shell: dict[str, Any]) -> None:
        """Tell the followers of this call, before any change of it."""
        # Its id is told only here: they join texts of the same place, ids too.
        self._say({"id": self.call_id, "type": kind, kind: shell})

    def tell(self, kind: str, change: dict[str, Any]) -> None:
        """Tell the followers what has changed on this call."""
        self._say({"type": kind, kind: change})

    def _say(self, piece: dict[str, Any]) -> None:
        told = {"index": self.item.output_index, **piece}
        self.voice.say(
            "thread.run.step.delta",
            {
                "id": self.step_id,
                "object": "thread.run.step.delta",
                "delta": {"step_details": {"type": "tool_calls", "tool_calls": [told]}},
            },
        )
