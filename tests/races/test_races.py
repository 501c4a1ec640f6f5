"""Two sessions step through a race, at every pair of isolation levels, in both orders of commit.

Each race says what is there before, what either session does, what the one that comes second
is told in the end, and what holds then. A serialization failure (40001) is retried once, as
`Database.retrying` would: its retry must then end as the race says. Whatever happens, the
doctor must find nothing.

The last part takes one guard after another out of the triggers, and sees the doctor find it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
import pytest
from psycopg import IsolationLevel
from psycopg.errors import SerializationFailure

from taskdb.admin import doctor
from taskdb.errors import (
    CircularDependencyError,
    ClaimLostError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
)
from taskdb.models import Claim, DependencyType, NewDependency, NewTask, TaskStatus
from taskdb.queries import claims, dependencies, pauses, tasks
from taskdb.testing.databases import Databases
from tests.arena import Arena
from tests.interleave import LEVELS, Session, Step, wait_blocked
from tests.waiting import PATIENCE

Connection: TypeAlias = psycopg.Connection[Any]
# The two sessions' knowledge: tasks by key, and the claims on them.
Given: TypeAlias = dict[str, Claim]
Act: TypeAlias = Callable[[Connection, Given], Any]

SQL = Path(__file__).parents[2] / "sql"


@dataclass(frozen=True)
class Race:
    """*first* commits; *second* waits for it, or began before it committed."""

    name: str
    given: Callable[[Connection], Given | None]
    first: Act
    second: Act
    # The state in the end.
    then: Callable[[Connection], bool]
    # The second session's error in the end; None: it succeeds.
    loser: type[Exception] | tuple[type[Exception], ...] | None = None
    # True if it waits for a first one that has not committed yet.
    waits: bool = True
    # Sessions that change a pause are READ COMMITTED, as no other may.
    pauser: str = ""

    def is_for(self, first: IsolationLevel, second: IsolationLevel) -> bool:
        level = {"first": first, "second": second}.get(self.pauser, LEVELS[0])
        return level == LEVELS[0]

    def begin(self, conn: Connection) -> Given:
        return self.given(conn) or {}

    def holds(self, conn: Connection, given: Given) -> bool:
        return self.then(conn)


# Plans and acts


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


Lost = ClaimLostError
Loop = CircularDependencyError
OPEN = ("blocked", 1)
FREE = ("pending", 0)

RACES = [
    # The graph
    Race("x>y, y>x", plan("x", "y"), adds("x>y"), adds("y>x"), edges_are("x>y"), Loop),
    Race(
        "x>y, y>x, of which only one looks up its tasks itself",
        plan("x", "y"),
        adds_one("y>x"),
        adds_one("x>y"),
        edges_are("y>x"),
        Loop,
    ),
    Race(
        "the two last edges of a triangle",
        plan("x", "y", "z", edges="x>y"),
        adds("y>z"),
        adds("z>x"),
        edges_are("x>y y>z"),
        Loop,
    ),
    Race(
        "many edges at once, which close two cycles together",
        plan("u", "v", "x", "y"),
        adds("x>y", "u>v"),
        adds("v>u", "y>x"),
        edges_are("x>y u>v"),
        Loop,
    ),
    Race(
        "an edge that lowers a task, and one out of that task",
        plan("p", "q", "s"),
        adds("p>s"),
        adds("s>q"),
        edges_are("p>s s>q"),
    ),
    Race(
        "an edge out of a task, and one that lowers that task",
        plan("p", "q", "s"),
        adds("s>q"),
        adds("p>s"),
        edges_are("p>s s>q"),
    ),
    Race(
        "an edge that lowers a task, and one out of that task that closes a cycle",
        plan("p", "q", "s", edges="q>p"),
        adds("p>s"),
        adds("s>q"),
        edges_are("q>p p>s"),
        Loop,
    ),
    Race(
        "an edge out of a task deep below, and one that lowers all above it",
        plan("p", "f", "e", "d", edges="d>e"),
        adds("e>f"),
        adds("p>d"),
        edges_are("d>e e>f p>d"),
    ),
    Race(
        "two edges that lower the same tasks",
        plan("p", "q", "e", "d", edges="d>e"),
        adds("p>d"),
        adds("q>d"),
        edges_are("d>e p>d q>d"),
    ),
    # Dependencies
    Race(
        "the two last blockers completed at once",
        plan("a", "b", "t", edges="t>a t>b"),
        finishes("a"),
        finishes("b"),
        stands(t=FREE),
    ),
    Race(
        "an edge added, its blocker completed",
        plan("a", "t"),
        adds("t>a"),
        finishes("a"),
        stands(t=FREE),
    ),
    Race(
        "a blocker completed, an edge to it added",
        plan("a", "t"),
        finishes("a"),
        adds("t>a"),
        stands(t=FREE),
    ),
    Race(
        "a blocker completed, two edges added",
        plan("a", "b", "t"),
        finishes("a"),
        adds("t>a", "t>b"),
        stands(t=OPEN),
    ),
    Race(
        "two edges added, a blocker completed",
        plan("a", "b", "t"),
        adds("t>a", "t>b"),
        finishes("a"),
        stands(t=OPEN),
    ),
    Race(
        "an edge added to a completed task, the task reopened",
        plan("a", "t", done="a"),
        adds("t>a"),
        reopens("a"),
        stands(t=OPEN),
    ),
    Race(
        "a completed task reopened, an edge to it added",
        plan("a", "t", done="a"),
        reopens("a"),
        adds("t>a"),
        stands(t=OPEN),
    ),
    Race(
        "an edge added, another blocker completed",
        plan("a", "b", "t", edges="t>a"),
        adds("t>b"),
        finishes("a"),
        stands(t=OPEN),
    ),
    Race(
        "a blocker completed, an edge to another one added",
        plan("a", "b", "t", edges="t>a"),
        finishes("a"),
        adds("t>b"),
        stands(t=OPEN),
    ),
    Race(
        "an edge added and its blocker completed, another blocker completed",
        plan("a", "b", "t", edges="t>b"),
        both(adds("t>a"), finishes("a")),
        finishes("b"),
        stands(t=FREE),
    ),
    Race(
        "a blocker completed, an edge added and another blocker reopened",
        plan("a", "b", "c", "t", edges="t>b t>c", done="c"),
        finishes("b"),
        both(adds("t>a"), reopens("c")),
        stands(t=("blocked", 2)),
    ),
    Race(
        "one statement completes a blocker and removes an edge",
        plan("a", "b", "c", "t", edges="t>a t>b t>c"),
        finishes("c"),
        statement(
            "with done as ("
            "    update tasks set status = 'completed', status_forced = true"
            "    where key = 'b' returning id"
            ") delete from task_dependencies as edge using tasks as blocker"
            " where blocker.id = edge.depends_on_id and blocker.key = 'a'"
        ),
        stands(t=FREE),
    ),
    Race(
        "one statement completes a blocker and adds an edge",
        plan("a", "b", "c", "t", "u", edges="t>a t>c u>b"),
        finishes("c"),
        statement(
            "with added as ("
            "    insert into task_dependencies (task_id, depends_on_id)"
            "    select task.id, blocker.id from tasks as task, tasks as blocker"
            "    where task.key = 't' and blocker.key = 'b'"
            ") update tasks set status = 'completed', status_forced = true"
            " where key in ('a', 'b')"
        ),
        stands(t=FREE),
    ),
    Race(
        "an edge removed, its blocker completed",
        plan("a", "t", edges="t>a"),
        removes("t>a"),
        finishes("a"),
        stands(t=FREE),
    ),
    Race(
        "an edge removed, its blocker reopened",
        plan("a", "t", edges="t>a", done="a"),
        removes("t>a"),
        reopens("a"),
        stands(t=FREE),
    ),
    Race(
        "a blocker reopened, an edge to it removed",
        plan("a", "t", edges="t>a", done="a"),
        reopens("a"),
        removes("t>a"),
        stands(t=FREE),
    ),
    Race(
        "one blocker reopened, the other completed",
        plan("a", "b", "t", edges="t>a t>b", done="a"),
        reopens("a"),
        finishes("b"),
        stands(t=OPEN),
    ),
    Race(
        "a task cancelled, an edge added that this satisfies",
        plan("a", "t"),
        moves("a", "cancelled"),
        adds("t>a!"),
        stands(t=FREE),
    ),
    Race(
        "an edge added, its blocker cancelled, which satisfies it",
        plan("a", "t"),
        adds("t>a!"),
        moves("a", "cancelled"),
        stands(t=FREE),
    ),
    # Parents
    Race(
        "x under y, y under x",
        plan("x", "y"),
        puts_under("x", "y"),
        puts_under("y", "x"),
        parents_are("x<y"),
        Loop,
    ),
    Race(
        "a tree under its own branch, in two moves",
        tree("top", "mid<top", "low<mid", "x"),
        puts_under("x", "low"),
        puts_under("top", "x"),
        parents_are("mid<top low<mid x<low"),
        Loop,
    ),
    Race(
        "two moves that don't meet",
        tree("top", "mid<top", "x", "x2"),
        puts_under("x", "mid"),
        puts_under("mid", "x2"),
        parents_are("x<mid mid<x2"),
    ),
    # Deletion
    Race(
        "a blocker deleted, and completed",
        plan("a", "t", edges="t>a"),
        deletes("a"),
        finishes("a"),
        stands(t=FREE),
        NotFoundError,
    ),
    Race(
        "a blocker completed, and deleted",
        plan("a", "t", edges="t>a"),
        finishes("a"),
        deletes("a"),
        stands(t=FREE),
    ),
    Race(
        "one blocker deleted, the other completed",
        plan("a", "b", "t", edges="t>a t>b"),
        deletes("a"),
        finishes("b"),
        stands(t=FREE),
    ),
    Race(
        "one blocker completed, the other deleted",
        plan("a", "b", "t", edges="t>a t>b"),
        finishes("a"),
        deletes("b"),
        stands(t=FREE),
    ),
    Race(
        "a task deleted, an edge to it added",
        plan("a", "t"),
        deletes("a"),
        adds_one("t>a"),
        stands(t=FREE),
        (NotFoundError, IntegrityError),
    ),
    Race(
        "an edge added, its blocker deleted",
        plan("a", "t"),
        adds("t>a"),
        deletes("a"),
        stands(t=FREE),
    ),
    Race(
        "what waits deleted, its blocker completed",
        plan("a", "t", edges="t>a"),
        deletes("t"),
        finishes("a"),
        stands(a="completed"),
    ),
    # Claims
    Race(
        "a cancellation, and a completion",
        claimed("t"),
        moves("t", "cancelled"),
        holder(claims.complete),
        stands(t="cancelled"),
        Lost,
    ),
    Race(
        "a completion, and a cancellation",
        claimed("t"),
        holder(claims.complete),
        moves("t", "cancelled"),
        stands(t="completed"),
        InvalidTransitionError,
    ),
    Race(
        "a takeover, and the zombie's completion",
        claimed("t", lapsed=True),
        takes("ann"),
        holder(claims.complete),
        held_by("ann"),
        Lost,
    ),
    Race(
        "the zombie's completion, and a takeover",
        claimed("t", lapsed=True),
        holder(claims.complete),
        takes("ann"),
        stands(t="completed"),
        NothingLeftError,
        waits=False,
    ),
    Race(
        "two takeovers",
        claimed("t", lapsed=True),
        takes("ann"),
        takes("bob"),
        held_by("ann"),
        NothingLeftError,
        waits=False,
    ),
    Race(
        "two claimers of one task",
        plan("t"),
        takes("ann"),
        takes("bob"),
        held_by("ann"),
        NothingLeftError,
        waits=False,
    ),
    Race(
        "two claimers of this task",
        plan("t"),
        takes_this("t", "ann"),
        takes_this("t", "bob"),
        held_by("ann"),
        NothingLeftError,
    ),
    Race(
        "a heartbeat, and a takeover",
        claimed("t", lapsed=True),
        holder(claims.heartbeat),
        takes("ann"),
        held_by("zed"),
        NothingLeftError,
        waits=False,
    ),
    Race(
        "a takeover, and the zombie's heartbeat",
        claimed("t", lapsed=True),
        takes("ann"),
        holder(claims.heartbeat),
        held_by("ann"),
        Lost,
    ),
    Race(
        "two ends of one claim",
        claimed("t"),
        holder(claims.complete),
        holder(claims.fail, error="too late"),
        stands(t="completed"),
        Lost,
    ),
    Race(
        "a claim, and an edge that gates the task",
        plan("a", "t"),
        takes_this("t", "ann"),
        adds("t>a"),
        stands(t=("in_progress", 1)),
    ),
    Race(
        "an edge that gates a task, and a claim",
        plan("a", "t"),
        adds("t>a"),
        takes_this("t", "ann"),
        stands(t=OPEN),
        NothingLeftError,
    ),
    Race(
        "an edge that gates a task, and a claim of whatever is ready",
        claimed("t", "a", key="a"),
        adds("t>a"),
        takes("ann"),
        stands(t=OPEN),
        NothingLeftError,
        waits=False,
    ),
    Race(
        "an edge that gates a claimed task, and its release",
        claimed("t", "a"),
        adds("t>a"),
        holder(claims.release),
        stands(t=OPEN),
    ),
    Race(
        "a release, and an edge that gates the task",
        claimed("t", "a"),
        holder(claims.release),
        adds("t>a"),
        stands(t=OPEN),
    ),
    Race(
        "a claimed task deleted, and completed",
        claimed("t"),
        deletes("t"),
        holder(claims.complete),
        stands(),
        Lost,
    ),
    Race(
        "a lapse, and a heartbeat",
        claimed("t", lapsed=True),
        lapses,
        holder(claims.heartbeat),
        stands(t=FREE),
        Lost,
    ),
    Race(
        "a heartbeat, and a lapse",
        claimed("t", lapsed=True),
        holder(claims.heartbeat),
        lapses,
        held_by("zed"),
        waits=False,
    ),
    Race(
        "a lapse, and the zombie's completion",
        claimed("t", lapsed=True),
        lapses,
        holder(claims.complete),
        stands(t=FREE),
        Lost,
    ),
    Race(
        "a lapse, and a completion that claims the next one",
        claimed("t", "u", lapsed=True),
        lapses,
        holder(claims.complete_and_claim_next, agent="zed"),
        stands(t=FREE, u=FREE),
        Lost,
    ),
    Race(
        "two lapses",
        claimed("t", lapsed=True),
        lapses,
        lapses,
        stands(t=FREE),
        waits=False,
    ),
    Race(
        "many completed, and one of them released",
        claimed("t", "u"),
        ends_many,
        holder(claims.release),
        stands(t="completed"),
        Lost,
    ),
    Race(
        "one released, and many completed",
        claimed("t", "u"),
        holder(claims.release),
        ends_many,
        stands(t=FREE),
    ),
    # Requests
    Race(
        "two claims of one request",
        plan("t", "u"),
        asks("ann"),
        asks("ann"),
        held_by("ann"),
    ),
    Race(
        # Before the commit, and by an older snapshot, it is still answered by the old claim, whose
        # token ends nothing any more.
        "a request's claim completed, and the request again",
        requested("t", "u"),
        holder(claims.complete),
        asks("ann"),
        stands(t="completed"),
        waits=False,
    ),
    # Pauses
    Race(
        "a pause, and a claim",
        plan("t"),
        pauses_all,
        takes("ann"),
        ready(),
        NothingLeftError,
        waits=False,
        pauser="first",
    ),
    Race(
        "a pause, and a claim of this task",
        plan("t"),
        pauses_all,
        takes_this("t", "ann"),
        ready(),
        NothingLeftError,
        pauser="first",
    ),
    Race(
        "a claim, and a pause",
        plan("t"),
        takes("ann"),
        pauses_all,
        held_by("ann"),
        pauser="second",
    ),
    Race(
        "a pause, and a task made",
        plan("t"),
        pauses_all,
        makes("new"),
        ready(),
        pauser="first",
    ),
    Race(
        "a task made, and a pause",
        plan("t"),
        makes("new"),
        pauses_all,
        ready(),
        pauser="second",
    ),
    Race(
        "the end of a pause, and a task made",
        both_of(plan("t"), paused),
        resumes_all,
        makes("new"),
        ready("new", "t"),
        pauser="first",
    ),
    Race(
        "a task made, and the end of a pause",
        both_of(plan("t"), paused),
        makes("new"),
        resumes_all,
        ready("new", "t"),
        pauser="second",
    ),
    Race(
        "a pause, and a task taken up again",
        both_of(plan("t"), cancelled("t")),
        pauses_all,
        reopens("t"),
        ready(),
        pauser="first",
    ),
    Race(
        "a task taken up again, and a pause",
        both_of(plan("t"), cancelled("t")),
        reopens("t"),
        pauses_all,
        ready(),
        pauser="second",
    ),
    Race(
        "a pause of a type, and a task that becomes one of it",
        plan("t"),
        pauses_coders,
        becomes_for_coders("t"),
        ready(),
        pauser="first",
    ),
    Race(
        "a task that becomes one of a type, and a pause of it",
        plan("t"),
        becomes_for_coders("t"),
        pauses_coders,
        ready(),
        pauser="second",
    ),
    # Priority inheritance
    Race(
        "both that a task inherits from cancelled",
        ranked("u>n w>n", n=9, u=1, w=1),
        moves("u", "cancelled"),
        moves("w", "cancelled"),
        urgent(n=9),
    ),
    Race(
        "a dependent cancelled, another one made more urgent",
        ranked("u>n w>n", n=9, u=5, w=2),
        moves("w", "cancelled"),
        prioritises("u", 3),
        urgent(n=3),
    ),
    Race(
        "a dependent made more urgent, another one cancelled",
        ranked("u>n w>n", n=9, u=5, w=2),
        prioritises("u", 3),
        moves("w", "cancelled"),
        urgent(n=3),
    ),
    Race(
        "an edge of a dependent removed, another one made more urgent",
        ranked("u>n w>n", n=9, u=5, w=2),
        removes("w>n"),
        prioritises("u", 3),
        urgent(n=3),
    ),
    Race(
        "a task made less urgent than its dependent, and so is that",
        ranked("u>n", n=3, u=3),
        prioritises("n", 8),
        prioritises("u", 7),
        urgent(n=7),
    ),
    Race(
        "an edge added below, priority inherited from above",
        ranked("u>t", s=9, t=9, u=5),
        adds("t>s"),
        prioritises("u", 1),
        urgent(s=1, t=1),
    ),
    Race(
        "priority inherited from above, an edge added below",
        ranked("u>t", s=9, t=9, u=5),
        prioritises("u", 1),
        adds("t>s"),
        urgent(s=1, t=1),
    ),
    Race(
        "two edges that meet, priority inherited through both",
        ranked("", n=9, t=7, u=2),
        adds("t>n"),
        adds("u>t"),
        urgent(n=2, t=2),
    ),
    Race(
        "two edges into one task, the less urgent last",
        ranked("", n=9, t=7, u=2),
        adds("u>n"),
        adds("t>n"),
        urgent(n=2),
    ),
    Race(
        "an edge added, its dependent made less urgent",
        ranked("", n=9, u=2),
        adds("u>n"),
        prioritises("u", 8),
        urgent(n=8),
    ),
    Race(
        "a task made less urgent, an edge out of what it waits for added",
        ranked("u>t", s=9, t=9, u=2),
        prioritises("u", 8),
        adds("t>s"),
        urgent(s=8, t=8),
    ),
    Race(
        "an edge out of what a task waits for added, that task made less urgent",
        ranked("u>t", s=9, t=9, u=2),
        adds("t>s"),
        prioritises("u", 8),
        urgent(s=8, t=8),
    ),
    Race(
        "an edge removed, the other dependent cancelled",
        ranked("u>n w>n", n=9, u=1, w=1),
        removes("u>n"),
        moves("w", "cancelled"),
        urgent(n=9),
    ),
    Race(
        "a dependent cancelled, the edge of the other one removed",
        ranked("u>n w>n", n=9, u=1, w=1),
        moves("w", "cancelled"),
        removes("u>n"),
        urgent(n=9),
    ),
    Race(
        "an edge removed, what waits above it cancelled",
        ranked("u>t t>n w>n", n=9, t=9, u=1, w=4),
        removes("t>n"),
        moves("u", "cancelled"),
        urgent(n=4, t=9),
    ),
    Race(
        "a dependent taken up again, another one deleted",
        both_of(ranked("u>n w>n", n=9, u=3, w=1), cancelled("u")),
        moves("u", "pending", force=True),
        deletes("w"),
        urgent(n=3),
    ),
    Race(
        "a task cancelled, an edge out of it added",
        ranked("", n=9, u=1),
        moves("u", "cancelled"),
        adds("u>n"),
        urgent(n=9),
    ),
]


PAIRS = [(first, second) for first in LEVELS for second in LEVELS]


def pair_name(pair: tuple[IsolationLevel, IsolationLevel]) -> str:
    return "-".join("".join(word[0] for word in level.name.split("_")) for level in pair)


# Sessions of one level in each run, of two in the slow one; but who changes a pause has one level.
CASES = [
    pytest.param(
        race,
        pair,
        id=f"{pair_name(pair)}-{race.name}",
        marks=[] if pair[0] is pair[1] or race.pauser else pytest.mark.slow,
    )
    for pair in PAIRS
    for race in RACES
    if race.is_for(*pair)
]


@pytest.mark.parametrize(("race", "pair"), CASES)
def test_second_session_waits_for_the_first_and_everything_holds(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    outcome = arena.run(race, *pair, waiting=True)

    assert not outcome.broke(race), outcome
    assert outcome.waited == race.waits


@pytest.mark.parametrize(("race", "pair"), CASES)
def test_first_session_commits_after_the_snapshot_of_the_second_and_everything_holds(
    arena: Arena, race: Race, pair: tuple[IsolationLevel, IsolationLevel]
) -> None:
    outcome = arena.run(race, *pair, waiting=False)

    assert not outcome.broke(race), outcome


@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: level.name)
@pytest.mark.parametrize("act", [pauses_all, resumes_all], ids=["pause", "resume"])
def test_above_read_committed_no_pause_begins_or_ends(
    arena: Arena, act: Act, level: IsolationLevel
) -> None:
    arena.clear()
    if act is resumes_all:
        paused(arena.conn)
    session = arena.session("first", level)

    error = session.start("acts", lambda conn: act(conn, {})).error()
    session.rollback()

    assert isinstance(error, psycopg.errors.ActiveSqlTransaction)
    assert "READ COMMITTED only" in str(error)


def first_done(waiting: dict[Session, Step[Any]]) -> Session:
    deadline = time.monotonic() + PATIENCE
    while True:
        for session, step in waiting.items():
            if step.done:
                return session
        assert time.monotonic() < deadline, "none of them goes on"
        time.sleep(0.001)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_three_edges_of_a_triangle_never_come_together(arena: Arena, level: IsolationLevel) -> None:
    arena.clear()
    plan("x", "y", "z")(arena.conn)
    sessions = [arena.session(name, level) for name in ("first", "second", "third")]
    for session in sessions:
        session.snapshot()

    sessions[0].run("adds x>y", lambda conn: adds("x>y")(conn, {}))
    steps = [
        sessions[1].start("adds y>z", lambda conn: adds("y>z")(conn, {})),
        sessions[2].start("adds z>x", lambda conn: adds("z>x")(conn, {})),
    ]
    for session in sessions[1:]:
        wait_blocked(session)
    sessions[0].commit()
    # One of the two goes on; when its transaction has ended, so does the other.
    errors: list[BaseException | None] = []
    waiting = dict(zip(sessions[1:], steps, strict=True))
    while waiting:
        session = first_done(waiting)
        errors.append(waiting.pop(session).error())
        if errors[-1] is None:
            session.commit()
        else:
            session.rollback()

    assert all(error is None or isinstance(error, (Loop, SerializationFailure)) for error in errors)
    assert any(errors)
    assert doctor.run(arena.conn) == []


def test_two_claimers_at_once_get_two_tasks(arena: Arena) -> None:
    arena.clear()
    plan("t", "u")(arena.conn)
    first, second = (arena.session(name, LEVELS[0]) for name in ("first", "second"))

    one = first.run("claims", lambda conn: claims.claim_next(conn, agent="ann"))
    other = second.run("claims", lambda conn: claims.claim_next(conn, agent="bob"))
    first.commit()
    second.commit()

    assert one
    assert other
    assert {one.key, other.key} == {"t", "u"}
    assert doctor.run(arena.conn) == []


def test_batches_at_once_share_nothing(arena: Arena) -> None:
    arena.clear()
    plan(*map(str, range(20)))(arena.conn)
    first, second = (arena.session(name, LEVELS[0]) for name in ("first", "second"))

    ones = first.run("claims", lambda conn: claims.claim_batch(conn, agent="ann", limit=15))
    others = second.run("claims", lambda conn: claims.claim_batch(conn, agent="bob", limit=15))
    first.commit()
    second.commit()

    assert (len(ones), len(others)) == (15, 5)
    assert not {claim.key for claim in ones} & {claim.key for claim in others}
    assert doctor.run(arena.conn) == []


# Mutants


@dataclass(frozen=True)
class Mutant:
    """A guard taken out of a function of sql/: *guard*, a pattern, is replaced by *hole*."""

    name: str
    file: str
    function: str
    guard: str
    hole: str
    # The races that should show it.
    races: tuple[str, ...]

    def statement(self) -> bytes:
        source = (SQL / self.file).read_text(encoding="utf-8")
        found = re.search(rf"create function {self.function}\(.*?^\$\$;", source, re.DOTALL | re.M)
        assert found, f"no function {self.function} in {self.file}"
        mutated, count = re.subn(self.guard, self.hole, found[0], flags=re.DOTALL)
        assert count == 1, f"{self.name}: the guard occurs {count} times"
        return mutated.replace("create function", "create or replace function", 1).encode()


LOCK = r"perform\s+from unnest\(.*?for no key update offset 0\s+\) as task;"

MUTANTS = [
    Mutant(
        "the ends of many new edges are read, but not locked",
        "functions/add_many_edges.sql",
        "add_many_edges",
        r"for no key update\s+offset 0",
        "offset 0",
        ("a blocker completed, two edges added",),
    ),
    Mutant(
        "pauses don't meet what is made by an older snapshot",
        "functions/any_pauses.sql",
        "any_pauses",
        r"perform from pause_guard for share;",
        "null;",
        ("a pause, and a task made",),
    ),
    Mutant(
        "pauses don't wait for what is being made",
        "triggers/claim_pauses_10_lock.sql",
        "lock_claim_pauses",
        r"lock table claim_pauses in access exclusive mode;",
        "",
        ("a task made, and a pause",),
    ),
    Mutant(
        "blockers of new edges are locked, but not written",
        "triggers/task_dependencies_90_add_edges.sql",
        "add_edges",
        r"update tasks as task\s+set has_dependents = true\s+where task.id = awaited_id"
        r"\s+returning(.*?)\s+into (.*?);",
        r"select \1 into \2 from tasks as task where task.id = awaited_id for no key update;",
        ("an edge added, its blocker completed",),
    ),
    Mutant(
        "ranks are not repaired",
        "triggers/task_dependencies_90_add_edges.sql",
        "add_edges",
        r"perform task_graph_repair\(.*?\);",
        "null;",
        ("x>y, y>x",),
    ),
    Mutant(
        "ranks are not looked at again under the lock",
        "functions/task_graph_repair.sql",
        "task_graph_repair",
        LOCK,
        "",
        ("an edge out of a task deep below, and one that lowers all above it",),
    ),
    Mutant(
        "a lowered task is not looked for further down",
        "functions/task_graph_region.sql",
        "task_graph_region",
        r"and other.graph_rank >= lowest",
        "and other.graph_rank >= lowest and false",
        ("an edge that lowers a task, and one out of that task that closes a cycle",),
    ),
    Mutant(
        "dependents are not locked before their edges are read",
        "functions/unblock_dependents.sql",
        "unblock_dependents",
        LOCK,
        "",
        ("the two last blockers completed at once",),
    ),
    Mutant(
        "readiness is looked up instead of counted",
        "functions/unblock_dependents.sql",
        "unblock_dependents",
        r"perform\s+from unnest\(waiting\).*where task.ctid = change.place;",
        """update tasks as task
    set open_dependencies = (
        select count(*)
        from task_dependencies as edge
        join tasks as blocker on blocker.id = edge.depends_on_id
        where edge.task_id = task.id
            and not is_satisfied(edge.dependency_type, blocker.status, blocker.completed_at)
    )
    where task.id = any(waiting);""",
        ("the two last blockers completed at once",),
    ),
    Mutant(
        "what has been taken off the count is taken off again",
        "triggers/task_dependencies_90_add_edges.sql",
        "add_edges",
        r"if found then\s+(opened := \(not now_satisfied\)::int;)\s+end if;",
        r"\1",
        ("one statement completes a blocker and adds an edge",),
    ),
    Mutant(
        "what waits for a task that loses priority is locked, but not written",
        "functions/revoke_priority.sql",
        "revoke_priority",
        r"update tasks as task\s+set effective_priority = task.effective_priority\s.*?;",
        "",
        (
            "a dependent cancelled, another one made more urgent",
            "a task made less urgent than its dependent, and so is that",
        ),
    ),
    Mutant(
        "what keeps a task as urgent as it is, is locked, but not written",
        "functions/revoke_priority.sql",
        "revoke_priority",
        r"except all select unnest\(loose\)",
        "except all select unnest(loose || keepers)",
        ("a task made less urgent than its dependent, and so is that",),
    ),
    Mutant(
        "what becomes urgent is not looked at again under the lock",
        "functions/inherit_priority.sql",
        "inherit_priority",
        LOCK,
        "",
        ("an edge added below, priority inherited from above",),
    ),
    Mutant(
        "moves in the tree don't meet",
        "triggers/task_details_60_refuse_parent_cycle.sql",
        "refuse_parent_cycle",
        r"update parent_guard set version = version \+ 1 where only_row;\s+if not found.*?end if;",
        "",
        ("x under y, y under x",),
    ),
    Mutant(
        "moves in the tree meet at a lock that leaves no trace",
        "triggers/task_details_60_refuse_parent_cycle.sql",
        "refuse_parent_cycle",
        r"update parent_guard set version = version \+ 1 where only_row;\s+if not found.*?end if;",
        "perform pg_advisory_xact_lock(7);",
        ("x under y, y under x",),
    ),
    Mutant(
        "a claim outlives the work",
        "triggers/tasks_50_apply_change.sql",
        "apply_task_change",
        r"new\.claim_agent := null;\s+new\.lease_expires_at := null;",
        "",
        ("a cancellation, and a completion",),
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_guard_that_is_taken_out_is_missed(
    databases: Databases, template: str, mutant: Mutant
) -> None:
    url = databases.clone(template)
    with ExitStack() as stack:
        arena = Arena(url, stack)
        arena.conn.execute(b"set search_path = taskdb, shared, pg_temp")
        arena.conn.execute(mutant.statement())
        races = [race for race in RACES if race.name in mutant.races]
        assert len(races) == len(mutant.races)

        assert any(
            arena.run(race, *pair, waiting=waiting).broke(race)
            for race in races
            for waiting in (True, False)
            for pair in PAIRS
            if race.is_for(*pair)
        )
    databases.drop(url)
