"""The process that runs the model's code: IPython's shell, and nothing beside it.

Started by the supervisor with descriptor 3 for commands, 4 for results, and one pipe
behind both standard output and standard error. It may be frozen, interrupted or killed
at any moment, and the code it runs may do to it what it likes: the supervisor believes
nothing that it says beyond "here is a picture" and "I have finished".
"""

import base64
import contextlib
import glob
import os
import select
import shutil
import signal
import sys
import warnings
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from sandbox import protocol

_COMMANDS = 3
_RESULTS = 4
_BAKED_FONT_CACHE = "/opt/sandbox/matplotlib/*.json"

# What most code begins with, in the order of first use. Each is imported by itself, so
# that a call which arrives meanwhile waits for one package and not for all.
_PRELOADED = ("numpy", "pandas", "matplotlib.pyplot")

_images_sent = 0


def main() -> None:
    """Say that we are ready, then run one cell after another until the pipe closes."""
    own_pid = os.getpid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _be_first_to_die()
    _prepare_home()
    shell = _make_shell()
    _send({"kind": "ready"})
    reader = protocol.FrameReader()
    while data := os.read(_COMMANDS, 1 << 16):
        for command in reader.feed(data):
            if command["do"] == "preload":
                _preload()
            else:
                succeeded = _run_cell(shell, command["code"])
                if os.getpid() != own_pid:
                    # The code has forked, and a child has come to the end of the cell.
                    # It is not to answer for its parent, nor to take its commands.
                    os._exit(0)
                _send({"kind": "done", "error": not succeeded})


def _be_first_to_die() -> None:
    """When memory runs out, the kernel shall take us and leave the supervisor."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")


def _prepare_home() -> None:
    os.chdir(protocol.DATA_FOLDER)
    folder = os.environ["MPLCONFIGDIR"]
    os.makedirs(folder, exist_ok=True)
    # The image's own copy lies on a read-only disk, which matplotlib would not use.
    for path in glob.glob(_BAKED_FONT_CACHE):
        with contextlib.suppress(OSError):
            shutil.copy(path, folder)


def _make_shell() -> Any:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    config.InteractiveShell.display_page = True
    config.ProfileDir.location = "/tmp/.ipython"
    shell = _Shell.instance(config=config)
    shell.display_formatter.active_types = ["text/plain", "image/png"]
    # The code's own modules in the data folder come first, as for any script; only
    # now, so that a file called json.py there cannot break our own start.
    sys.path.insert(0, "")
    # IPython's hint after sys.exit() speaks to people at a terminal.
    warnings.filterwarnings("ignore", message="To exit: use")
    sys.dont_write_bytecode = True
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are TextIOWrapper here
    return shell


def _run_cell(shell: Any, code: str) -> bool:
    """Run one cell; everything it shows goes out by itself. True when nothing raised."""
    global _images_sent
    _images_sent = 0
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        result = shell.run_cell(code, store_history=True)
        return bool(result.success)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
        return False
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the code may have closed it
                stream.flush()


def _preload() -> None:
    for name in _PRELOADED:
        if select.select([_COMMANDS], [], [], 0)[0]:
            return
        __import__(name)


def _send(frame: protocol.Frame) -> None:
    view = memoryview(protocol.encode(frame))
    while view:
        view = view[os.write(_RESULTS, view) :]


def _send_image(data: bytes | str) -> None:
    global _images_sent
    raw = base64.b64decode(data) if isinstance(data, str) else data
    _images_sent += 1
    if _images_sent > protocol.MAX_IMAGES:
        if _images_sent == protocol.MAX_IMAGES + 1:
            print(f"[Only the first {protocol.MAX_IMAGES} images are kept.]")
    elif len(raw) > protocol.MAX_IMAGE_BYTES:
        print(f"[An image of {len(raw)} bytes is too large to be shown.]")
    else:
        _send({"kind": "image", "data": base64.b64encode(raw).decode("ascii")})


def _show(data: dict[str, Any]) -> None:
    if "image/png" in data:
        _send_image(data["image/png"])
    elif "text/plain" in data:
        print(data["text/plain"])


class _LastValue(DisplayHook):  # type: ignore[misc]  # IPython is typed only inside the image
    """Shows the value of the last expression bare, without `Out[1]:`."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], *_: Any) -> None:
        _show(format_dict)


class _Displayed(DisplayPublisher):  # type: ignore[misc]  # as above
    """What `display(...)` and the figures of a cell come to."""

    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        _show(data)


class _Shell(InteractiveShell):  # type: ignore[misc]  # as above
    displayhook_class = _LastValue
    display_pub_class = _Displayed
    # Straight to our own descriptors, so that `!command` keeps its place in the output.
    system = InteractiveShell.system_raw

    def ask_exit(self) -> None:
        print("[exit() does nothing here: the session stays open.]")


if __name__ == "__main__":
    main()
