"""A call on a small part of a plan does not read the large parts beside it.

Costs are rows that the executor handles.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from taskdb.models import DependencyType, NewDependency, NewStep, NewTask, NewWorkflow, TaskStatus
from taskdb.queries import epics, features, pauses, tasks, workflows
from tests.executed import rows_handled
from tests.shapes import FEATURE, Connection, keys, parents, wide
from tests.statements import statement
from tests.tiers import first_of

MANY = 2_000
FEW = 10
# A small part with the look-ups around it; the large part is far above.
BAR = 500
# Not the catalogue, which the server's other sessions analyze too.
ANALYZE = b"analyze tasks, task_details, task_dependencies, epics, features, claim_pauses"
LARGE_FEATURE, SMALL_FEATURE = "E01-F01", "E02-F01"


def cost(conn: Connection, call: Callable[[], object]) -> int:
    with rows_handled(conn) as handled:
        call()
    return handled.total()


def two_features(conn: Connection) -> None:
    """Make a feature of many tasks, and one of few, of another epic and another agent type."""
    for key, count, agent_type in ((LARGE_FEATURE, MANY, "coder"), (SMALL_FEATURE, FEW, "tester")):
        epic = epics.create(conn, key=key[:3], title="An epic")
        feature = features.create(conn, epic_id=epic.id, key=key, title="A feature")
        new = [
            NewTask(key=f"{key}-{name}", title=name, feature_id=feature.id, agent_type=agent_type)
            for name in keys(count)
        ]
        tasks.create_many(conn, new)


CALLS: dict[str, Callable[[Connection], object]] = {
    "features.progress": lambda conn: features.progress(conn, SMALL_FEATURE),
    "features.update_progress": lambda conn: features.update_progress(conn, SMALL_FEATURE),
    "epics.progress": lambda conn: epics.progress(conn, SMALL_FEATURE[:3]),
    "tasks.list_tasks, of an epic": lambda conn: tasks.list_tasks(
        conn, epic_id=features.get_by_key(conn, SMALL_FEATURE).epic_id
    ),
    "pauses.pause, of a feature": lambda conn: pauses.pause(conn, feature=SMALL_FEATURE),
    "pauses.pause, of an agent type": lambda conn: pauses.pause(conn, agent_type="tester"),
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("mode", first_of(["force_generic_plan", "force_custom_plan"]))
@pytest.mark.parametrize("known", first_of(["empty", "fresh"]))
def test_a_small_feature_or_agent_type_costs_nothing_for_a_large_one(
    superuser: Connection, what: str, mode: str, known: str
) -> None:
    if known == "empty":
        superuser.execute(ANALYZE)
    two_features(superuser)
    if known == "fresh":
        superuser.execute(ANALYZE)
    superuser.execute(b"select set_config('plan_cache_mode', $1, true)", [mode])

    assert cost(superuser, lambda: CALLS[what](superuser)) < BAR


def test_a_task_is_created_beside_many_pauses_as_beside_none(superuser: Connection) -> None:
    two_features(superuser)
    statement(
        superuser,
        "insert into features (epic_id, key, title)"
        " select epic.id, epic.key || '-F' || 1000 + n, 'paused'"
        " from epics as epic, generate_series(1, $1::int) as n where epic.key = 'E01'",
        MANY,
    )
    statement(
        superuser,
        "insert into claim_pauses (feature_id) select id from features where title = 'paused'",
    )
    feature = features.get_by_key(superuser, SMALL_FEATURE)

    created = cost(superuser, lambda: tasks.create(superuser, title="x", feature_id=feature.id))
    paused = cost(superuser, lambda: pauses.pause(superuser, feature=SMALL_FEATURE))

    assert created < BAR
    assert paused < 2 * BAR


def test_a_need_of_the_last_step_is_checked_without_the_steps_before(
    superuser: Connection,
) -> None:
    names = keys(MANY // 2)
    steps = [
        NewStep(key=key, step_type="job", needs=names[place - 1 : place])
        for place, key in enumerate(names)
    ]
    made = workflows.create(superuser, NewWorkflow(name="CI"), steps)
    workflows.remove_need(superuser, workflow_id=made.id, step=names[-1], needs=names[-2])

    def add() -> None:
        workflows.add_need(superuser, workflow_id=made.id, step=names[-1], needs=names[-2])

    assert cost(superuser, add) < BAR


@pytest.mark.slow
def test_a_task_with_two_thousand_levels_of_parts_is_deleted(superuser: Connection) -> None:
    """Each level was once deleted inside the one above, until the server's stack was full."""
    parents(superuser, MANY)

    handled = cost(superuser, lambda: tasks.delete(superuser, keys(1)[0]))

    left = superuser.execute(b"select count(*) from tasks").fetchone()
    assert left == (0,)
    assert handled < 100 * MANY


@pytest.mark.slow
def test_a_bound_task_ends_with_its_blocker_as_among_few(superuser: Connection) -> None:
    two_features(superuser)
    edges = [
        NewDependency(f"{LARGE_FEATURE}-{key}", SMALL_FEATURE, DependencyType.CANCELLED_WITH)
        for key in keys(FEW)
    ]
    tasks.create_many(superuser, [NewTask(key=SMALL_FEATURE, title="x")], edges)

    def cancel() -> None:
        tasks.update_status(superuser, SMALL_FEATURE, status=TaskStatus.CANCELLED)

    assert cost(superuser, cancel) < 4 * BAR


@pytest.mark.slow
def test_a_feature_of_many_tasks_is_paused_where_statistics_know_finished_ones(
    superuser: Connection,
) -> None:
    """Its tasks were once joined, each with each: few seemed to be open."""
    statement(
        superuser,
        "insert into tasks (key, title, status, completed_at)"
        " select 'old ' || n, 'x', 'completed', now() from generate_series(1, $1::int) as n",
        MANY,
    )
    superuser.execute(ANALYZE)
    wide(superuser, MANY // 4)

    def pause() -> None:
        pauses.pause(superuser, feature=FEATURE)
        pauses.resume(superuser, feature=FEATURE)

    assert cost(superuser, pause) < 200 * MANY
