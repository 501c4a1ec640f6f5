"""Bulk loads are checked as a whole, in time that grows with their size."""

import random
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from taskdb.admin import doctor
from taskdb.errors import CircularDependencyError
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.queries import agent_errors, design, projects, sessions, specs, subtasks, tasks
from tests.costs.scale import SEED, Connection
from tests.tiers import first_of


def new_plan(prefix: str, count: int) -> tuple[list[NewTask], list[NewDependency]]:
    """Return tasks and twice as many edges, both in an order that has nothing to do with it."""
    dice = random.Random(SEED)
    keys = [f"{prefix}-{number}" for number in range(count)]
    topological = dice.sample(keys, count)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < 2 * count:
        waiting = dice.randrange(1, count)
        pairs.add((waiting, dice.randrange(max(0, waiting - 5_000), waiting)))
    edges = [
        NewDependency(topological[waiting], topological[awaited]) for waiting, awaited in pairs
    ]
    dice.shuffle(edges)
    new = [
        NewTask(key=key, title=f"The task named {key}", priority=dice.randint(1, 10))
        for key in keys
    ]
    return new, edges


def peak_memory_kib(conn: Connection) -> int:
    """Return how much memory the server's process for *conn* has held at most."""
    status = Path(f"/proc/{conn.info.backend_pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1])


def load_and_check(conn: Connection, count: int) -> float:
    """Load a plan, look for violated invariants, and return how long the load took."""
    is_superuser = conn.execute("select current_setting('is_superuser')").fetchone()
    assert is_superuser == ("off",)
    plan, edges = new_plan("first", count)
    started = time.monotonic()
    created = tasks.create_many(conn, plan, edges)
    conn.commit()
    seconds = time.monotonic() - started

    assert (created.task_count, created.dependency_count) == (count, 2 * count)
    conn.execute("analyze")
    assert doctor.run(conn) == []
    print(f"\n{count} tasks, {2 * count} edges: {seconds:.1f} s, {peak_memory_kib(conn)} KiB")
    return seconds


@pytest.mark.slow
def test_bulk_load_in_random_order_is_checked_as_a_whole(session: Connection) -> None:
    load_and_check(session, 10_000)


@pytest.mark.large
def test_two_hundred_thousand_tasks_load_in_two_minutes_below_a_gibibyte(
    session: Connection,
) -> None:
    seconds = load_and_check(session, 200_000)
    more, edges = new_plan("second", 20_000)
    edges += [NewDependency(f"second-{number}", f"first-{number}") for number in range(20_000)]
    tasks.create_many(session, more, edges)
    session.commit()

    assert seconds < 120
    assert peak_memory_kib(session) < 1024 * 1024
    assert doctor.run(session) == []


def hide_a_cycle(edges: list[NewDependency]) -> None:
    """Add the edge that closes a cycle over a path of three."""
    by_task: dict[str, str] = {edge.task: edge.depends_on for edge in edges}
    start = next(key for key in by_task if by_task.get(by_task[key]) in by_task)
    end = by_task[by_task[by_task[start]]]
    edges.insert(len(edges) // 2, NewDependency(end, start))


def refuse_hidden_cycle(conn: Connection, count: int) -> None:
    plan, edges = new_plan("first", count)
    hide_a_cycle(edges)
    with pytest.raises(CircularDependencyError) as caught:
        tasks.create_many(conn, plan, edges)

    path = caught.value.path
    assert path[0] == path[-1]
    known = {(edge.task, edge.depends_on) for edge in edges}
    assert all(pair in known for pair in pairwise(path))
    conn.rollback()


def load_after_a_refusal(conn: Connection, count: int) -> float:
    """Load a plan into tables that statistics call empty, as a load was undone; how long it took.

    Without fresh statistics each look-up reads a whole index: a minute for 10,000 tasks, and
    hours for 200,000.
    """
    refuse_hidden_cycle(conn, count)
    conn.execute("analyze")
    conn.commit()
    return load_and_check(conn, count)


@pytest.mark.timing
def test_cycle_hidden_in_a_bulk_load_is_named_and_the_mended_plan_loads(
    session: Connection,
) -> None:
    assert load_after_a_refusal(session, 10_000) < 20


@pytest.mark.large
def test_cycle_hidden_in_four_hundred_thousand_edges_is_named(session: Connection) -> None:
    assert load_after_a_refusal(session, 200_000) < 240


def pages_read(conn: Connection) -> int:
    """Return how many pages this transaction has read so far, one counted as often as it is."""
    found = conn.execute(
        "select sum(pg_stat_get_xact_blocks_fetched(oid))::bigint from pg_class"
        " where relnamespace = 'taskdb'::regnamespace and relkind in ('r', 'i')"
    ).fetchone()
    assert found
    return int(found[0])


# One statement each, on the tasks called "KEY n", and what comes before it.
STATEMENTS = {
    "plain inserts": (
        "",
        "insert into tasks (key, title) select 'new KEY ' || n, 'x'"
        " from generate_series(1, {count}) as n",
    ),
    "parents": (
        "",
        "update task_details set parent_id = (select id from tasks where key = 'first')"
        " from tasks as task where task.id = task_id and task.key like 'KEY %'",
    ),
    "descriptions": (
        "",
        "update task_details set description = 'x'"
        " from tasks as task where task.id = task_id and task.key like 'KEY %'",
    ),
    "priorities": ("", "update tasks set priority = 1 where key like 'KEY %'"),
    "titles": ("", "update tasks set title = 'y' where key like 'KEY %'"),
    "agent types": ("", "update tasks set agent_type = 'z' where key like 'KEY %'"),
    "cancellations": ("", "update tasks set status = 'cancelled' where key like 'KEY %'"),
    "reopenings": (
        "update tasks set status = 'cancelled' where key like 'KEY %'",
        "update tasks set status = 'pending', status_forced = true where key like 'KEY %'",
    ),
    "subtasks": (
        "",
        "insert into subtasks (task_id, title) select id, 'x' from tasks where key like 'KEY %'",
    ),
    "deletions": ("", "delete from tasks where key like 'KEY %'"),
    "unhealthy dependencies of one task": (
        "insert into external_dependencies (task_id, service)"
        " select first.id, 'KEY' from tasks as first, tasks as task"
        " where first.key = 'first' and task.key like 'KEY %'",
        "update external_dependencies set health = 'unhealthy' where service = 'KEY'",
    ),
    "unhealthy dependencies of one workflow": (
        "with workflow as (insert into workflows (name) values ('KEY') returning id)"
        " insert into external_dependencies (workflow_id, service)"
        " select workflow.id, 'KEY' from workflow, tasks as task where task.key like 'KEY %'",
        "update external_dependencies set health = 'unhealthy' where service = 'KEY'",
    ),
    "tasks of one concurrency key": (
        "with keyed as ("
        "update tasks set concurrency_key = 'KEY' where key like 'KEY %' returning key)"
        " select set_concurrency_limit('KEY', {count} / 2) where exists (select from keyed)",
        "update tasks set status = 'in_progress'"
        " where key like 'KEY %' and substr(key, 3)::int < {count} * 2 / 5",
    ),
    "needs of a workflow": (
        "with workflow as (insert into workflows (name) values ('KEY') returning id)"
        " insert into workflow_steps (workflow_id, key, step_type, position)"
        " select workflow.id, task.key, 'x', substr(task.key, 3)::int + 1"
        " from workflow, tasks as task where task.key like 'KEY %'",
        "insert into workflow_step_needs (workflow_id, step_id, needs_id)"
        " select step.workflow_id, step.id, earlier.id"
        " from workflow_steps as step"
        " inner join workflow_steps as earlier"
        " on earlier.workflow_id = step.workflow_id and earlier.position = step.position - 1"
        " where step.key like 'KEY %'",
    ),
    "a chain of specifications": (
        "insert into technical_specs (title, content)"
        " select key, 'x' from tasks where key like 'KEY %'",
        "insert into spec_dependencies (spec_id, depends_on_id)"
        " select spec.id, spec.earlier_id from ("
        "select id, lag(id) over (order by spec_number) as earlier_id"
        " from technical_specs where title like 'KEY %') as spec"
        " where spec.earlier_id is not null",
    ),
}


def run_on(conn: Connection, what: str, name: str, count: int) -> int:
    """Do *what* to so many new tasks, and return how many pages the statement read."""
    before, statement = (
        text.replace("KEY", name).format(count=count).encode() for text in STATEMENTS[what]
    )
    tasks.create_many(conn, [NewTask(key=f"{name} {n}", title="x") for n in range(count)])
    if before:
        conn.execute(before)
    start = pages_read(conn)
    conn.execute(statement)
    return pages_read(conn) - start


@pytest.mark.parametrize("what", first_of(STATEMENTS, 2))
def test_statement_of_many_tasks_reads_pages_by_their_number_whatever_was_known_before(
    conn: Connection, what: str
) -> None:
    """A session whose plans are from a time when all tables had a page, and were analyzed empty.

    PostgreSQL keeps the plan of a foreign key's check from the sixth on.
    """
    conn.execute("analyze")
    tasks.create(conn, key="first", title="x")
    for name in ("a", "b", "c", "d"):
        run_on(conn, what, name, 3)
    read = [run_on(conn, what, name, count) for name, count in (("e", 500), ("f", 2_000))]

    assert read[1] < 6 * read[0], read


def rows_read(conn: Connection) -> int:
    """Return how many rows and index entries this transaction has read so far."""
    found = conn.execute(
        "select sum(pg_stat_get_xact_tuples_returned(oid))::bigint from pg_class"
        " where relnamespace = 'taskdb'::regnamespace and relkind in ('r', 'i')"
    ).fetchone()
    assert found
    return int(found[0])


def new_session(conn: Connection) -> UUID:
    project = projects.create(conn, name="x", type="web", owner_id="me", codebase={"a.py": "x"})
    job = design.create_job(conn, project_id=project.id)
    design.start_job(conn, job.id)
    return sessions.create(conn, design_job_id=design.complete_job(conn, job.id).id).id


def check_off_new_subtask(conn: Connection, task: str) -> None:
    subtasks.check_off(conn, subtasks.append(conn, task=task, title="x").id)


def recover_from_an_error(conn: Connection, session_id: UUID) -> None:
    error = agent_errors.log(
        conn, session_id=session_id, node="n", error_type="t", message="x" * 100
    )
    agent_errors.mark_recovered(conn, error.id)


def extend(conn: Connection, chain: list[str]) -> None:
    chain.append(specs.create(conn, title="x", content="y").key)
    specs.add_dependency(conn, spec=chain[-1], depends_on=chain[-2])


# Calls that one transaction makes again and again, each with what prepares it.
CALLS: dict[str, tuple[Callable[[Connection], Any], Callable[[Connection, Any], object]]] = {
    "tasks.create": (
        lambda conn: tasks.create(conn, title="x").id,
        lambda conn, parent: tasks.create(conn, title="x", parent_id=parent),
    ),
    "subtasks.append": (lambda conn: tasks.create(conn, title="x").key, check_off_new_subtask),
    "agent_errors.log": (new_session, recover_from_an_error),
    "specs.add_dependency": (lambda conn: [specs.create(conn, title="x", content="y").key], extend),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CALLS)
def test_calls_in_one_transaction_read_rows_by_their_number_whatever_was_known_before(
    conn: Connection, what: str
) -> None:
    """A transaction that began when all tables were analyzed empty, and keeps its plans."""
    prepare, call = CALLS[what]
    conn.execute("analyze")
    for _ in range(7):
        call(conn, prepare(conn))
    read: list[int] = []
    for count in (250, 1_000):
        given = prepare(conn)
        start = rows_read(conn)
        for _ in range(count):
            call(conn, given)
        read.append(rows_read(conn) - start)

    # Ten rows a call are few, whether or not they grow: a scan of a page is a hundred.
    assert read[1] < 6 * max(read[0], 10_000), read
