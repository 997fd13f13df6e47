"""How long a user waits: from the command to ready, and from Ctrl-C to nothing left."""

import subprocess
import sys
import time

from runtime.local import postgres
from runtime.local.stack import cluster
from tests.bench.measure import median
from tests.bench.report import Report
from tests.bench.setting import Setting
from tests.support.stack import ROOT

_SECOND_START_SECONDS = 5
_STOP_SECONDS = 10

# What the slowest of the processes started side by side has to load.
_LARGEST_IMPORT = "import runtime.worker.app, runtime.worker.process"


async def measure(setting: Setting) -> Report:
    """Start on an empty directory, again and again on the same, stop each time."""
    report = Report(
        "Start and stop of `assistants up`, with the sandbox",
        floor="Postgres alone, started and stopped, and for the start the imports of "
        "one worker after it.",
    )
    starts, stops = [], []
    for _ in range(1 + setting.times(5, 2)):
        up = setting.up(sandbox=True)
        with up:
            starts.append(up.seconds_to_ready)
            stops.append(up.stop())
    first, *later = starts
    postgres_starts, postgres_stops = [], []
    for _ in range(3):
        started, stopped = _postgres_alone(setting)
        postgres_starts.append(started)
        postgres_stops.append(stopped)
    imports = median([_imports() for _ in range(3)])
    floor = median(postgres_starts) + imports
    report.add("first start, empty data directory", first, "s")
    report.add(
        "second start (median)",
        median(later),
        "s",
        floor=floor,
        target=_SECOND_START_SECONDS,
    )
    report.add("second start (slowest)", max(later), "s", floor=floor)
    report.add(
        "Ctrl-C until all are gone (slowest)",
        max(stops),
        "s",
        floor=median(postgres_stops),
        target=_STOP_SECONDS,
    )
    report.notes.append(
        "Ready: the words are on the screen; up to 1 s of it waits to know whether "
        "code can be run."
    )
    return report


def _postgres_alone(setting: Setting) -> tuple[float, float]:
    embedded = cluster(setting.up().settings)
    began = time.monotonic()
    with postgres.running(embedded):
        started = time.monotonic() - began
        began = time.monotonic()
    return started, time.monotonic() - began


def _imports() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _LARGEST_IMPORT], check=True, cwd=ROOT)
    return time.monotonic() - began
