"""The plans that races begin with, what their sessions do, and what is looked at in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from taskdb.models import DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, pauses, tasks
from tests.races.race import Act, Connection, Given

# Statuses, with counts of open dependencies.
OPEN = ("blocked", 1)
FREE = ("pending", 0)


def plan(*keys: str, edges: str = "", done: str = "") -> Callable[[Connection], None]:
    """Tasks by key, oldest first; edges as "t>a t>b!" ("!": blocks); which are completed."""

    def make(conn: Connection) -> None:
        new = [
            NewTask(
                key=key,
                title=key,
                status=TaskStatus.COMPLETED if key in done.split() else TaskStatus.PENDING,
            )
            for key in keys
        ]
        tasks.create_many(conn, new, [edge(text) for text in edges.split()])

    return make


def tree(*members: str) -> Callable[[Connection], None]:
    """Tasks by key, with their parent as "child<parent"."""

    def make(conn: Connection) -> None:
        new = [
            NewTask(key=key, title=key, parent=parent or None)
            for key, _, parent in (member.partition("<") for member in members)
        ]
        tasks.create_many(conn, new)

    return make


def edge(text: str) -> NewDependency:
    task, depends_on = text.rstrip("!").split(">")
    kind = DependencyType.BLOCKS if text.endswith("!") else DependencyType.REQUIRES
    return NewDependency(task, depends_on, kind)


def claimed(
    *keys: str, edges: str = "", key: str = "t", lapsed: bool = False
) -> Callable[[Connection], Given]:
    """A plan with one task claimed by "zed"; lapsed: the lease is over."""

    def make(conn: Connection) -> Given:
        plan(*keys, edges=edges)(conn)
        claim = claims.claim(conn, key=key, agent="zed")
        assert claim
        if lapsed:
            conn.execute(
                b"update tasks set lease_expires_at = now() - interval '1 minute'"
                b" where claim_agent is not null"
            )
        return {key: claim}

    return make


def adds(*edges: str) -> Act:
    return lambda conn, given: dependencies.add_dependencies(conn, map(edge, edges))


def adds_one(text: str) -> Act:
    """Add one edge, by the statement of `add_dependency`, which finds its ends itself."""
    new = edge(text)
    return lambda conn, given: dependencies.add_dependency(
        conn,
        task=new.task,
        depends_on=new.depends_on,
        dependency_type=new.dependency_type,
    )


def removes(text: str) -> Act:
    old = edge(text)
    return lambda conn, given: dependencies.remove_dependency(
        conn, task=old.task, depends_on=old.depends_on
    )


def moves(key: str, status: str, *, force: bool = False) -> Act:
    return lambda conn, given: tasks.update_status(
        conn, key=key, status=TaskStatus(status), force=force
    )


def finishes(key: str) -> Act:
    """Complete a task by hand, in one statement, whatever its status."""
    return moves(key, "completed", force=True)


def reopens(key: str) -> Act:
    return moves(key, "pending", force=True)


def deletes(key: str) -> Act:
    return lambda conn, given: tasks.delete(conn, key=key)


def puts_under(key: str, parent: str) -> Act:
    def act(conn: Connection, given: Given) -> None:
        tasks.update(conn, key=key, parent_id=tasks.get_by_key(conn, key=parent).id)

    return act


def statement(text: str) -> Act:
    return lambda conn, given: conn.execute(text.encode())


def both(one: Act, other: Act) -> Act:
    """Two statements in one transaction."""

    def act(conn: Connection, given: Given) -> None:
        one(conn, given)
        other(conn, given)

    return act


def takes(agent: str) -> Act:
    """Claim the next task; that there is none is told as `NothingLeftError`."""

    def act(conn: Connection, given: Given) -> None:
        claim = claims.claim_next(conn, agent=agent)
        if claim is None:
            raise NothingLeftError

    return act


def takes_this(key: str, agent: str) -> Act:
    def act(conn: Connection, given: Given) -> None:
        claim = claims.claim(conn, key=key, agent=agent)
        if claim is None:
            raise NothingLeftError

    return act


class NothingLeftError(Exception):
    """There was nothing to claim."""


def holder(function: Callable[..., Any], key: str = "t", **arguments: Any) -> Act:
    """Return an act of the claim's holder: complete, fail, release, heartbeat."""

    def act(conn: Connection, given: Given) -> None:
        function(conn, task_id=given[key].task_id, token=given[key].token, **arguments)

    return act


