"""What is counted and how: percentiles of samples, and the memory of a process tree."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.local.processes import all_pids, find_stat

_KIB_PER_MB = 1_000_000 / 1024


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, int(rank) - 1)]


def median(samples: Sequence[float]) -> float:
    """The sample in the middle."""
    return percentile(samples, 50)


@dataclass(frozen=True, slots=True)
class Share:
    """The memory of some processes that belong together, in MB (10⁶ bytes).

    Attributes:
        pss: their proportional set size: a page of n processes counts 1/n for each, so
            that sums are true.
        private: pages that nobody else has; what ending them would give back.
    """

    name: str
    processes: int
    pss: float
    private: float


def tree(root: int) -> dict[int, int]:
    """A process and all its descendants: pid → parent."""
    stats = ((pid, find_stat(pid)) for pid in all_pids())
    parents = {pid: stat.parent for pid, stat in stats if stat is not None}
    inside = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in inside} - inside
        if not more:
            return {pid: parents.get(pid, 0) for pid in inside}
        inside |= more


def memory_of_tree(root: int, names: Mapping[int, str]) -> list[Share]:
    """The memory of a tree, by name; largest first.

    Args:
        root: its first process.
        names: what some of its processes are called. Who has no name goes by the name of
            the nearest ancestor that has one.
    """
    parents = tree(root)
    groups: dict[str, list[tuple[float, float]]] = {}
    for pid in parents:
        at = pid
        while at not in names and at in parents:
            at = parents[at]
        found = _read(pid)
        if found is not None:
            groups.setdefault(names.get(at, "?"), []).append(found)
    shares = [_share(name, found) for name, found in groups.items()]
    return sorted(shares, key=lambda share: -share.pss)


def memory_of(name: str, pids: Sequence[int]) -> Share:
    """The memory of these processes together."""
    return _share(name, [found for pid in pids if (found := _read(pid)) is not None])


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes, and their children that have ended, have computed so far."""
    return sum(_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    # utime, stime, cutime, cstime: fields 14 to 17, of which two are cut off.
    return sum(int(field) for field in fields[11:15])


def _share(name: str, found: Sequence[tuple[float, float]]) -> Share:
    return Share(name, len(found), sum(f[0] for f in found), sum(f[1] for f in found))


def _read(pid: int) -> tuple[float, float] | None:
    """(PSS, private) in MB; None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    sizes = {
        name: int(size) / _KIB_PER_MB
        for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)
    }
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]
