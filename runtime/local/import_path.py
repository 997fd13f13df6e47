"""How a child finds the same `runtime` as its parent, installed or not."""

import os


def import_path() -> dict[str, str]:
    """The environment variable to hand on."""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([ours, inherited] if inherited else [ours])}
