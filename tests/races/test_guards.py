"""Each guard of the triggers is needed: a race that runs without it is found out."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from taskdb.testing.databases import Databases
from tests.arena import Arena
from tests.races.mutant import LOCK, Mutant
from tests.races.race import PAIRS
from tests.races.tables import RACES
from tests.tiers import first_of

WRITE = r"insert into guards.*?;"

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
        r"perform from guards where name = 'pauses' for share;",
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
        r"update tasks as task\s+set has_dependents = true, is_passed_on = true"
        r"\s+where task.id = awaited_id\s+returning(.*?)\s+into (.*?);",
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
        "functions/write_guard.sql",
        "write_guard",
        WRITE,
        "",
        ("x under y, y under x",),
    ),
    Mutant(
        "moves in the tree meet at a lock that leaves no trace",
        "functions/write_guard.sql",
        "write_guard",
        WRITE,
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


@pytest.mark.parametrize("mutant", first_of(MUTANTS, 6), ids=lambda mutant: mutant.name)
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
