"""`Idempotency-Key`: a POST that is sent again gets the answer it was given.

Most POSTs have one transaction: their key is claimed where it begins (`deps.py`), and the
answer is put beside it before it commits. So effect and answer are kept together or not
at all. A POST that waits for a model holds no transaction meanwhile, and has two short
ones around the wait.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import asdict

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from runtime.api.fingerprint import fingerprint_of
from runtime.api.sse import RunStream, StreamPlace, stream_again
from runtime.db import Database, Session
from runtime.errors import ApiError, InvalidRequest, Unavailable
from runtime.idempotency import service
from runtime.idempotency.service import HEADER, Answer, Asked
from runtime.resources import Resources
from runtime.runs.service import get_run

Handler = Callable[[Request], Awaitable[Response]]
_Chunk = str | bytes | memoryview

_REPLAYED = "idempotency-replayed"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# Vectors for a large batch of texts: made again rather than kept.
_LARGEST_ANSWER_BYTES = 8 * 1024 * 1024
# With this, every stream of the API says that it is whole.
_STREAM_END = "data: [DONE]\n\n"


class Replay(Exception):
    """This request was answered before: undo what has begun, and say it again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("this request was answered before")
        self.answer = answer


class Keyed:
    """A request with a key, and the transaction that claimed it, once it has begun."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.session: Session | None = None

    async def claim(self, session: Session) -> None:
        """Claim the key at the start of the request's transaction.

        Raises:
            Replay: the request was answered before.
            InvalidRequest: the key stands for another request.
            KeyInUse: a twin is at work, and takes too long.
        """
        _replay_if(await service.claim(session, self.asked))
        self.session = session


def keyed(request: Request) -> Keyed | None:
    """The key that came with this request, for its transaction to claim."""
    found: Keyed | None = getattr(request.state, "keyed", None)
    return found


async def answer_once(
    request: Request, handle: Handler, *, in_transaction: bool, reads_body: bool
) -> Response:
    """Answer a request that came with a key, or say again what it was answered.

    Args:
        handle: does what is asked, and raises what fails.
        in_transaction: it does so in one transaction, which claims the key; otherwise
            it may take its time.
        reads_body: FastAPI reads the body, as JSON; otherwise the route does.

    Raises:
        Replay: the request was answered before.
        InvalidRequest: the key is none, or stands for another request.
        KeyInUse: a twin is at work, and takes too long.
    """
    resources: Resources = request.app.state.resources
    key = _key_of(request)
    try:
        asked = Asked(
            project_id=request.state.project.id,
            key=key,
            fingerprint=await fingerprint_of(request, reads_body=reads_body),
        )
        if in_transaction:
            return await _in_transaction(resources.db, request, handle, asked)
        return await _around(resources.db, request, handle, asked)
    finally:
        # A form that was read for its fingerprint, and whose route was never reached.
        await request.close()


async def replay(request: Request, error: Exception) -> Response:
    """What FastAPI calls for a `Replay`, when everything of the request is undone."""
    assert isinstance(error, Replay)  # it is installed for nothing else
    answer = error.answer
    if answer.stream is None:
        response = Response(answer.body, answer.status)
        if answer.media_type is not None:
            response.headers["content-type"] = answer.media_type
    else:
        response = await _stream_again(request, StreamPlace(**answer.stream))
    response.headers[_REPLAYED] = "true"
    return response


def _key_of(request: Request) -> str:
    sent = request.headers.getlist(HEADER)
    if len(sent) != 1 or not _KEY.fullmatch(sent[0]):
        raise InvalidRequest(
            f"An {HEADER} is one header of 1 to 255 printable ASCII characters.",
            param=HEADER,
            code="invalid_idempotency_key",
        )
    return sent[0]


def _replay_if(answer: Answer | None) -> None:
    if answer is not None:
        raise Replay(answer)


async def _in_transaction(
    db: Database, request: Request, handle: Handler, asked: Asked
) -> Response:
    # Before anything is stored in vain. What counts is the claim.
    await _look(db, asked)
    request.state.keyed = Keyed(asked)
    try:
        response = await handle(request)
    except ApiError:
        if request.state.keyed.session is None:
            # Refused before its transaction began: perhaps because a twin was quicker.
            await _look(db, asked)
        raise
    session = request.state.keyed.session
    assert session is not None  # `in_transaction` said so
    await service.keep(session, asked, _answer_of(response))
    return response


async def _look(db: Database, asked: Asked) -> None:
    async with db.transaction() as session:
        _replay_if(await service.find_answer(session, asked))


async def _around(
    db: Database, request: Request, handle: Handler, asked: Asked
) -> Response:
    _replay_if(await service.claim_patiently(db, asked))
    try:
        response = await handle(request)
    except BaseException:
        await asyncio.shield(_release(db, asked))
        raise
    if isinstance(response, StreamingResponse):
        return _KeptStream(db, asked, response)
    await _keep(db, asked, _answer_of(response))
    return response


class _KeptStream(StreamingResponse):
    """A stream that is kept once it is whole; what breaks off may be tried again."""

    def __init__(self, db: Database, asked: Asked, stream: StreamingResponse) -> None:
        super().__init__(
            self._passed_on(stream.body_iterator), stream.status_code, stream.headers
        )
        self._db, self._asked = db, asked
        self._is_kept = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Here and not in the iterator: of who has hung up before the first chunk,
            # the stream may never begin.
            if not self._is_kept:
                await asyncio.shield(_release(self._db, self._asked))

    async def _passed_on(self, chunks: AsyncIterable[_Chunk]) -> AsyncIterator[_Chunk]:
        told = bytearray()
        async for chunk in chunks:
            if len(told) <= _LARGEST_ANSWER_BYTES:
                told.extend(chunk.encode() if isinstance(chunk, str) else chunk)
            if chunk == _STREAM_END:
                # In front of the last word: who has heard it may ask again at once.
                media_type = self.headers["content-type"]
                answer = Answer(self.status_code, media_type, bytes(told))
                await _keep(self._db, self._asked, answer)
                self._is_kept = True
            yield chunk


async def _keep(db: Database, asked: Asked, answer: Answer) -> None:
    if len(answer.body or b"") > _LARGEST_ANSWER_BYTES:
        await _release(db, asked)
        return
    # An answer that took a model's time is given, whether or not it can be kept.
    with contextlib.suppress(Unavailable):
        async with db.transaction() as session:
            await service.keep(session, asked, answer)


async def _release(db: Database, asked: Asked) -> None:
    # What cannot be let go has a lease.
    with contextlib.suppress(Unavailable):
        async with db.transaction() as session:
            await service.release(session, asked)


def _answer_of(response: Response) -> Answer:
    if isinstance(response, RunStream):
        return Answer(response.status_code, stream=asdict(response.place))
    return Answer(
        response.status_code, response.headers.get("content-type"), bytes(response.body)
    )


async def _stream_again(request: Request, place: StreamPlace) -> RunStream:
    resources: Resources = request.app.state.resources
    async with resources.db.transaction() as session:
        run = await get_run(
            session, request.state.project, place.thread_id, place.run_id
        )
    return stream_again(resources.db, resources.bus, run, place)
