"""Making and changing a plan: tasks, edges, holds, questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import psycopg

from taskdb.errors import NotFoundError, ValidationError
from taskdb.models.dependencies import Dependency
from taskdb.models.tasks import Task
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, features, fields, tasks
from taskdb.query import checked
from taskdb.verbs.parameters import Help, Holder, Key, LongText, Priority
from taskdb.verbs.work import held, known

__all__ = ["add", "answer", "ask", "cancel", "depend", "edit", "hold", "reopen", "resume"]

Connection = psycopg.Connection[Any]

ASKED = "question: "
QUESTIONS = "questions"
EMPTIED = (
    "description",
    "agent_type",
    "assigned_agent",
    "estimated_hours",
    "requirements",
    "context",
    "file_path",
    "scheduled_at",
    "feature",
    "parent",
)

Title = Annotated[fields.Title | None, Help("One line of text.")]
Description = Annotated[fields.AnyText | None, Help("What is to be done.", long=True)]
AgentType = Annotated[fields.Name | None, Help("Only agents of this type can claim it.")]
AssignedAgent = Annotated[fields.Name | None, Help("Only this agent can claim it.")]
EstimatedHours = Annotated[fields.Hours | None, Help("Hours of work that it will take.")]
Criteria = Annotated[fields.Document | None, Help("Acceptance criteria, a JSON object.")]
Context = Annotated[fields.Document | None, Help("Knowledge for the worker, a JSON object.")]
FilePath = Annotated[fields.Text | None, Help("The place of its document.")]
ScheduledAt = Annotated[datetime | None, Help("The earliest moment of a claim.")]
Feature = Annotated[fields.Key | None, Help("The feature it belongs to.")]
Parent = Annotated[fields.Key | None, Help("The task it is a part of.")]


def _feature(conn: Connection, key: str) -> UUID:
    try:
        return features.get_by_key(conn, key).id
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no feature {key} in this workspace",
            hint="Name one that is there, or leave it out",
        ) from error


@checked
def add(
    conn: Connection,
    title: Annotated[fields.Title, Help("One line of text.")],
    *,
    key: Annotated[
        fields.Key | None, Help("Its name; without, the server makes one: T-17.")
    ] = None,
    description: Description = None,
    priority: Annotated[fields.Priority, Help("1 (most urgent) to 10.")] = 5,
    agent_type: AgentType = None,
    assigned_agent: AssignedAgent = None,
    estimated_hours: EstimatedHours = None,
    requirements: Criteria = None,
    context: Context = None,
    label: Annotated[Sequence[fields.Name], Help("A label.")] = (),
    file_path: FilePath = None,
    scheduled_at: ScheduledAt = None,
    feature: Feature = None,
    parent: Parent = None,
    after: Annotated[Sequence[fields.Key], Help("A task that it waits for.")] = (),
    agent: Holder = None,
) -> Task:
    """Add a task, with the tasks that it waits for."""
    with conn.transaction():
        made = tasks.create(
            conn,
            title=title,
            key=key,
            description=description,
            priority=priority,
            agent_type=agent_type,
            assigned_agent=assigned_agent,
            estimated_hours=estimated_hours,
            requirements=requirements,
            context=context,
            labels=list(label),
            file_path=file_path,
            scheduled_at=scheduled_at,
            feature_id=_feature(conn, feature) if feature else None,
            parent_id=known(conn, parent)[0] if parent else None,
            created_by=agent,
        )
        if not after:
            return made
        known(conn, *after)
        for blocker in dict.fromkeys(after):
            dependencies.add_dependency(conn, task=made.key, depends_on=blocker, created_by=agent)
        return tasks.get(conn, made.id)


@checked
def edit(
    conn: Connection,
    key: Key,
    *,
    title: Title = None,
    description: Description = None,
    priority: Priority = None,
    agent_type: AgentType = None,
    assigned_agent: AssignedAgent = None,
    estimated_hours: EstimatedHours = None,
    requirements: Criteria = None,
    context: Context = None,
    label: Annotated[Sequence[fields.Name], Help("A label; these replace all it has.")] = (),
    file_path: FilePath = None,
    scheduled_at: ScheduledAt = None,
    feature: Feature = None,
    parent: Parent = None,
    clear: Annotated[Sequence[str], Help("A field to empty.")] = (),
    if_version: Annotated[int | None, Help("Only if it still has this version.")] = None,
) -> Task:
    """Change what is given of a task, and nothing else."""
    known(conn, key)
    changes: dict[str, Any] = {
        "title": title,
        "description": description,
        "priority": priority,
        "agent_type": agent_type,
        "assigned_agent": assigned_agent,
        "estimated_hours": estimated_hours,
        "requirements": requirements,
        "context": context,
        "labels": list(label) or None,
        "file_path": file_path,
        "scheduled_at": scheduled_at,
        "feature": feature,
        "parent": parent,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    for name in clear:
        if name == "label":
            given["labels"] = []
        elif name in EMPTIED:
            given[name] = None
        else:
            raise ValidationError("clear", f"must be label or one of {', '.join(EMPTIED)}")
    if "feature" in given:
        named = given.pop("feature")
        given["feature_id"] = _feature(conn, named) if named else None
    if "parent" in given:
        named = given.pop("parent")
        given["parent_id"] = known(conn, named)[0] if named else None
    if not given:
        raise ValidationError("edit", "needs a field to change", hint="Give one, as --title TEXT")
    return tasks.update(conn, key, **given, if_version=if_version)


@checked
def depend(
    conn: Connection,
    key: Key,
    on: Annotated[fields.Key, Help("The task that it waits for.")],
    *,
    kind: Annotated[DependencyType, Help("What ends the wait.")] = DependencyType.REQUIRES,
    remove: Annotated[bool, Help("It no longer waits.")] = False,
    agent: Holder = None,
) -> Dependency:
    """Let a task wait for another one, or no longer."""
    known(conn, key, on)
    if remove:
        return dependencies.remove_dependency(conn, task=key, depends_on=on)
    return dependencies.add_dependency(
        conn, task=key, depends_on=on, dependency_type=kind, created_by=agent
    )


@checked
def hold(
    conn: Connection,
    key: Key,
    reason: Annotated[fields.Text, Help("Why.", long=True)],
    *,
    agent: Holder = None,
) -> Task:
    """Put a task on hold, whatever its dependencies do; a live claim of it is revoked."""
    known(conn, key)
    return tasks.update_status(
        conn, key, status=TaskStatus.BLOCKED, agent=agent, note=reason, blocked_reason=reason
    )


@checked
def resume(conn: Connection, key: Key, *, agent: Holder = None, note: LongText = None) -> Task:
    """Take a task off hold; it is offered once its dependencies are satisfied."""
    known(conn, key)
    if tasks.get_by_key(conn, key).blocked_reason is None:
        raise ValidationError("key", f"names {key}, which is not on hold")
    return tasks.update_status(conn, key, status=TaskStatus.PENDING, agent=agent, note=note)


@checked
def cancel(conn: Connection, key: Key, *, agent: Holder = None, note: LongText = None) -> Task:
    """Cancel a task that is no longer wanted; a live claim of it is revoked."""
    known(conn, key)
    return tasks.update_status(conn, key, status=TaskStatus.CANCELLED, agent=agent, note=note)


@checked
def reopen(conn: Connection, key: Key, *, agent: Holder = None, note: LongText = None) -> Task:
    """Reopen a task that is finished or in review; its attempts count from 0 again."""
    known(conn, key)
    found = tasks.get_by_key(conn, key)
    if found.status in (TaskStatus.PENDING, TaskStatus.BLOCKED, TaskStatus.IN_PROGRESS):
        raise ValidationError("key", f"names {key}, which is {found.status}, and so is open")
    return tasks.update_status(
        conn, key, status=TaskStatus.PENDING, agent=agent, note=note, force=True
    )


@checked
def ask(
    conn: Connection,
    key: Key,
    question: Annotated[fields.Text, Help("What a person has to decide.", long=True)],
    *,
    token: Annotated[fields.Token | None, Help("The token of the live claim to release.")] = None,
    agent: Holder = None,
) -> Task:
    """Put a task on hold with a question; `answer` offers it again.

    Who holds a claim of it names the token, and the claim ends as released. Without a token a
    live claim is revoked.
    """
    with conn.transaction():
        known(conn, key)
        if token is not None:
            # A repeated release answers as the first did; a heartbeat tells that the claim is live.
            with held(conn, key, token) as task_id:
                claims.heartbeat(conn, task_id=task_id, token=token)
                claims.release(conn, task_id=task_id, token=token, note=ASKED + question)
        _write_down(conn, key, {"question": question, "asked_by": agent})
        return tasks.update_status(
            conn,
            key,
            status=TaskStatus.BLOCKED,
            agent=agent,
            note=ASKED + question,
            blocked_reason=ASKED + question,
        )


@checked
def answer(
    conn: Connection,
    key: Key,
    text: Annotated[fields.Text, Help("The answer.", long=True)],
    *,
    agent: Holder = None,
) -> Task:
    """Answer the question that a task is on hold with, and take it off hold.

    Question and answer stay in the task's context, where the next brief shows them.
    """
    with conn.transaction():
        known(conn, key)
        reason = tasks.get_by_key(conn, key).blocked_reason or ""
        if not reason.startswith(ASKED):
            raise ValidationError("key", f"names {key}, which is not on hold with a question")
        _write_down(conn, key, {"answer": text, "answered_by": agent})
        return tasks.update_status(
            conn, key, status=TaskStatus.PENDING, agent=agent, note=f"answer: {text}"
        )


def _write_down(conn: Connection, key: str, words: dict[str, str | None]) -> None:
    """Add to the questions and answers in the task's context; raise if it was edited meanwhile."""
    found = tasks.get_by_key(conn, key)
    context = dict(found.context or {})
    before = context.get(QUESTIONS, [])
    if not isinstance(before, list):
        raise ValidationError("context.questions", "must be a list", hint=f"Repair {key} first")
    added = {name: value for name, value in words.items() if value is not None}
    context[QUESTIONS] = [*before, added]  # pyright: ignore[reportUnknownVariableType]
    tasks.update(conn, key, context=context, if_version=found.version)
