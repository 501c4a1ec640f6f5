"""Two sessions race for a workflow, at pairs of isolation levels, in both orders of commit.

As in test_races.py: a serialization failure (40001) is retried once, as `Database.retrying`
would; then the second session is told what the race says, and the doctor finds nothing. The
last part takes a guard out, and sees it missed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import IsolationLevel

from taskdb.errors import CircularDependencyError, ClaimLostError, InvalidTransitionError
from taskdb.queries import executions
from tests.arena import Arena
from tests.interleave import LEVELS, READ_COMMITTED, REPEATABLE_READ
from tests.races.workflow_acts import (
    Connection,
    Race,
    adds_task,
    asks,
    begins,
    cancels,
    claims_task,
    completes,
    does,
    ended_as,
    fails,
    graph_is,
    joins,
    knows,
    needs,
    pauses,
    ready_are,
    runs,
    sees,
    starts,
    steps_are,
    succeeds,
    tries,
)

SQL = Path(__file__).parents[2] / "sql"


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


def cases(usual: IsolationLevel) -> pytest.MarkDecorator:
    """All cases; those of other levels than the *usual* one are slow."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(
                (race, pair),
                id=case_name((race, pair)),
                marks=[] if pair == (usual, usual) else pytest.mark.slow,
            )
            for race, pair in CASES
        ],
    )


@cases(usual=READ_COMMITTED)
def test_second_session_waits_for_the_first_and_everything_holds(
    arena: Arena, case: tuple[Race, tuple[IsolationLevel, IsolationLevel]]
) -> None:
    race, pair = case
    outcome = arena.run(race, *pair, waiting=True)

    assert not outcome.broke(race), outcome
    assert outcome.waited == race.waits


@cases(usual=REPEATABLE_READ)
def test_first_session_commits_after_the_snapshot_of_the_second_and_everything_holds(
    arena: Arena, case: tuple[Race, tuple[IsolationLevel, IsolationLevel]]
) -> None:
    race, pair = case
    outcome = arena.run(race, *pair, waiting=False)

    assert not outcome.broke(race), outcome


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
            "set graph_version = workflow.graph_version + 1\n    where workflow.id",
            "set graph_version = workflow.graph_version\n    where false and workflow.id",
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
