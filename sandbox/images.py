"""What the sandbox's images are called, and why that changes with what is in them.

An image's tag is the hash of its inputs. So a manager never runs a guest of another
version than its own, building again is a no-op until something changes, and an old image
stays usable for an old checkout.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

DEFAULT_BASE = "python:3.12-slim"
REPOSITORY = "assistants-sandbox"

HERE = Path(__file__).parent


def guest_files() -> list[str]:
    """Our own files inside the image, relative to this package."""
    guest = sorted(f"guest/{path.name}" for path in HERE.glob("guest/*.py"))
    return ["protocol.py", *guest]


def packages_image(base_image: str | None = None) -> str:
    """The lower half: a base with the pinned packages."""
    inputs = ["image/packages.Dockerfile", "image/requirements.txt"]
    return f"{REPOSITORY}-packages:{_digest(base_image or DEFAULT_BASE, inputs)}"


def image_name(base_image: str | None = None) -> str:
    """The whole: our guest upon those packages."""
    inputs = ["image/Dockerfile", *guest_files()]
    return f"{REPOSITORY}:{_digest(packages_image(base_image), inputs)}"


def _digest(below: str, inputs: Iterable[str]) -> str:
    digest = hashlib.sha256(below.encode())
    for name in inputs:
        digest.update(f"\0{name}\0".encode() + (HERE / name).read_bytes())
    return digest.hexdigest()[:16]
