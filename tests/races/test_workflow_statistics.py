"""Fifty executions of one workflow at once leave exact statistics."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from psycopg import IsolationLevel

from taskdb.admin import doctor
from taskdb.database import Database, connect
from taskdb.models import Execution, ExecutionStep, NewStep, NewWorkflow
from taskdb.queries import executions, tasks, workflows
from tests.interleave import LEVELS
from tests.races.workflow_acts import Connection

# Calls something with a connection, and returns what that returns.
Caller: TypeAlias = Callable[[Callable[[Connection], Any]], Any]


def call_alone(database: Database, level: IsolationLevel) -> Caller:
    """Each call is a transaction of its own, as a runner would have it, and tried as by default."""
    return lambda act: database.retrying(act, isolation=level)


def run_once(call: Caller, workflow: UUID, number: int) -> None:
    """Start an execution, work its steps off, and end it; every third one fails."""
    run: Execution = call(
        lambda conn: executions.start_execution(conn, workflow, triggered_by=f"runner-{number}")
    )
    call(
        lambda conn: tasks.create(
            conn, title="T", workflow_id=workflow, workflow_execution_id=run.id
        )
    )
    for key in ("a", "b"):
        (step,) = call(lambda conn: executions.next_steps(conn, run.id))
        attempt = {"execution_id": run.id, "step": step.key}
        begun: ExecutionStep = call(partial(executions.start_step, **attempt))
        attempt |= {"attempt": begun.attempt, "context": {key: 1}}
        call(partial(executions.complete_step, **attempt))
    if number % 3:
        call(lambda conn: executions.complete_execution(conn, run.id))
    else:
        call(lambda conn: executions.fail_execution(conn, run.id, error="unlucky"))


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize("whole", [False, True], ids=["a transaction a call", "one transaction"])
def test_fifty_executions_of_one_workflow_at_once_leave_exact_statistics(
    database_url: str, level: IsolationLevel, whole: bool
) -> None:
    """Ten runners, each five times. One transaction for all of a run is the hardest case:
    at SERIALIZABLE it reads the pages of the indexes in which all others insert."""
    steps = [
        NewStep(key="a", step_type="job"),
        NewStep(key="b", step_type="job", needs=["a"]),
    ]
    with connect(database_url) as conn:
        made = workflows.create(conn, NewWorkflow(name="CI"), steps)
        workflows.activate(conn, made.id)
    barrier = threading.Barrier(10)
    errors: list[Exception] = []

    with Database(database_url, pool_max=10, pool_min=10) as database:

        def all_at_once(number: int, conn: Connection) -> None:
            run_once(lambda act: act(conn), made.id, number)

        def runner(first: int) -> None:
            try:
                barrier.wait(30)
                for number in range(first, first + 5):
                    if whole:
                        work = partial(all_at_once, number)
                        database.retrying(work, isolation=level, attempts=50)
                    else:
                        run_once(call_alone(database, level), made.id, number)
            except Exception as error:  # noqa: BLE001
                errors.append(error)

        threads = [threading.Thread(target=runner, args=(5 * n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert errors == []
    with connect(database_url) as conn:
        figures = workflows.statistics(conn, made.id)
        assert (figures.execution_count, figures.completed_count, figures.failed_count) == (
            50,
            33,
            17,
        )
        assert figures.running_count == 0
        recent = workflows.performance_metrics(conn, made.id, days=1)
        assert (recent.execution_count, recent.total_tasks) == (50, 50)
        runs = executions.list_executions(conn, workflow_id=made.id)
        assert {run.triggered_by for run in runs} == {f"runner-{n}" for n in range(50)}
        assert all(run.context == {"a": 1, "b": 1} for run in runs)
        assert doctor.run(conn) == []
