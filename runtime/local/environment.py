"""What programs that are not ours are told: nothing of our settings, which hold keys."""

import os

from runtime.local.leftovers import MARK

_OURS = ("ASSISTANTS_", "OPENAI_", "AWS_")


def environment_without_keys() -> dict[str, str]:
    """This process' environment without settings, ours and those of a bucket.

    The mark of an `up` stays: a leftover is found by it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name == MARK or not name.startswith(_OURS)
    }
