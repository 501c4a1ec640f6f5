"""A migration run that is cut off at each of its statements, and run again."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from psycopg import sql

from taskdb import migrations
from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.errors import TaskdbError
from taskdb.queries import claims, tasks
from tests.faults.conftest import execute
from tests.proxy import Fault, Proxy
from tests.tracks import Tracks

pytestmark = pytest.mark.slow

# Statement by statement, what there is of these: tables, indexes that are valid, marks.
STANDING = """
    select relname::text from pg_class
    left join pg_index on indexrelid = pg_class.oid
    where relnamespace = 'taskdb'::regnamespace and relname ~ '^(notes|one|two|three)'
        and indisvalid is not false
    union all
    select 'mark ' || migration_id from taskdb._yoyo_migration
    order by 1
"""
When = Literal["before", "after"]


@pytest.fixture
def tracks(tmp_path: Path) -> Tracks:
    """Three migrations: of several statements, and without a transaction."""
    made = Tracks(tmp_path / "tracks")
    made.add(
        "workspace",
        "0002.two-tables",
        "create table one (id int);\ncreate table two (id int);\n"
        "insert into one select generate_series(1, 5);",
        "drop table two;\ndrop table one;",
    )
    made.add(
        "workspace",
        "0003.index",
        "create index concurrently one_id on one (id);\n"
        "create index concurrently two_id on two (id);",
        "drop index concurrently if exists two_id;\ndrop index concurrently if exists one_id;",
        extra="-- transactional: false",
        timeout="set lock_timeout = '2s';",
    )
    return made


def cut_off(url: str, request: int, when: When, folder: Path | None = None) -> bool:
    """Migrate, and lose the connection at this request; return whether it came to that."""
    with Proxy(url, Fault(lambda number, _: number == request, when)) as proxy:
        try:
            if folder is None:
                migrations.up(proxy.url)
            else:
                migrations.up(proxy.url, folder=folder)
        except (psycopg.OperationalError, TaskdbError):
            assert not proxy.faults
            return True
        return not proxy.faults


def standing(url: str) -> list[str]:
    with psycopg.connect(url) as conn:
        there = conn.execute("select to_regclass('taskdb._yoyo_migration')").fetchone()
        if there == (None,):
            return []
        return [row[0] for row in conn.execute(STANDING).fetchall()]


@pytest.mark.parametrize("step", [23, 1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_run_cut_off_at_each_statement_leaves_whole_files_and_the_next_does_the_rest(
    empty_url: str, tracks: Tracks, when: When, step: int
) -> None:
    cuts = 0
    for request in itertools.count(1, step):
        execute(empty_url, sql.SQL("drop schema if exists taskdb, shared cascade"))
        was_cut = cut_off(empty_url, request, when, tracks.folder)
        found = set(standing(empty_url))
        # A transactional file is there with its mark, or neither is.
        assert ({"one", "two"} <= found) is ("mark 0002.two-tables" in found)
        assert ("one" in found) is ("two" in found)
        if "mark 0003.index" in found:
            assert {"one_id", "two_id"} <= found

        migrations.up(empty_url, folder=tracks.folder)

        assert set(standing(empty_url)) >= {"one", "two", "one_id", "two_id", "mark 0003.index"}
        with psycopg.connect(empty_url) as conn:
            assert conn.execute("select count(*) from taskdb.one").fetchone() == (5,)
        if not was_cut:
            break
        cuts += 1
    print(f"{cuts} cuts")
    assert cuts * step > 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_taskdb_s_own_migration_cut_off_all_along_is_made_whole_by_the_next_run(
    empty_url: str, when: When
) -> None:
    with Proxy(empty_url) as proxy:
        migrations.up(proxy.url)
        requests = proxy.requests
    step = max(1, requests // 60)
    for request in range(1, requests + 1, step):
        execute(empty_url, sql.SQL("drop schema if exists taskdb, shared cascade"))
        cut_off(empty_url, request, when)
        migrations.up(empty_url)
        assert migrations.up(empty_url) == []
    with connect(empty_url) as conn:
        assert doctor.run(conn) == []
        tasks.create(conn, key="A", title="one")
        assert claims.claim_next(conn, agent="a") is not None
    print(f"{requests} requests")