def stands(**expected: str | tuple[str, int]) -> Callable[[Connection], bool]:
    """Each task's status, with its count of open dependencies if it is given."""

    def look(conn: Connection) -> bool:
        rows = conn.execute(b"select key, status, open_dependencies from tasks").fetchall()
        found = {key: (status, count) for key, status, count in rows}
        return all(
            key in found and found[key][0] == value
            if isinstance(value, str)
            else found.get(key) == value
            for key, value in expected.items()
        )

    return look


def urgent(**expected: int) -> Callable[[Connection], bool]:
    """Each task's effective priority."""

    def look(conn: Connection) -> bool:
        rows = conn.execute(b"select key, effective_priority from tasks").fetchall()
        return expected.items() <= dict(rows).items()

    return look


def ranked(edges: str, **priorities: int) -> Callable[[Connection], None]:
    """Tasks with their priorities, oldest first; edges as in `plan`."""

    def make(conn: Connection) -> None:
        new = [NewTask(key=key, title=key, priority=value) for key, value in priorities.items()]
        tasks.create_many(conn, new, [edge(text) for text in edges.split()])

    return make


def cancelled(key: str) -> Callable[[Connection], None]:
    return lambda conn: moves(key, "cancelled")(conn, {})


def both_of(*given: Callable[[Connection], None]) -> Callable[[Connection], None]:
    def make(conn: Connection) -> None:
        for one in given:
            one(conn)

    return make


def prioritises(key: str, priority: int) -> Act:
    return lambda conn, given: tasks.update(conn, key=key, priority=priority)


def edges_are(expected: str) -> Callable[[Connection], bool]:
    def look(conn: Connection) -> bool:
        rows = conn.execute(
            b"select t.key, d.key from task_dependencies as e"
            b" join tasks as t on t.id = e.task_id join tasks as d on d.id = e.depends_on_id"
        ).fetchall()
        return {f"{task}>{blocker}" for task, blocker in rows} == set(expected.split())

    return look


def parents_are(expected: str) -> Callable[[Connection], bool]:
    def look(conn: Connection) -> bool:
        rows = conn.execute(
            b"select c.key, p.key from full_tasks as c join tasks as p on p.id = c.parent_id"
        ).fetchall()
        return {f"{child}<{parent}" for child, parent in rows} == set(expected.split())

    return look


def held_by(agent: str) -> Callable[[Connection], bool]:
    """Return a check that the one live claim is this agent's."""

    def look(conn: Connection) -> bool:
        rows = conn.execute(b"select agent from task_claims where outcome is null").fetchall()
        return rows == [(agent,)]

    return look


def lapses(conn: Connection, given: Given) -> None:
    """Let time pass: every claim whose lease is over ends."""
    conn.execute(b"select pass_time(10)")


def ends_many(conn: Connection, given: Given) -> None:
    held = given["t"]
    claims.complete_many(conn, task_ids=[held.task_id], tokens=[held.token])


REQUEST = UUID(int=1)


def asks(agent: str) -> Act:
    """Claim the next task for the one request, or be told the claim that answers it."""

    def act(conn: Connection, given: Given) -> None:
        assert claims.claim_next(conn, agent=agent, request_id=REQUEST)

    return act


def requested(*keys: str) -> Callable[[Connection], Given]:
    """A plan of which the request has the first task."""

    def make(conn: Connection) -> Given:
        plan(*keys)(conn)
        claim = claims.claim_next(conn, agent="ann", request_id=REQUEST)
        assert claim
        return {claim.key: claim}

    return make


def paused(conn: Connection) -> None:
    pauses.pause(conn)


def pauses_all(conn: Connection, given: Given) -> None:
    pauses.pause(conn)


def resumes_all(conn: Connection, given: Given) -> None:
    pauses.resume(conn)


def pauses_coders(conn: Connection, given: Given) -> None:
    pauses.pause(conn, agent_type="coder")


def makes(key: str) -> Act:
    return lambda conn, given: tasks.create(conn, key=key, title=key)


def becomes_for_coders(key: str) -> Act:
    return lambda conn, given: tasks.update(conn, key=key, agent_type="coder")


def ready(*keys: str) -> Callable[[Connection], bool]:
    """Just these tasks can be claimed."""
    return lambda conn: {task.key for task in tasks.list_ready(conn)} == set(keys)
