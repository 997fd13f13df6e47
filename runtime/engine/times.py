"""The engine's times, in seconds. Defaults and reasons are in `runtime/settings.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTimes:
    """How long things may take before somebody else steps in.

    A lease outlives several heartbeats, so that one lost packet loses no run.
    """

    lease_seconds: float = 15
    heartbeat_seconds: float = 5
    sweep_seconds: float = 2
    code_seconds: float = 120
    max_attempts: int = 5
