"""Two sessions race for a workflow, at pairs of isolation levels, in both orders of commit.

As in test_races.py: a serialization failure (40001) is retried once, as `Database.retrying`
would; then the second session is told what the race says, and the doctor finds nothing. The
last part takes a guard out, and sees it missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
import pytest
from psycopg import IsolationLevel

from taskdb.admin import doctor
from taskdb.database import Database, connect
from taskdb.errors import CircularDependencyError, ClaimLostError, InvalidTransitionError
from taskdb.models import (
    ErrorPolicy,
    Execution,
    ExecutionStep,
    NewStep,
    NewWorkflow,
)
from taskdb.queries import claims, executions, externals, tasks, workflows
from tests.arena import Arena
from tests.interleave import LEVELS

Connection: TypeAlias = psycopg.Connection[Any]

SQL = Path(__file__).parents[2] / "sql"


@dataclass(frozen=True)
class Given:
    """Initial state: a workflow of steps a, b, and c, which needs both; it runs, and a does."""

    workflow: UUID
    run: UUID
    attempt: int
    external: UUID


Act: TypeAlias = Callable[[Connection, Given], Any]
# Calls something with a connection, and returns what that returns.
Caller: TypeAlias = Callable[[Callable[[Connection], Any]], Any]


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


Lost = ClaimLostError
Refused = InvalidTransitionError

RACES = [
    # The graph
    Race(
        "a needs b, b needs a",
        needs("a", "b"),
        needs("b", "a"),
        graph_is(("a", "b")),
        CircularDependencyError,
    ),
    Race(
        "a needs b, b needs d, which needs a",
        needs("a", "b"),
        needs("b", "d"),
        graph_is(("a", "b")),
        CircularDependencyError,
    ),
    Race(
        "two needs that close nothing",
        needs("d", "b"),
        needs("b", "a"),
        graph_is(("d", "b"), ("b", "a")),
    ),
    # Starting
    Race("two starts", starts, starts, runs(3), waits=False),
    Race("a pause, and a start", pauses, starts, runs(1), Refused),
    Race("a start, and a pause", starts, pauses, runs(2)),
    # Recording
    Race("two recorders of one success", succeeds, succeeds, steps_are(a="completed"), Lost),
    Race("a success, and a failure", succeeds, fails, steps_are(a="completed"), Lost),
    Race("a failure, and a success", fails, succeeds, steps_are(a="failed", b="cancelled"), Lost),
    Race("two that begin one step", begins("b"), begins("b"), steps_are(b="in_progress"), Refused),
    Race(
        "an attempt that fails, and another one too early",
        tries,
        begins("r"),
        steps_are(r="retrying"),
        Refused,
    ),
    Race("two steps that add to the context", succeeds, does("b"), knows("by", "b")),
    Race(
        "two steps that add to the context, the other way round",
        does("b"),
        succeeds,
        knows("by", "b"),
    ),
    Race(
        "the two last needs of a step done at once",
        does("b"),
        succeeds,
        lambda conn, given: "c" in {each.key for each in executions.next_steps(conn, given.run)},
    ),
    Race(
        "a failure that stops, and another step",
        fails,
        begins("b"),
        steps_are(b="cancelled"),
        Refused,
    ),
    Race(
        "another step, and a failure that stops",
        begins("b"),
        fails,
        steps_are(a="failed", b="cancelled"),
    ),
    Race(
        "a skip, and the end",
        lambda c, g: (succeeds(c, g), asks(c, g)),
        cancels,
        steps_are(a="completed", d="skipped", b="cancelled"),
    ),
    Race(
        "a cancellation, and what comes next", cancels, asks, steps_are(a="cancelled"), waits=False
    ),
    # Ending
    Race("a completion, and a cancellation", completes, cancels, ended_as("completed"), Refused),
    Race("a cancellation, and a completion", cancels, completes, ended_as("cancelled"), Refused),
    Race("two completions", completes, completes, ended_as("completed"), Refused),
    Race("a completion, and a success", completes, succeeds, steps_are(a="cancelled"), Lost),
    Race("a success, and a completion", succeeds, completes, steps_are(a="completed")),
    Race(
        "a completion, and a step begun", completes, begins("b"), steps_are(b="cancelled"), Refused
    ),
    Race("a step begun, and a completion", begins("b"), completes, steps_are(b="cancelled")),
    # Health
    Race("an outage, and a new task", sees(healthy=False), adds_task, ready_are()),
    Race("a new task, and an outage", adds_task, sees(healthy=False), ready_are()),
    Race("an outage, and a task that comes", sees(healthy=False), joins, ready_are()),
    Race("a task that comes, and an outage", joins, sees(healthy=False), ready_are()),
    Race("an outage, and a claim", sees(healthy=False), claims_task, ready_are(), Lost),
    Race("a claim, and an outage", claims_task, sees(healthy=False), ready_are()),
    Race("an outage, and a recovery", sees(healthy=False), sees(healthy=True), ready_are("t")),
    Race("an outage, and a start", sees(healthy=False), starts, runs(2)),
]


PAIRS = [(first, second) for first in LEVELS for second in LEVELS]
# A guard of its own meets every pair of levels; what locks rows as all do, equal ones.
GUARDED = {race.name for race in RACES if race.name.startswith(("a needs", "a pause", "an outage"))}
CASES = [
    (race, pair) for race in RACES for pair in PAIRS if race.name in GUARDED or pair[0] == pair[1]
]


def case_name(case: tuple[Race, tuple[IsolationLevel, IsolationLevel]]) -> str:
    race, pair = case
    levels = "-".join("".join(word[0] for word in level.name.split("_")) for level in pair)
    return f"{race.name}: {levels}"


# Sessions of one level in each run, of two in the slow one.
SHOWN = [
    pytest.param(
        (race, pair),
        id=case_name((race, pair)),
        marks=[] if pair[0] is pair[1] else pytest.mark.slow,
    )
    for race, pair in CASES
]


@pytest.mark.parametrize("case", SHOWN)
def test_second_session_waits_for_the_first_and_everything_holds(
    arena: Arena, case: tuple[Race, tuple[IsolationLevel, IsolationLevel]]
) -> None:
    race, pair = case
    outcome = arena.run(race, *pair, waiting=True)

    assert not outcome.broke(race), outcome
    assert outcome.waited == race.waits


@pytest.mark.parametrize("case", SHOWN)
def test_first_session_commits_after_the_snapshot_of_the_second_and_everything_holds(
    arena: Arena, case: tuple[Race, tuple[IsolationLevel, IsolationLevel]]
) -> None:
    race, pair = case
    outcome = arena.run(race, *pair, waiting=False)

    assert not outcome.broke(race), outcome


# Many at once


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


# Without the guards


def replaced(conn: Connection, file: str, old: str, new: str) -> None:
    """Create a function of the schema again, with one piece of its text exchanged."""
    text = (SQL / file).read_text("utf-8")
    function = text[text.index("create function") : text.index("$$;") + 3]
    assert old in function
    function = function.replace("create function", "create or replace function", 1)
    conn.execute(function.replace(old, new).encode())


def missed(arena: Arena, race: Race, file: str, old: str, new: str) -> bool:
    """Return whether any interleaving breaks something without a guard."""
    replaced(arena.conn, file, old, new)
    try:
        return any(
            arena.run(race, *pair, waiting=waiting).broke(race)
            for waiting in (True, False)
            for pair in PAIRS
        )
    finally:
        arena.clear()
        replaced(arena.conn, file, old, old)


def named(name: str) -> Race:
    return next(race for race in RACES if race.name == name)


@pytest.mark.parametrize(
    ("race", "file", "old", "new"),
    [
        pytest.param(
            "a needs b, b needs a",
            "triggers/workflow_step_needs_60_refuse_cycle.sql",
            "set graph_version = workflow.graph_version + 1\n    where workflow.id = any(ids)",
            "set graph_version = workflow.graph_version\n    where false",
            id="the guard is only locked",
        ),
        pytest.param(
            "a pause, and a start",
            "triggers/workflow_executions_10_refuse_idle_workflow.sql",
            "    for share;",
            "    for key share;",
            id="who starts does not wait for who pauses",
        ),
        pytest.param(
            "an outage, and a new task",
            "functions/health_of_workflow.sql",
            "    for key share;",
            "    ;",
            id="a new task does not wait for an outage",
        ),
    ],
)
def test_without_its_guard_a_race_is_lost(
    arena: Arena, race: str, file: str, old: str, new: str
) -> None:
    assert missed(arena, named(race), file, old, new)
