"""Races for a workflow: its state before, what sessions do, and what is looked at in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import psycopg

from taskdb.errors import ClaimLostError
from taskdb.models import ErrorPolicy, NewStep, NewWorkflow
from taskdb.queries import claims, executions, externals, tasks, workflows

Connection: TypeAlias = psycopg.Connection[Any]


@dataclass(frozen=True)
class Given:
    """Initial state: a workflow of steps a, b, and c, which needs both; it runs, and a does."""

    workflow: UUID
    run: UUID
    attempt: int
    external: UUID


Act: TypeAlias = Callable[[Connection, Given], Any]


@dataclass(frozen=True)
class Race:
    name: str
    first: Act
    second: Act
    # The state in the end.
    then: Callable[[Connection, Given], bool]
    # The second session's error in the end; None: it succeeds.
    loser: type[Exception] | None = None
    # True if it waits for a first one that has not committed yet.
    waits: bool = True

    def begin(self, conn: Connection) -> Given:
        return running(conn)

    def holds(self, conn: Connection, given: Given) -> bool:
        return self.then(conn, given)


def running(conn: Connection) -> Given:
    steps = [
        NewStep(key="a", step_type="job"),
        NewStep(key="b", step_type="job", on_error=ErrorPolicy.CONTINUE),
        NewStep(key="c", step_type="job", needs=["a", "b"]),
        NewStep(
            key="r",
            step_type="job",
            on_error=ErrorPolicy.RETRY,
            max_attempts=3,
            retry_delay=timedelta(hours=1),
        ),
        NewStep(key="d", step_type="job", needs=["a"], condition="$.on == true"),
    ]
    made = workflows.create(conn, NewWorkflow(name="CI"), steps)
    workflows.activate(conn, made.id)
    run = executions.start_execution(conn, made.id)
    begun = executions.start_step(conn, execution_id=run.id, step="a")
    tasks.create(conn, key="t", title="T", workflow_id=made.id)
    external = externals.create(conn, workflow_id=made.id, service="registry", max_retries=0)
    return Given(made.id, run.id, begun.attempt, external.id)


# Acts


def needs(step: str, needed: str) -> Act:
    return lambda conn, given: workflows.add_need(
        conn, workflow_id=given.workflow, step=step, needs=needed
    )


def starts(conn: Connection, given: Given) -> Any:
    return executions.start_execution(conn, given.workflow)


def pauses(conn: Connection, given: Given) -> Any:
    return workflows.pause(conn, given.workflow)


def begins(step: str) -> Act:
    return lambda conn, given: executions.start_step(conn, execution_id=given.run, step=step)


def succeeds(conn: Connection, given: Given) -> Any:
    return executions.complete_step(
        conn, execution_id=given.run, step="a", attempt=given.attempt, context={"by": "first"}
    )


def fails(conn: Connection, given: Given) -> Any:
    return executions.fail_step(
        conn, execution_id=given.run, step="a", attempt=given.attempt, error="broken"
    )


def does(step: str) -> Act:
    """Begin a step and complete it, adding to the context."""

    def act(conn: Connection, given: Given) -> None:
        begun = executions.start_step(conn, execution_id=given.run, step=step)
        executions.complete_step(
            conn, execution_id=given.run, step=step, attempt=begun.attempt, context={step: True}
        )

    return act


def tries(conn: Connection, given: Given) -> Any:
    """Begin a step and fail it: it is to be tried again, in an hour."""
    begun = executions.start_step(conn, execution_id=given.run, step="r")
    return executions.fail_step(
        conn, execution_id=given.run, step="r", attempt=begun.attempt, error="not yet"
    )


def completes(conn: Connection, given: Given) -> Any:
    return executions.complete_execution(conn, given.run)


def cancels(conn: Connection, given: Given) -> Any:
    return executions.cancel_execution(conn, given.run)


def asks(conn: Connection, given: Given) -> Any:
    return executions.next_steps(conn, given.run)


def sees(*, healthy: bool) -> Act:
    return lambda conn, given: externals.record_check(conn, given.external, succeeded=healthy)


def adds_task(conn: Connection, given: Given) -> Any:
    return tasks.create(conn, key="new", title="New", workflow_id=given.workflow)


def joins(conn: Connection, given: Given) -> Any:
    """A task comes to the workflow that was of none."""
    tasks.create(conn, key="new", title="New")
    return tasks.update(conn, "new", workflow_id=given.workflow)


def claims_task(conn: Connection, given: Given) -> Any:
    if claims.claim(conn, key="t", agent="ada") is None:
        raise ClaimLostError("nothing to claim")


# States


def steps_are(**expected: str) -> Callable[[Connection, Given], bool]:
    def holds(conn: Connection, given: Given) -> bool:
        now = {each.key: each.status for each in executions.list_steps(conn, given.run)}
        return expected.items() <= now.items()

    return holds


def ended_as(status: str) -> Callable[[Connection, Given], bool]:
    return lambda conn, given: executions.get(conn, given.run).status == status


def knows(*keys: str) -> Callable[[Connection, Given], bool]:
    return lambda conn, given: executions.get(conn, given.run).context.keys() == set(keys)


def runs(number: int) -> Callable[[Connection, Given], bool]:
    return lambda conn, given: workflows.statistics(conn, given.workflow).execution_count == number


def ready_are(*keys: str) -> Callable[[Connection, Given], bool]:
    return lambda conn, given: {row.key for row in tasks.list_ready(conn)} == set(keys)


def graph_is(*edges: tuple[str, str]) -> Callable[[Connection, Given], bool]:
    def holds(conn: Connection, given: Given) -> bool:
        found = {
            (step.key, need)
            for step in workflows.list_steps(conn, given.workflow)
            for need in step.needs
        }
        return found == {("c", "a"), ("c", "b"), ("d", "a"), *edges}

    return holds
