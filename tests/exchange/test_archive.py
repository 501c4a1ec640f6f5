"""A workspace as a file: whole, the same bytes for the same data, and back as it was."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor, seed
from taskdb.database import connect
from taskdb.errors import ClaimLostError, InvalidTransitionError, ValidationError
from taskdb.exchange.archive import export_workspace, restore_workspace
from taskdb.models.types import ClaimOutcome, TaskStatus
from taskdb.queries import archive, claims, history, pauses, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller
from tests.plans import Plan, make_plan
from tests.tiers import first_of

Connection = psycopg.Connection[Any]
PLAN = Plan()


@pytest.fixture
def other_url(databases: Databases, template: str) -> Generator[str]:
    """An empty workspace in a database of its own."""
    url = databases.clone(template)
    yield url
    databases.drop(url)


def exported(url: str) -> bytes:
    out = io.BytesIO()
    with connect(url) as conn:
        export_workspace(conn, out)
    return out.getvalue()


def restored(url: str, file: bytes) -> int:
    with connect(url) as conn:
        return restore_workspace(conn, io.BytesIO(file), name="plan.taskdb").revoked_claims


def tables(url: str) -> dict[str, list[str]]:
    with connect(url) as conn:
        return {
            table.name: archive.list_rows(conn, table_name=table.name)
            for table in archive.list_tables(conn)
        }


def with_raised_tokens(rows: list[str]) -> list[dict[str, Any]]:
    raised = [json.loads(row) for row in rows]
    for row in raised:
        row["claim_token"] = 1_000_000
    return raised


def live_at_random(conn: Connection, luck: random.Random) -> None:
    """Claim, end and reopen tasks at random; some claims stay live, and others are paused."""
    pauses.pause(conn, agent_type="nobody", reason="no work")
    for number in range(40):
        claim = claims.claim_next(conn, agent=f"agent-{number % 3}")
        if claim is None:
            return
        match luck.randrange(5):
            case 0:
                claims.complete(conn, task_id=claim.task_id, token=claim.token, note="done")
            case 1:
                claims.fail(conn, task_id=claim.task_id, token=claim.token, error="no")
            case 2:
                claims.release(conn, task_id=claim.task_id, token=claim.token)
            case 3:
                claims.complete(conn, task_id=claim.task_id, token=claim.token)
                status = TaskStatus.PENDING
                tasks.update_status(conn, claim.key, status=status, force=True)
            case _:
                claims.heartbeat(conn, task_id=claim.task_id, token=claim.token, progress=3)


def fill(url: str) -> str:
    """Make a small plan, one task completed, one under a claim."""
    with connect(url) as conn:
        make_plan(conn)
        done = claims.claim(conn, key=PLAN.design, agent="ann")
        assert done is not None
        claims.complete(conn, task_id=done.task_id, token=done.token)
        assert claims.claim(conn, key=PLAN.chore, agent="ann") is not None
    return url


@pytest.fixture
def small(database_url: str) -> str:
    return fill(database_url)


@pytest.fixture(scope="module")
def small_file(databases: Databases, template: str) -> bytes:
    """An export of the small plan."""
    url = databases.clone(template)
    file = exported(fill(url))
    databases.drop(url)
    return file


@pytest.mark.parametrize("number", first_of([1, 2, 3]))
def test_random_workspaces_come_back_equal_table_by_table(
    database_url: str, other_url: str, number: int
) -> None:
    with connect(database_url) as conn:
        for _ in seed.steps(conn, tasks=200, seed=number):
            pass
    with connect(database_url) as conn:
        live_at_random(conn, random.Random(number))
        live = {str(row.task_id) for row in claims.list_live(conn, limit=1000)}
    before = tables(database_url)

    revoked = restored(other_url, exported(database_url))

    after = tables(other_url)
    in_progress = {
        json.loads(row)["id"] for row in before["tasks"] if json.loads(row)["claim_agent"]
    }
    assert in_progress >= live > set()
    assert revoked == len(in_progress)
    touched = {"tasks", "task_history", "file_locks", "concurrency_slots"}
    assert {name: rows for name, rows in after.items() if name not in touched} == {
        name: rows for name, rows in before.items() if name not in touched
    }
    for row, came in zip(
        with_raised_tokens(before["tasks"]), map(json.loads, after["tasks"]), strict=True
    ):
        if row["id"] in in_progress:
            assert came["claim_token"] == row["claim_token"]
            assert (came["status"], came["claim_agent"]) != ("in_progress", None)
        else:
            assert came == row
    history_before, history_after = set(before["task_history"]), set(after["task_history"])
    assert history_before < history_after
    assert len(history_after - history_before) == revoked
    with connect(other_url) as conn:
        assert doctor.run(conn) == []


@pytest.mark.slow
def test_random_workspace_has_rows_in_every_table_but_three(database_url: str) -> None:
    with connect(database_url) as conn:
        for _ in seed.steps(conn, tasks=200, seed=1):
            pass
        live_at_random(conn, random.Random(1))

    empty = {name for name, rows in tables(database_url).items() if not rows}

    assert empty <= {"imported_tasks", "file_locks", "concurrency_slots"}


def test_every_table_of_the_workspace_is_exported_after_those_it_refers_to(
    conn: Connection,
) -> None:
    names = [table.name for table in archive.list_tables(conn)]

    there = conn.execute(
        "select tablename from pg_tables"
        " where schemaname = current_schema() and tablename not like '\\_%'"
    ).fetchall()
    assert sorted(names) == sorted(name for (name,) in there)
    references = conn.execute(
        "select distinct conrelid::regclass::text, confrelid::regclass::text from pg_constraint"
        " where contype = 'f' and conrelid <> confrelid"
        " and connamespace = current_schema()::regnamespace"
    ).fetchall()
    assert len(references) > 20
    assert [(a, b) for a, b in references if names.index(a) < names.index(b)] == []


@pytest.mark.slow
def test_the_same_data_give_the_same_bytes_whatever_the_session_is_set_to(small: str) -> None:
    first = exported(small)
    out = io.BytesIO()
    with connect(small) as conn:
        conn.execute("set timezone = 'Asia/Kolkata'; set intervalstyle = 'iso_8601'")
        conn.execute("set bytea_output = 'escape'; set datestyle = 'German'")
        conn.commit()
        export_workspace(conn, out)

    assert out.getvalue() == first


def test_export_is_one_snapshot(small: str) -> None:
    class Meddling(io.BytesIO):
        """Adds a task while the export runs."""

        def write(self, line: Any) -> int:
            if b'"table":"epics"' in line:
                with connect(small) as conn:
                    tasks.create(conn, key="late", title="Late")
            return super().write(line)

    out = Meddling()
    with connect(small) as conn:
        export_workspace(conn, out)

    assert b'"late"' not in out.getvalue()
    with connect(small) as conn:
        assert tasks.get_by_key(conn, "late").title == "Late"


def test_a_token_from_the_old_workspace_is_stale_in_the_new_one(small: str, other_url: str) -> None:
    with connect(small) as conn:
        [live] = claims.list_live(conn)

    assert restored(other_url, exported(small)) == 1

    with connect(other_url) as conn:
        assert tasks.get_by_key(conn, PLAN.chore).status == "pending"
        [attempt] = claims.list_for_task(conn, PLAN.chore)
        assert attempt.outcome is ClaimOutcome.REVOKED
        assert history.list_for_task(conn, PLAN.chore)[-1].note == (
            "the workspace was restored from a file"
        )
        again = claims.claim(conn, key=PLAN.chore, agent="bob")
        assert again is not None
        assert again.token == 1_000_001
    with connect(other_url) as conn, pytest.raises(ClaimLostError):
        claims.complete(conn, task_id=live.task_id, token=live.token)


@pytest.mark.slow
def test_a_claim_that_begins_later_in_the_old_workspace_is_stale_in_the_new_one(
    small: str, other_url: str
) -> None:
    file = exported(small)
    with connect(small) as conn:
        ahead = claims.claim(conn, key=PLAN.build, agent="ann")
        assert ahead is not None
    restored(other_url, file)
    with connect(other_url) as conn:
        there = claims.claim(conn, key=PLAN.build, agent="bob")
        assert there is not None

    with connect(other_url) as conn, pytest.raises(ClaimLostError):
        claims.complete(conn, task_id=ahead.task_id, token=ahead.token)


def test_a_transition_that_was_forbidden_is_forbidden_in_the_restored_workspace(
    small: str, other_url: str
) -> None:
    with connect(small, autocommit=True) as conn:
        conn.execute(
            b"delete from task_status_transitions"
            b" where old_status = 'in_progress' and new_status = 'completed'"
        )

    restored(other_url, exported(small))

    with connect(other_url) as conn:
        held = claims.claim(conn, key=PLAN.chore, agent="ann")
        assert held is not None
        with pytest.raises(InvalidTransitionError), conn.transaction():
            claims.complete(conn, task_id=held.task_id, token=held.token)


@pytest.mark.slow
def test_each_restore_raises_tokens_to_the_next_million(
    small: str, other_url: str, databases: Databases, template: str
) -> None:
    restored(other_url, exported(small))
    with connect(other_url) as conn:
        for agent in ("ann", "bob"):
            held = claims.claim(conn, key=PLAN.chore, agent=agent)
            assert held is not None
            claims.release(conn, task_id=held.task_id, token=held.token)
        assert doctor.run(conn) == []
    third_url = databases.clone(template)

    restored(third_url, exported(other_url))

    with connect(third_url) as conn:
        again = claims.claim(conn, key=PLAN.chore, agent="ann")
        assert again is not None
        assert again.token == 2_000_001
        tokens = [attempt.token for attempt in claims.list_for_task(conn, PLAN.chore)]
        assert sorted(tokens) == [1, 1_000_001, 1_000_002, 2_000_001]
        assert doctor.run(conn) == []
    databases.drop(third_url)


@pytest.mark.slow
def test_new_tasks_are_numbered_on_where_the_old_workspace_was(
    database_url: str, other_url: str
) -> None:
    with connect(database_url) as conn:
        for title in ("One", "Two"):
            tasks.create(conn, title=title)

    restored(other_url, exported(database_url))

    with connect(other_url) as conn:
        assert tasks.create(conn, title="Three").key == "T-3"
        assert doctor.run(conn) == []


def altered(line: int, change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    def alter(lines: list[bytes]) -> list[bytes]:
        return [*lines[: line - 1], change(lines[line - 1]), *lines[line:]]

    return alter


DAMAGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "empty": (lambda lines: [], "line 1 is missing: the file is empty"),
    "no head": (lambda lines: lines[1:], "line 1 is not as it was written"),
    "another file": (lambda lines: [b'{"id": "bd-1"}\n'], "line 1 is not whole, or no line"),
    "a letter": (
        altered(9, lambda line: line.replace(b"a", b"b", 1)),
        "line 9 is not as it was written: its checksum is another",
    ),
    "a checksum": (
        altered(9, lambda line: line[:8] + b"\xff" + line[9:]),
        "line 9 is not as it was written",
    ),
    "a line gone": (lambda lines: lines[:19] + lines[20:], "line 20 is not as it was written"),
    "two lines swapped": (
        lambda lines: [*lines[:9], lines[10], lines[9], *lines[11:]],
        "line 10 is not as it was written",
    ),
    "a line twice": (
        lambda lines: [*lines[:10], lines[9], *lines[10:]],
        "line 11 is not as it was written",
    ),
    "cut in a line": (
        lambda lines: [*lines[:30], lines[30][:40]],
        "line 31 is not whole, or no line of an export",
    ),
    "cut between lines": (lambda lines: lines[:-1], "is missing: the file ends early"),
    "something behind it": (lambda lines: [*lines, lines[0]], "is not as it was written"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_refused_with_its_line_and_nothing_is_kept(
    small_file: bytes, shared_database_url: str, damage: str
) -> None:
    damaged, words = DAMAGES[damage]
    lines = damaged(small_file.splitlines(keepends=True))

    with connect(shared_database_url) as conn:
        with pytest.raises(ValidationError) as caught:
            restore_workspace(conn, lines, name="plan.taskdb")

        assert words in str(caught.value)
        assert caught.value.where is not None
        assert caught.value.where.startswith("plan.taskdb:")
    with connect(shared_database_url) as conn:
        assert conn.execute("select count(*) from tasks").fetchone() == (0,)
        assert conn.execute(
            "select count(*) from pg_trigger where tgenabled = 'D' and not tgisinternal"
        ).fetchone() == (0,)
        assert doctor.run(conn) == []


def forged(file: bytes, old: bytes, new: bytes) -> bytes:
    """Alter an export as somebody does who writes the checksums again."""
    digest, lines = hashlib.sha256(), []
    for line in file.replace(old, new).splitlines(keepends=True):
        rest = line[len(b'{"sum":"0123456789abcdef",') : -1]
        digest.update(rest)
        lines.append(b'{"sum":"%s",%s\n' % (digest.hexdigest()[:16].encode(), rest))
    return b"".join(lines)


NUMBERS = b'"sequence":{"name":"task_number"'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (NUMBERS, b'"sequence":{"name":"other.task_number"', "has sequence other.task_number,"),
        (NUMBERS, b'"sequence":{"name":"task_graph_rank"', "sets the sequence task_graph_rank a"),
        (NUMBERS, b'"sequence":{"mine":1,"name":"task_number"', "must give last_value and"),
        (NUMBERS + b",", b'"sequence":[1],"x":{', "is no line of an export"),
        (b'"sequence":{"name":"task_number",', b'"x":{', "is no line of an export"),
        (b'"last_value":1,', b'"last_value":"x",', "ends a file that the workspace refuses"),
        (b'"last_value":1,', b'"last_value":-7,', "ends a file that the workspace refuses"),
        (b'"row":{', b'"row":{{', "is no JSON"),
        (b'"row":{', b'"row":' + b"[" * 2000 + b"{", "is no JSON"),
        (b'"row":{', b'"row":7,"x":{', "is refused by"),
    ],
)
def test_a_forged_file_is_refused_with_its_line(
    small_file: bytes, other_url: str, old: bytes, new: bytes, words: str
) -> None:
    """A restore runs with the rights of the owner, and a checksum is no signature."""
    assert old in small_file

    with pytest.raises(ValidationError, match=r"line \d+ ") as caught:
        restored(other_url, forged(small_file, old, new))

    assert words in str(caught.value)


@pytest.mark.slow
def test_workspace_with_rows_is_refused(small: str) -> None:
    file = exported(small)

    with pytest.raises(ValidationError, match="must be empty, and has rows in epics"):
        restored(small, file)

    assert exported(small) == file


@pytest.mark.slow
def test_a_file_of_another_schema_is_refused(small: str, other_url: str) -> None:
    with connect(other_url) as conn:
        conn.execute("alter table epics add column mood text")
        conn.commit()

    with pytest.raises(ValidationError, match="has other columns of epics than this workspace"):
        restored(other_url, exported(small))


def test_the_command_line_exports_and_restores(
    small: str, other_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.taskdb"

    wrote = Caller(capsys, small)("export", "--format", "taskdb", "-o", path)
    came = Caller(capsys, other_url)("import", "taskdb", path)
    again = Caller(capsys, other_url)("import", "taskdb", path)
    strict = Caller(capsys, other_url)("import", "taskdb", path, "--strict")

    assert (wrote.status, wrote.out) == (0, "")
    assert path.read_bytes() == exported(small)
    assert came.status == 0
    assert "  tasks: 6\n" in came.out
    assert came.out.endswith("  live claims revoked: 1\n")
    assert (again.status, "must be empty" in again.err) == (1, True)
    assert (strict.status, "--strict is not for the kind taskdb" in strict.err) == (2, True)


def test_a_failed_export_leaves_no_file(
    capsys: pytest.CaptureFixture[str], small: str, tmp_path: Path
) -> None:
    with connect(small) as conn:
        conn.execute("drop function export_rows")
        conn.commit()

    failed = Caller(capsys, small)("export", "-o", tmp_path / "plan.taskdb")

    assert failed.status == 1
    assert list(tmp_path.iterdir()) == []
