"""Mistakes that both type checkers must find; each line names the codes that it must get."""

from __future__ import annotations

import psycopg

from taskdb.queries import claims, tasks


def mistakes(conn: psycopg.Connection) -> None:
    tasks.get_by_key(conn, key=5)  # wrong: call-overload reportCallIssue
    tasks.get_by_key(conn)  # wrong: call-overload reportCallIssue
    tasks.get_by_key("dsn", key="T-1")  # wrong: call-overload reportCallIssue
    tasks.list_tasks(conn, status="pending")  # wrong: call-overload reportCallIssue
    tasks.list_tasks(conn, statsu=None)  # wrong: call-overload reportCallIssue
    task = tasks.get_by_key(conn, key="T-1")
    print(task.titel)  # wrong: attr-defined reportAttributeAccessIssue
    claim = claims.claim_next(conn, agent="a")
    print(claim.token)  # wrong: union-attr reportOptionalMemberAccess
    number: int = tasks.list_tasks(conn)  # wrong: assignment reportAssignmentType
    print(number)
    tasks.get_by_key.row(key=5)  # wrong: arg-type reportArgumentType
    tasks.get_by_key.row()  # wrong: call-arg reportCallIssue
    tasks.get_by_key.stream(conn, key="T-1").close()  # wrong: misc reportAttributeAccessIssue


async def asynchronous_mistakes(conn: psycopg.AsyncConnection) -> None:
    claims.claim_next(conn, agent="a")  # wrong: unused-coroutine reportUnusedCoroutine
    task = tasks.get_by_key(conn, key="T-1")
    print(task.title)  # wrong: attr-defined reportAttributeAccessIssue
    for _ in tasks.list_tasks.stream(conn):  # wrong: attr-defined reportGeneralTypeIssues
        pass
    print(await tasks.get_by_key(conn, key=5))  # wrong: call-overload reportCallIssue
