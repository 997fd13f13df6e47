"""A whole thread in one document. Ours: OpenAI's API has nothing of the kind."""

from typing import Literal

from runtime.wire.base import UnixSeconds, WireModel
from runtime.wire.files import OpenAIFile
from runtime.wire.messages import MessageObject
from runtime.wire.runs import RunObject
from runtime.wire.steps import RunStepObject
from runtime.wire.threads import ThreadObject


class ThreadExport(WireModel):
    """A thread as it was at one moment, every part in the shape in which lists show it.

    Messages are in the thread's order, runs and steps oldest first; steps have their
    `run_id`, and show what a file search found. `files` are those that messages, steps
    and the thread's code interpreter name and that are still there, without their bytes.
    """

    object: Literal["thread.export"] = "thread.export"
    exported_at: UnixSeconds
    thread: ThreadObject
    messages: list[MessageObject]
    runs: list[RunObject]
    run_steps: list[RunStepObject]
    files: list[OpenAIFile]
