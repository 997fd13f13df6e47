"""Which tool answers which call."""

from collections.abc import Awaitable, Callable

from runtime.engine.tools.call import Call
from runtime.engine.tools.code_interpreter import run_code
from runtime.engine.tools.file_search import search_files
from runtime.threads.models import ItemType

# Not here: the caller's own functions, which the caller answers.
ANSWERERS: dict[ItemType, Callable[[Call], Awaitable[None]]] = {
    ItemType.CODE_INTERPRETER_CALL: run_code,
    ItemType.FILE_SEARCH_CALL: search_files,
}
