"""Every benchmark, from real processes, each figure beside its floor; tables out.

    python -m tests.bench [NAME…] [--quick] [--json FILE] [--rag FOLDER]

Each benchmark starts what it needs on a scratch directory and stops it again. The
machine should have nothing else to do: the load at the start is printed.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import structlog
import uvloop
from rich.console import Console

from tests.bench import crowd, events, memory, one_run, requests, search, start
from tests.bench.machine import describe
from tests.bench.rag import FOLDER
from tests.bench.report import Report
from tests.bench.setting import Benchmark, Setting

_PIPE_COLUMNS = 110

# In this order: what this process has loaded by then counts in nobody's memory.
BENCHMARKS: dict[str, Benchmark] = {
    "start": start.measure,
    "memory": memory.measure,
    "run": one_run.measure,
    "crowd": crowd.measure,
    "requests": requests.measure,
    "events": events.measure,
    "search": search.measure,
}


def main() -> int:
    """Run the benchmarks named, or all; status 1 when one could not be run."""
    options = _options()
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the SDK's own
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    # In a pipe, too, a row should fit on a line.
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    machine = describe()
    console.print(machine["sentence"], markup=False)
    found: dict[str, Any] = {}
    failed = []
    for name in options.names or BENCHMARKS:
        began = time.monotonic()
        with console.status(f"{name} …"):
            try:
                report = _run(BENCHMARKS[name], options)
            except Exception:  # noqa: BLE001 - the others are still to be measured
                failed.append(name)
                console.print_exception(width=100)
                continue
        report.show(console)
        console.print(f"({time.monotonic() - began:.0f} s)", style="dim")
        found[name] = report.as_json()
    if options.json is not None:
        text = json.dumps({"machine": machine, "benchmarks": found}, indent=2)
        options.json.write_text(text + "\n")
    if failed:
        console.print(f"\nNot measured: {', '.join(failed)}", style="bold red")
    return 1 if failed else 0


def _run(benchmark: Benchmark, options: argparse.Namespace) -> Report:
    # Not below a long TMPDIR: sockets live here, and their addresses are short.
    with tempfile.TemporaryDirectory(
        prefix="assistants-bench-", ignore_cleanup_errors=True
    ) as scratch:
        setting = Setting(Path(scratch), options.quick, options.rag)
        return uvloop.run(_measure(benchmark, setting))


async def _measure(benchmark: Benchmark, setting: Setting) -> Report:
    return await benchmark(setting)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which: {', '.join(BENCHMARKS)} (default: all)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few samples: does it work at all"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures there, too"
    )
    parser.add_argument(
        "--rag",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help="docs/ and questions.jsonl of the search benchmark",
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
