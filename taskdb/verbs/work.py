"""The work of an agent at a task: from the claim to its end."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import psycopg

from taskdb.errors import ClaimLostError, NotFoundError
from taskdb.models.claims import Claim, ClaimEnd
from taskdb.queries import claims, fields, tasks
from taskdb.queries.claims import DEFAULT_LEASE
from taskdb.query import UNSET, checked
from taskdb.verbs.parameters import Agent, Help, Key, Lease, LongText, Token

__all__ = ["claim", "complete", "fail", "heartbeat", "held", "known", "release", "submit"]

Connection = psycopg.Connection[Any]


def known(conn: Connection, *keys: str) -> list[UUID]:
    """Return the ids of tasks in the order of their keys; raise NotFoundError if one is missing."""
    ids = {row.key: row.id for row in tasks.ids_by_key(conn, keys=list(keys))}
    missing = [key for key in keys if key not in ids]
    if missing:
        raise NotFoundError(
            f"There is no task {', '.join(missing)} in this workspace",
            hint="`taskdb search WORDS` finds what is there, --workspace NAME looks elsewhere",
        )
    return [ids[key] for key in keys]


@contextmanager
def held(conn: Connection, key: str, token: int) -> Generator[UUID]:
    """Yield the id of a task; if the block finds the claim lost, say so by key and token."""
    [task_id] = known(conn, key)
    try:
        yield task_id
    except ClaimLostError as error:
        raise ClaimLostError(f"The claim of {key} with token {token} is no longer live") from error


@checked
def claim(
    conn: Connection,
    key: Annotated[
        fields.Key | None, Help("The task to claim; without, the most urgent one.")
    ] = None,
    *,
    agent: Agent,
    agent_type: Annotated[
        fields.Name | None, Help("Only tasks for agents of this type, or of none.")
    ] = (None),
    lease: Lease = DEFAULT_LEASE,
) -> Claim | None:
    """Claim a task to work at it: the most urgent one that is ready, or the one with this key.

    Keep the key and the token of the answer: heartbeat, complete, submit, fail, release and ask
    name them. An empty answer means that nothing can be claimed now.
    """
    if key is None:
        return claims.claim_next(conn, agent=agent, agent_type=agent_type, lease=lease)
    known(conn, key)
    return claims.claim(conn, key=key, agent=agent, lease=lease)


@checked
def heartbeat(
    conn: Connection,
    key: Key,
    *,
    token: Token,
    lease: Lease = DEFAULT_LEASE,
    progress: Annotated[fields.Complexity | None, Help("How much is done: 0 to 100.")] = None,
    note: Annotated[fields.AnyText | None, Help("Where the work stands.", long=True)] = None,
) -> datetime:
    """Renew a claim, and say how far the work is. Do it before half of the lease is over."""
    with held(conn, key, token) as task_id:
        return claims.heartbeat(
            conn, task_id=task_id, token=token, lease=lease, progress=progress, note=note
        )


@checked
def complete(
    conn: Connection,
    key: Key,
    *,
    token: Token,
    note: LongText = None,
    hours: Annotated[fields.Hours | None, Help("Hours of work that it took.")] = None,
) -> ClaimEnd:
    """Complete a task under a live claim, which ends."""
    with held(conn, key, token) as task_id:
        return claims.complete(conn, task_id=task_id, token=token, note=note, actual_hours=hours)


@checked
def submit(conn: Connection, key: Key, *, token: Token, note: LongText = None) -> ClaimEnd:
    """Hand a task in for review; the claim ends."""
    with held(conn, key, token) as task_id:
        return claims.submit(conn, task_id=task_id, token=token, note=note)


@checked
def fail(
    conn: Connection,
    key: Key,
    *,
    token: Token,
    error: Annotated[fields.Text, Help("What went wrong, for the next attempt.", long=True)],
    retry_in: Annotated[fields.Delay | None, Help("Offer it again after this time.")] = None,
) -> ClaimEnd:
    """End an attempt as failed: with another one after a time, or for good.

    Without a time the back-off of the task says it; a task without one has failed for good.
    """
    with held(conn, key, token) as task_id:
        return claims.fail(
            conn,
            task_id=task_id,
            token=token,
            error=error,
            retry_in=UNSET if retry_in is None else retry_in,
        )


@checked
def release(
    conn: Connection,
    key: Key,
    *,
    token: Token,
    note: LongText = None,
    retry_in: Annotated[fields.Delay | None, Help("Offer it again after this time.")] = None,
) -> ClaimEnd:
    """Give a task back undone, for another agent; no attempt is counted."""
    with held(conn, key, token) as task_id:
        return claims.release(conn, task_id=task_id, token=token, note=note, retry_in=retry_in)
