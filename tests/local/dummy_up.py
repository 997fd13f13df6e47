"""A supervisor with small programs instead of the real ones.

    python -m tests.local.dummy_up LIFELINE DATA_DIR PLAN

PLAN is JSON: a list of stages, each a list of objects {name, does, once, needed, outlives}; `does`
is given to `dummy_child`.
"""

import asyncio
import json
import sys
from pathlib import Path

from runtime.local.children import Program
from runtime.local.data_dir import locked
from runtime.local.failure import CannotStart
from runtime.local.leftovers import end_leftovers
from runtime.local.logs import say
from runtime.local.processes import adopt_orphans, end_children
from runtime.local.supervisor import Supervisor
from runtime.settings import Settings

_CHILD = Path(__file__).with_name("dummy_child.py")


def _program(data_dir: Path, name: str, does: str, **more: object) -> Program:
    argv = [sys.executable, "-I", "-S", str(_CHILD), name, does, str(data_dir)]
    journal = data_dir / "journal"

    async def has_started(pid: int) -> bool:
        return journal.exists() and f"start {name} " in journal.read_text()

    return Program(
        name=name,
        argv=argv,
        is_ready=has_started,
        needed=bool(more.get("needed", True)),
        once=bool(more.get("once")),
        outlives=int(str(more.get("outlives", 0))),
    )


async def _ready() -> None:
    say("ready")


def main() -> int:
    adopt_orphans()
    lifeline, directory, plan = sys.argv[1:]
    data_dir = Path(directory)
    stages = [
        [_program(data_dir, **each) for each in stage] for stage in json.loads(plan)
    ]
    settings = Settings(data_dir=data_dir)
    try:
        with locked(settings, say) as lock:
            say(f"ended {end_leftovers(settings)} leftovers")
            running = Supervisor(settings).run(
                stages, then=_ready, at_stop=lock.say_stopping, lifeline=int(lifeline)
            )
            try:
                asyncio.run(running)
            finally:
                end_children(patience_seconds=0)
    except CannotStart as failure:
        say(f"cannot start: {failure}")
        return 1
    say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
