"""How a run comes to be: on a thread, or together with one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, not_, select

from runtime import jobs
from runtime.assistants.models import Assistant
from runtime.assistants.service import get_assistant
from runtime.assistants.tool_resources import settle_tool_resources
from runtime.db.transaction import Session
from runtime.errors import IllegalMove, RateLimited, within
from runtime.events.announce import announce
from runtime.gateway import Embedder
from runtime.ids import new_id
from runtime.projects.models import Project
from runtime.runs.ending import stop_all
from runtime.runs.models import Run, RunStatus
from runtime.runs.render import render_run
from runtime.runs.waiting import check_place, keep_messages
from runtime.threads.attachments import check_files
from runtime.threads.models import Thread
from runtime.threads.render import render_thread
from runtime.threads.service import append_message, create_thread, get_thread
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.runs import (
    BusyPolicy,
    CreateRunRequest,
    CreateThreadAndRunRequest,
    RunSettings,
)
from runtime.wire.threads import CreateThreadRequest

_BUSY_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How long a run may live, and how many may wait before more are turned away."""

    run_seconds: float
    max_queued: int
    max_queued_per_project: int


async def create_run(
    session: Session,
    project: Project,
    thread_id: str,
    body: CreateRunRequest,
    *,
    limits: RunLimits,
    embedder: Embedder,
    with_content: bool = False,
) -> Run:
    """Queue a run on a thread; behind the run that is live there, if asked to wait.

    Args:
        with_content: its streamed steps show what a file search found.

    Raises:
        NotFound: no such thread, assistant or file.
        IllegalMove: a run on the thread is live, and the body does not say to wait for
            it or to replace it.
        RateLimited: too many runs wait already.
    """
    thread = await get_thread(session, project, thread_id, lock=True)
    if thread.active_run_id is not None:
        await _meet_live_run(session, thread, body.busy_policy)
    assistant = await get_assistant(
        session, project, body.assistant_id, param="assistant_id"
    )
    messages = body.additional_messages or []
    await _take_messages(session, project, thread, messages, embedder)
    run = await _queue(session, project, thread, assistant, body, limits)
    if run.waits_for_thread:
        keep_messages(run, messages)
    if body.additional_instructions:
        together = (run.instructions, body.additional_instructions)
        run.instructions = "\n\n".join(text for text in together if text)
    if body.reasoning_effort:
        run.request = {**run.request, "reasoning_effort": body.reasoning_effort}
    if with_content:
        run.request = {**run.request, "include": True}
    return _announce_new(session, run)


async def _meet_live_run(
    session: Session, thread: Thread, policy: BusyPolicy | None
) -> None:
    match policy:
        case "queue":
            await check_place(session, thread)
        case "replace":
            await stop_all(session, thread)
        case _:
            raise IllegalMove(
                f"Thread {thread.id} already has an active run {thread.active_run_id}."
            )


async def _take_messages(
    session: Session,
    project: Project,
    thread: Thread,
    messages: Sequence[CreateMessageRequest],
    embedder: Embedder,
) -> None:
    """Put messages onto a thread; while it is busy, only see that it can be done."""
    if not messages:
        return
    now = await session.database_now()
    for index, message in enumerate(messages):
        with within(f"additional_messages[{index}]"):
            if thread.active_run_id is not None:
                await check_files(session, project, message)
            else:
                await append_message(
                    session, project, thread, message, at=now, embedder=embedder
                )


async def create_thread_and_run(
    session: Session,
    project: Project,
    body: CreateThreadAndRunRequest,
    *,
    limits: RunLimits,
    embedder: Embedder,
) -> Run:
    """Begin a thread and queue its first run, both or neither.

    Raises:
        NotFound: no such assistant, file or store.
        RateLimited: too many runs wait already.
    """
    assistant = await get_assistant(
        session, project, body.assistant_id, param="assistant_id"
    )
    with within("thread"):
        thread = await create_thread(
            session, project, body.thread or CreateThreadRequest(), embedder=embedder
        )
    run = await _queue(session, project, thread, assistant, body, limits)
    if body.tool_resources is not None:
        # Here they stand in for the assistant's, for this run alone.
        chosen = await settle_tool_resources(
            session, project, body.tool_resources, embedder=embedder
        )
        run.tool_resources = {**run.tool_resources, **chosen}
    announce(
        session, run, "thread.created", render_thread(thread).model_dump(mode="json")
    )
    return _announce_new(session, run)


async def _queue(
    session: Session,
    project: Project,
    thread: Thread,
    assistant: Assistant,
    body: RunSettings,
    limits: RunLimits,
) -> Run:
    await _check_room(session, project, limits)
    now = await session.database_now()
    is_free = thread.active_run_id is None
    tools = (
        assistant.tools
        if body.tools is None
        else [tool.model_dump(mode="json") for tool in body.tools]
    )
    run = Run(
        project_id=project.id,
        id=new_id("run"),
        thread_pk=thread.pk,
        thread_id=thread.id,
        assistant_id=assistant.id,
        model=body.model or assistant.model,
        instructions=_chosen(body.instructions, assistant.instructions) or "",
        tools=tools,
        tool_resources=assistant.tool_resources,
        request=_parameters(body, assistant),
        metadata_=body.metadata or {},
        status=RunStatus.QUEUED,
        event_seq=0,
        created_at=now,
        available_at=now,
        expires_at=now + timedelta(seconds=limits.run_seconds) if is_free else None,
        waits_for_thread=not is_free,
        run_seconds=None if is_free else limits.run_seconds,
    )
    session.add(run)
    if is_free:
        thread.active_run_id = run.id
    await session.flush()
    return run


def _chosen(asked: Any, of_assistant: Any) -> Any:
    return of_assistant if asked is None else asked


def _parameters(body: RunSettings, assistant: Assistant) -> dict[str, Any]:
    """What the engine reads and nobody searches by."""
    asked = body.model_dump(
        mode="json",
        include={
            "max_prompt_tokens",
            "max_completion_tokens",
            "truncation_strategy",
            "tool_choice",
            "parallel_tool_calls",
            "response_format",
            "temperature",
            "top_p",
        },
    )
    of_assistant = {
        "temperature": assistant.temperature,
        "top_p": assistant.top_p,
        "response_format": assistant.response_format,
        "reasoning_effort": assistant.reasoning_effort,
    }
    return of_assistant | {k: v for k, v in asked.items() if v is not None}


async def _check_room(session: Session, project: Project, limits: RunLimits) -> None:
    def waiting(limit: int, *conditions: Any) -> Any:
        some = (
            select(Run.pk)
            .where(
                Run.status == RunStatus.QUEUED, not_(Run.waits_for_thread), *conditions
            )
            .limit(limit)
            .subquery()
        )
        return select(func.count()).select_from(some).scalar_subquery()

    ours, everybodys = (
        await session.execute(
            select(
                waiting(limits.max_queued_per_project, Run.project_id == project.id),
                waiting(limits.max_queued),
            )
        )
    ).one()
    if ours >= limits.max_queued_per_project or everybodys >= limits.max_queued:
        raise RateLimited(
            "Too many runs are waiting already; please try again shortly.",
            code="rate_limit_exceeded",
            retry_after_seconds=_BUSY_RETRY_SECONDS,
        )


def _announce_new(session: Session, run: Run) -> Run:
    rendered = render_run(run).model_dump(mode="json")
    announce(session, run, "thread.run.created", rendered)
    announce(session, run, "thread.run.queued", rendered)
    if not run.waits_for_thread:
        jobs.enqueue(session, jobs.DRIVE_RUNS)
    return run
