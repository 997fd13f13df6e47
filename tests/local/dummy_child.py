"""A small program under the dummy supervisor; what it does is its second argument.

serve       wait for a signal, then end
stubborn    ignore every signal but SIGKILL
crash       end at once with status 3, before having started
die         end with status 3 as soon as it has started
parent      start a child in the same group and one in a session of its own, then serve
hello       say something and end with status 0

Starts and stops are written to `<data dir>/journal`, in order.
"""

import os
import signal
import sys
import time


def main() -> None:
    name, does, data_dir = sys.argv[1:]

    def note(event: str) -> None:
        with open(f"{data_dir}/journal", "a") as journal:
            journal.write(f"{event} {name} {time.monotonic()}\n")

    def end(number: int, frame: object) -> None:
        note("stop")
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if does == "stubborn" else end)
    if does != "crash":
        note("start")
    print(f"{name} says hello", flush=True)
    if does in ("crash", "die"):
        sys.exit(3)
    if does == "hello":
        sys.exit(0)
    if does == "parent":
        _have_children()
    while True:
        signal.pause()


def _have_children() -> None:
    for own_session in (False, True):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if own_session:
                os.setsid()
            while True:
                signal.pause()


main()
