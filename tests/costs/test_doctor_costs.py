"""Each check of the doctor costs about twice as much on a plan of twice the size.

The plans are of extreme shapes, sound ones and broken ones: a doctor that takes hours where
everything is wrong is of no use. Costs are rows that the executor handles.
"""

from __future__ import annotations

from collections import Counter

import pytest

from taskdb.admin import doctor
from taskdb.models import SpecType
from taskdb.queries import specs
from tests.admin.breaking import break_it
from tests.executed import rows_handled
from tests.shapes import SHAPES, Connection, Shape, wide
from tests.statements import statement
from tests.tiers import first_of

# A check that reads the whole plan twice as often as it should is far above; hash tables and sorts
# of a few hundred rows more or less are below.
GROWTH = 2.5
SMALL = 1_000


def pauses(conn: Connection, size: int) -> None:
    """As many features as tasks, and claiming is paused for each."""
    wide(conn, size)
    statement(
        conn,
        "insert into features (epic_id, key, title)"
        " select epic.id, epic.key || '-F' || 100 + n, 'more'"
        " from epics as epic, generate_series(1, $1::int) as n",
        size,
    )
    statement(
        conn, "insert into claim_pauses (feature_id) select id from features where title = 'more'"
    )


def files(conn: Connection, size: int) -> None:
    """All are implementation tasks, and all want files of one of them, which is in progress."""
    wide(conn, size)
    structure = {"phases": [{"name": "all"}]}
    specs.create(conn, title="Spec", spec_type=SpecType.HIERARCHICAL, structure=structure)
    statement(
        conn,
        "insert into implementation_tasks (task_id, spec_id, scope, branch_name, assigned_files)"
        " select task.id, spec.id, 'all', task.key, array['shared.py', task.key]"
        " from tasks as task, technical_specs as spec",
    )
    statement(conn, "update tasks set status = 'in_progress' where key = 't000000'")


def bound(conn: Connection, size: int) -> None:
    """All end with one of them, and do; some were reopened since."""
    wide(conn, size)
    statement(
        conn,
        "insert into task_dependencies (task_id, depends_on_id, dependency_type)"
        " select task.id, blocker.id, 'cancelled_with' from tasks as task, tasks as blocker"
        " where task.key <> 't000000' and blocker.key = 't000000'",
    )
    statement(conn, "update tasks set status = 'cancelled' where key = 't000000'")
    statement(
        conn,
        "update tasks set status = 'pending', status_forced = true"
        " where key <> 't000000' and key like '%0'",
    )


def concurrency(conn: Connection, size: int) -> None:
    """All have one concurrency key, and one is in progress."""
    wide(conn, size)
    statement(conn, "update tasks set concurrency_key = 'repo'")
    statement(conn, "update tasks set status = 'in_progress' where key = 't000000'")


SOUND = {
    **SHAPES,
    **{shape.__name__: shape for shape in (pauses, files, bound, concurrency)},
}

# Breaks every promise that a statement can break, for every task.
ALL_WRONG = (
    "update tasks set open_dependencies = open_dependencies + 1, effective_priority = 1,"
    " is_ready = not is_ready, blocked_reason = 'x', failed_attempts = 20, claim_token = 7,"
    " has_dependents = false, place = 3, unhealthy_dependencies = 2, status_forced = true,"
    " workflow_is_healthy = false, completed_at = '2020-01-01', progress_note = 'x',"
    " graph_rank = 0",
    "update tasks set status = 'in_progress', claim_agent = 'eve' where key <> 't000000'",
    "update task_dependencies set is_satisfied = not is_satisfied",
    "update task_details set parent_id = null where parent_id = task_id",
    "update task_details set priority = 1, parent_id = (select id from tasks where key ="
    " (select max(key) from tasks)) where task_id = (select id from tasks where key = 't000000')",
    "update task_history set created_at = '2999-01-01', outcome = 'failed', token = 9",
    "delete from task_search",
    "delete from file_locks",
    "delete from concurrency_slots",
)


def costs(conn: Connection, shape: Shape, size: int, *broken: str) -> tuple[Counter[str], int]:
    """Return what each query of the doctor costs on a plan, and the number of findings."""
    shape(conn, size)
    if broken:
        break_it(conn, *broken)
    with rows_handled(conn) as handled:
        found = doctor.run(conn)
    conn.rollback()
    return handled, len(found)


def dear(once: Counter[str], twice: Counter[str]) -> dict[str, tuple[int, int]]:
    """Return the queries that cost much more on the plan of twice the size."""
    return {
        name: (once[name], cost)
        for name, cost in twice.items()
        if cost > GROWTH * once[name] + 1000
    }


@pytest.mark.parametrize("shape", first_of(SOUND.values(), 2), ids=SOUND.keys())
def test_each_check_of_a_sound_plan_costs_twice_as_much_on_twice_the_plan(
    superuser: Connection, shape: Shape
) -> None:
    once, nothing = costs(superuser, shape, SMALL)
    twice, _ = costs(superuser, shape, 2 * SMALL)

    assert nothing == 0
    assert dear(once, twice) == {}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SOUND.values(), ids=SOUND.keys())
def test_the_checks_of_a_plan_where_all_is_wrong_do_too(
    superuser: Connection, shape: Shape
) -> None:
    once, found = costs(superuser, shape, SMALL, *ALL_WRONG)
    twice, _ = costs(superuser, shape, 2 * SMALL, *ALL_WRONG)

    assert found > SMALL or shape is SHAPES["long_history"]
    # In all: of a check that finds everything, the planner sorts in one way or another.
    assert twice.total() < GROWTH * once.total() + 1000


@pytest.mark.slow
def test_a_chain_of_parents_of_five_thousand_reads_each_a_few_times(superuser: Connection) -> None:
    """Each level once read the whole table: 5,000 levels read 25 million rows."""
    handled, nothing = costs(superuser, SHAPES["parents"], 5_000)

    assert nothing == 0
    assert handled["doctor.tasks_below_no_root"] < 20 * 5_000
