"""A service as one would write it: both type checkers accept it, in their strict modes."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import closing
from uuid import UUID

import psycopg
from typing_extensions import assert_type

from taskdb.errors import ClaimLostError
from taskdb.models.claims import Claim
from taskdb.models.tasks import Task, TaskSummary
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, tasks


def work(conn: psycopg.Connection, agent: str) -> str | None:
    claim = claims.claim_next(conn, agent=agent)
    assert_type(claim, Claim | None)
    if claim is None:
        return None
    try:
        claims.complete(conn, task_id=claim.task_id, token=claim.token, note="done")
    except ClaimLostError:
        return None
    return claim.title


async def work_async(conn: psycopg.AsyncConnection, agent: str) -> str | None:
    claim = await claims.claim_next(conn, agent=agent)
    assert_type(claim, Claim | None)
    if claim is None:
        return None
    await claims.complete(conn, task_id=claim.task_id, token=claim.token)
    return claim.title


def read(conn: psycopg.Connection[tuple[object, ...]], key: str) -> list[UUID]:
    task = tasks.get_by_key(conn, key)
    assert_type(task, Task)
    assert_type(task.status, TaskStatus)
    found = tasks.list_tasks(conn, status=TaskStatus.PENDING, limit=10)
    assert_type(found, list[TaskSummary])
    return [summary.id for summary in found]


async def read_many(conn: psycopg.AsyncConnection, keys: list[str]) -> list[str]:
    read = await asyncio.gather(*(tasks.get_by_key(conn, key=key) for key in keys))
    assert_type(read, list[Task])
    titles = [task.title async for task in tasks.list_tasks.stream(conn, limit=10_000)]
    assert_type(titles, list[str])
    return titles


def titles(conn: psycopg.Connection) -> Generator[str]:
    with closing(tasks.list_tasks.stream(conn)) as rows:
        for row in rows:
            yield row.title


def read_in_one_go(conn: psycopg.Connection, keys: list[str]) -> list[Task]:
    return tasks.get_by_key.batch(conn, [tasks.get_by_key.row(key=key) for key in keys])


async def read_in_one_go_async(conn: psycopg.AsyncConnection, keys: list[str]) -> list[Task]:
    return await tasks.get_by_key.batch(conn, [{"key": key} for key in keys])
