"""What every benchmark is given: where to put things, and how thorough to be."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Report
from tests.bench.up import Up


@dataclass(frozen=True, slots=True)
class Setting:
    """One benchmark's surroundings.

    Attributes:
        scratch: an empty directory, removed afterwards.
        quick: few samples: whether it works, not what it takes.
        rag_folder: documents and questions for the search benchmark; may not be there.
    """

    scratch: Path
    quick: bool
    rag_folder: Path

    def up(
        self,
        *,
        upstream_url: str | None = None,
        sandbox: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Up:
        """An `assistants up` on this benchmark's data directory; see `Up`."""
        return Up(
            self.scratch / "data",
            upstream_url=upstream_url,
            sandbox=sandbox,
            environment=environment,
        )

    def times(self, thorough: int, quick: int) -> int:
        """How often to do something."""
        return quick if self.quick else thorough


Benchmark = Callable[[Setting], Awaitable[Report]]
