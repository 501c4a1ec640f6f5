"""Random programs keep every promise, and each known mutant breaks one within a minute.

`make soak MINUTES=10` runs longer, `make mutants` the mutants. The seed is fresh, and printed.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import IsolationLevel

from taskdb.database import connect
from taskdb.queries import claims, tasks
from tests.soak.judge import judge
from tests.soak.program import Block, Client, Op, Program
from tests.soak.run import Place, run
from tests.soak.soak import soak

ROOT = Path(__file__).parents[2]
SECONDS = 8
# The mutants: (files, the text, its replacement).
MUTANTS = {
    "no fence": (
        ["sql/queries/claims.sql"],
        "and task.claim_token = :token",
        "and task.claim_token >= :token",
    ),
    "no guard against cycles": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "if not is_ranked then",
        "if false then",
    ),
    "no lock of what waits": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "where task.id = given.id for no key update offset 0",
        "where task.id = given.id offset 0",
    ),
    "wrong lock order": (
        ["sql/queries/claims.sql"],
        "    order by task.id\n    for no key update of task\n),\n\nended",
        "    order by task.id desc\n    for no key update of task\n),\n\nended",
    ),
    "no slot check": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "            then\n                return false;",
        "            then\n                return true;",
    ),
    "cancelled_with ignored": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "ids := doomed_dependents(of_task);",
        "ids := null;",
    ),
    "request_id not stored": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "claim_request_id = request_id,",
        "claim_request_id = null,",
    ),
    "versions not compared": (
        ["migrations/workspace/0001.create-workspace.sql"],
        "if present <> expected then",
        "if false then",
    ),
    "no retry": (
        ["taskdb/database/pool.py", "taskdb/database/pool_async.py"],
        "pause = self._pause(number, attempts, exc)",
        "raise",
    ),
}


@pytest.mark.slow
def test_random_programs_keep_every_promise(database_url: str) -> None:
    seed = int(os.environ.get("SOAK_SEED", "0")) or random.randrange(1, 10**9)

    result = soak(Place(database_url), seed=seed, seconds=SECONDS)

    print(result)
    assert result.finding is None, result
    assert result.programs > 0


@pytest.mark.parametrize("is_async", [False, True])
def test_judge_sees_a_lost_claim_and_a_trace_of_what_was_rolled_back(
    database_url: str, is_async: bool
) -> None:
    level = IsolationLevel.READ_COMMITTED
    kept = Block(level, (Op("claim_next", (0, 0, 1)),))
    undone = Block(level, (Op("create", (0, 0, 0)),), end="rollback")
    program = Program("all", (Client(is_async, (kept, undone)),))
    world = run(Place(database_url), program)
    with connect(database_url, autocommit=True) as conn:
        assert judge(conn, program, world) == []
        (attempt, _) = world.log
        # As if the database had forgotten the one, and kept the other.
        attempt.events[0].answer.token = 2
        tasks.create(conn, title="left behind", created_by="c0b1a1o0")

        found = judge(conn, program, world)

    assert found == [
        "create c0b1a1o0 was not committed, and left a trace",
        "claim_next c0b0a1o0 was told of claim 2, which is not there",
    ] or sorted(found) == [
        "claim_next c0b0a1o0 was told of claim 2, which is not there",
        "create c0b1a1o0 was not committed, and left a trace",
    ]


@pytest.mark.slow
def test_judge_sees_a_history_that_was_changed_behind_the_triggers(database_url: str) -> None:
    level = IsolationLevel.READ_COMMITTED
    program = Program("all", (Client(False, (Block(level, (Op("claim_next", (0, 0, 1)),)),)),))
    world = run(Place(database_url), program)
    with connect(database_url, autocommit=True) as conn:
        (claim,) = claims.list_live(conn)
        conn.execute(b"alter table tasks disable trigger user")
        conn.execute(
            b"update tasks set claim_token = 2, claim_agent = 'eve' where id = $1", (claim.task_id,)
        )

        found = judge(conn, program, world)

    assert any("by its history" in one for one in found)


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", MUTANTS)
def test_known_mutant_is_found_within_a_minute(tmp_path: Path, mutant: str) -> None:
    for part in ("taskdb", "sql", "migrations", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    files, old, new = MUTANTS[mutant]
    for name in files:
        text = (tmp_path / name).read_text()
        assert old in text, f"{name} has changed: write the mutant anew"
        count = 1 if mutant == "wrong lock order" else -1
        (tmp_path / name).write_text(text.replace(old, new, count))

    command = [sys.executable, "-m", "tests.soak", "--minutes", "1", "--no-shrinking"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    print(done.stdout)
    assert "FINDING" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
