"""`taskdb doctor` finds cycles, with their paths."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg

from taskdb.admin import doctor
from taskdb.models import NewDependency, NewStep, NewTask, NewWorkflow
from taskdb.queries import tasks, workflows
from tests.admin.breaking import break_it
from tests.plans import Plan


def cycle_of_release(conn: psycopg.Connection[Any]) -> None:
    """Let design wait for release, which waits for all the rest."""
    break_it(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select design.id, release.id from tasks as design, tasks as release"
        " where design.key = 'T-E01-F01-001' and release.key = 'T-E01-F02-002'",
        "update tasks set open_dependencies = 1 where key = 'T-E01-F01-001'",
        "update tasks set has_dependents = true where key = 'T-E01-F02-002'",
    )


def test_a_cycle_is_found_with_its_path_beside_the_rank_that_let_it_in(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    cycle_of_release(conn)

    rank, *cycles = doctor.run(conn)

    assert (rank.invariant, rank.subject) == ("rank", used.design)
    assert {cycle.invariant for cycle in cycles} == {"dependency_cycle"}
    paths = {cycle.found.removesuffix(", where each waits for the next") for cycle in cycles}
    for path in paths:
        keys = path.split(" -> ")
        assert keys[0] == keys[-1]
        edges = {*used.edges, (used.design, used.release)}
        assert set(pairwise(keys)) <= edges


def test_the_path_of_a_long_cycle_is_cut(conn: psycopg.Connection[Any]) -> None:
    keys = [f"link-{number:02}" for number in range(30)]
    edges = [NewDependency(later, earlier) for earlier, later in pairwise(keys)]
    tasks.create_many(conn, [NewTask(key=key, title=key) for key in keys], edges)
    break_it(
        conn,
        "insert into task_dependencies (task_id, depends_on_id)"
        " select first.id, last.id from tasks as first, tasks as last"
        " where first.key = 'link-00' and last.key = 'link-29'",
        "update tasks set open_dependencies = 1, status = 'blocked', blocked_at = now(),"
        " is_ready = false where key = 'link-00'",
    )

    (cycle,) = (found for found in doctor.run(conn) if found.invariant == "dependency_cycle")

    assert cycle.found.count(" -> ") == 20
    assert cycle.found.endswith(" -> ... (11 more), where each waits for the next")


def test_advice_may_go_round_in_a_circle(conn: psycopg.Connection[Any], used: Plan) -> None:
    conn.execute(
        b"insert into task_dependencies (task_id, depends_on_id, dependency_type)"
        b" select design.id, release.id, 'suggests' from tasks as design, tasks as release"
        b" where design.key = 'T-E01-F01-001' and release.key = 'T-E01-F02-002'"
    )

    assert doctor.run(conn) == []


def test_repair_leaves_the_ranks_of_a_cycle_to_people(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    cycle_of_release(conn)
    found = doctor.run(conn)

    assert doctor.repair(conn) == []
    assert doctor.run(conn) == found


def test_a_need_of_a_step_that_is_gone_stops_no_search_for_cycles(
    conn: psycopg.Connection[Any], used: Plan
) -> None:
    steps = [
        NewStep(key="a", step_type="job"),
        NewStep(key="b", step_type="job", needs=["a"]),
    ]
    workflows.create(conn, NewWorkflow(name="CI"), steps)
    break_it(
        conn,
        "alter table workflow_step_needs drop constraint workflow_step_needs_needs_exists",
        "delete from workflow_steps where key = 'a'",
        "alter table workflow_step_needs add constraint workflow_step_needs_needs_exists"
        " foreign key (needs_id) references workflow_steps (id) on delete cascade not valid",
    )

    (finding,) = doctor.run(conn)

    assert (finding.invariant, finding.subject) == ("reference", "workflow_step_needs_needs_exists")
