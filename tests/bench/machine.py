"""What the figures were measured on."""

import os
import platform
from pathlib import Path
from typing import Any

_BUSY_PER_CORE = 0.25


def describe() -> dict[str, Any]:
    """Cores, memory, Python and load; `sentence` says it to a person."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    sentence = (
        f"{cores} cores ({_processor()}), {memory_gb:.0f} GB, Python "
        f"{platform.python_version()}, load {load:.1f}"
    )
    if load > _BUSY_PER_CORE * cores:
        sentence += ": this machine is BUSY, times are not to be trusted"
    return {
        "sentence": sentence,
        "cores": cores,
        "memory_gb": round(memory_gb, 1),
        "python": platform.python_version(),
        "load": load,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
