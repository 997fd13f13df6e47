"""structlog for us, and everybody else's log lines in the same form.

Lines are events with fields, never message text, prompts, keys or file contents.
"""

import logging
import sys
from typing import Literal

import structlog

_QUIET = (
    "aiohttp.access",
    "amqp",
    # One line a nudge: what a run does is told by the engine.
    "celery.app.trace",
    "celery.worker.strategy",
    "httpx2",
    "kombu",
    "openai",
)


def configure_logging(
    level: str = "info", style: Literal["auto", "json", "text"] = "auto"
) -> None:
    """Send all logs of this process to stderr.

    Args:
        level: the least that is logged.
        style: `text` for people, `json` for machines; `auto` asks the terminal.
    """
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
