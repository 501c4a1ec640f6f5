"""Races of edges: cycles, ranks, counts of open dependencies."""

from __future__ import annotations

from taskdb.errors import CircularDependencyError
from tests.races.acts import (
    FREE,
    OPEN,
    adds,
    adds_one,
    both,
    edges_are,
    finishes,
    moves,
    plan,
    removes,
    reopens,
    stands,
    statement,
)
from tests.races.race import Race

EDGES = [
    # The graph
    Race(
        "x>y, y>x",
        plan("x", "y"),
        adds("x>y"),
        adds("y>x"),
        edges_are("x>y"),
        CircularDependencyError,
    ),
    Race(
        "x>y, y>x, of which only one looks up its tasks itself",
        plan("x", "y"),
        adds_one("y>x"),
        adds_one("x>y"),
        edges_are("y>x"),
        CircularDependencyError,
    ),
    Race(
        "the two last edges of a triangle",
        plan("x", "y", "z", edges="x>y"),
        adds("y>z"),
        adds("z>x"),
        edges_are("x>y y>z"),
        CircularDependencyError,
    ),
    Race(
        "many edges at once, which close two cycles together",
        plan("u", "v", "x", "y"),
        adds("x>y", "u>v"),
        adds("v>u", "y>x"),
        edges_are("x>y u>v"),
        CircularDependencyError,
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
        CircularDependencyError,
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
]
