"""How soon to ask again: the SDK's polling helpers obey `openai-poll-after-ms`."""

from datetime import datetime

from fastapi import Response

from runtime.clock import now

# Most things are done at once or take long: (older than so many seconds, ask after ms).
_PACES = ((30.0, 1000), (5.0, 500), (1.0, 200))
_FIRST_PACE = 50


def poll_soon(response: Response, since: datetime) -> None:
    """Tell a poller of something unfinished when to come back.

    Args:
        since: when the work began; young work is asked for often, old work seldom.
    """
    age_seconds = (now() - since).total_seconds()
    pace = next((ms for older, ms in _PACES if age_seconds > older), _FIRST_PACE)
    response.headers["openai-poll-after-ms"] = str(pace)
