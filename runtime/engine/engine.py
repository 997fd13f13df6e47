"""What the engine works with: one of these in each worker process."""

from dataclasses import dataclass

from runtime.db.transaction import Database
from runtime.engine.claim import Claims
from runtime.engine.times import EngineTimes
from runtime.events.bus import Bus
from runtime.files.storage import Storage
from runtime.gateway import Gateway
from sandbox import SandboxClient


@dataclass(slots=True, kw_only=True)
class Engine:
    """The parts that drive runs, and whether this process is on its way out.

    `sandbox` is None when code is not to be run at all.
    """

    db: Database
    bus: Bus
    gateway: Gateway
    storage: Storage
    claims: Claims
    times: EngineTimes
    sandbox: SandboxClient | None
    stopping: bool = False
