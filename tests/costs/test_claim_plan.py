"""Rows and index entries that a claim reads: the same whatever the plan's size.

The planner may choose another plan with other statistics, and a session may keep one from a time
when the table was small. So each claim is measured under all of them: with no, fresh, stale and
empty statistics, and with plans that were cached before the tasks came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest

from taskdb.database import connect
from taskdb.models.tasks import NewTask
from taskdb.queries import claims, concurrency, tasks
from tests.tiers import first_of

Connection = psycopg.Connection[Any]

# Most rows and index entries that one claim reads: about five for each lane,
# and what this transaction's own earlier claims left in the index.
CLAIM = 60
# By a batch of ten.
BATCH = 300
# By a claim that finds lapsed ones: it ends two, and writes their history.
CLAIM_AND_LAPSE = 150
# By a claim that finds nothing but lapsed ones: it ends a hundred, and takes one of them.
LAPSE_MANY = 2_000

# True if priorities differ: where all are equal, as where they do.
MIXED = [pytest.param(False, marks=pytest.mark.slow), True]
# Without an index, or the settings of claim_tasks, 4,000 are read over as surely as 20,000.
SIZES = [1, 4_000, pytest.param(100_000, marks=pytest.mark.large)]


class Reads(NamedTuple):
    rows: int
    entries: int


def reads(conn: Connection) -> Reads:
    """Return what this transaction has read so far of the workspace's tables and indexes."""
    row = conn.execute(
        """
        select
            sum(pg_stat_get_xact_tuples_fetched(oid))
            + sum(pg_stat_get_xact_tuples_returned(oid)) filter (where relkind = 'r'),
            sum(pg_stat_get_xact_tuples_returned(oid)) filter (where relkind = 'i')
        from pg_class
        where relnamespace = 'taskdb'::regnamespace and relkind in ('r', 'i')
        """
    ).fetchone()
    assert row is not None
    return Reads(*map(int, row))


@contextmanager
def reading_at_most(conn: Connection, bound: int, what: str) -> Generator[None]:
    before = reads(conn)
    yield
    after = reads(conn)
    rows, entries = after.rows - before.rows, after.entries - before.entries
    assert rows <= bound, f"{what} reads {rows} rows"
    assert 0 < entries <= bound, f"{what} reads {entries} index entries"


# A quarter of the tasks is for everyone, one for each of two types, one reserved for an agent.
LOAD = """
insert into tasks (
    key, title, priority, agent_type, assigned_agent, status, claim_agent, lease_expires_at
)
select
    %(prefix)s || n,
    'A task',
    case when %(mixed)s then 1 + n %% 10 else 5 end,
    case n %% 4 when 1 then 'developer' when 2 then 'reviewer' end,
    case n %% 4 when 3 then 'somebody else' end,
    case when %(lease)s::interval is null then 'pending' else 'in_progress' end::task_status,
    case when %(lease)s::interval is not null then 'its holder' end,
    now() + %(lease)s::interval
from generate_series(4, 3 + %(count)s) as n
"""


def load(
    conn: Connection, count: int, *, mixed: bool, lease: str | None = None, prefix: str = "ready "
) -> None:
    """Make tasks: ready ones, or with *lease* such as an agent holds, or held if it is over."""
    with psycopg.ClientCursor(conn) as cursor:
        cursor.execute(LOAD, {"count": count, "mixed": mixed, "lease": lease, "prefix": prefix})


def load_ready_and_live(conn: Connection, count: int, *, mixed: bool) -> None:
    load(conn, count, mixed=mixed)
    load(conn, count, mixed=mixed, lease="1 hour", prefix="live ")


def without_statistics(conn: Connection, size: int, mixed: bool) -> None:
    load_ready_and_live(conn, size, mixed=mixed)


def with_fresh_statistics(conn: Connection, size: int, mixed: bool) -> None:
    load_ready_and_live(conn, size, mixed=mixed)
    conn.execute("analyze tasks, task_details, task_history")


def with_stale_statistics(conn: Connection, size: int, mixed: bool) -> None:
    """Load them when the tables were analyzed with three tasks, all of them completed."""
    load(conn, 3, mixed=not mixed, prefix="old ")
    conn.execute("update tasks set status = 'completed', status_forced = true")
    conn.execute("analyze tasks, task_details, task_history")
    load_ready_and_live(conn, size, mixed=mixed)


def with_statistics_of_empty_tables(conn: Connection, size: int, mixed: bool) -> None:
    conn.execute("analyze tasks, task_details, task_history")
    load_ready_and_live(conn, size, mixed=mixed)


def patient(url: str) -> Connection:
    """A session in which a load of 100,000 tasks may take minutes, on a busy machine."""
    conn = connect(url)
    conn.execute("set statement_timeout = 0")
    conn.commit()
    return conn


def quiet(url: str) -> Connection:
    """A patient session of a database in which nobody else gathers statistics."""
    conn = patient(url)
    for table in ("tasks", "task_details", "task_history"):
        conn.execute(f"alter table {table} set (autovacuum_enabled = off)".encode())
    return conn


def assert_claims_read_few_rows(conn: Connection, *, claim: int = CLAIM) -> None:
    """Claim one, ten, and the next with a completion, by an agent of a type and one of none."""
    key = conn.execute(
        "select key from tasks where is_ready and reserved_for = '' order by id desc limit 1"
    ).fetchone() or ("none",)
    with reading_at_most(conn, claim, "the claim of a key"):
        claims.claim(conn, key=key[0], agent="a")
    for agent_type in ("developer", None):
        with reading_at_most(conn, claim, f"the claim of agent_type {agent_type}"):
            claimed = claims.claim_next(conn, agent="a", agent_type=agent_type)
        with reading_at_most(conn, BATCH, f"the batch of agent_type {agent_type}"):
            claims.claim_batch(conn, agent="a", agent_type=agent_type, limit=10)
        if claimed:
            with reading_at_most(conn, 2 * claim, f"the end and claim of {agent_type}"):
                claims.complete_and_claim_next(
                    conn,
                    task_id=claimed.task_id,
                    token=claimed.token,
                    agent="a",
                    agent_type=agent_type,
                )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mixed", MIXED, ids=["equal", "mixed"])
@pytest.mark.parametrize(
    "prepare",
    first_of(
        [
            with_stale_statistics,
            without_statistics,
            with_fresh_statistics,
            with_statistics_of_empty_tables,
        ]
    ),
)
def test_a_claim_reads_few_rows_whatever_is_known_of_the_tables(
    database_url: str, prepare: Callable[[Connection, int, bool], None], mixed: bool, size: int
) -> None:
    with quiet(database_url) as conn, conn.transaction(force_rollback=True):
        prepare(conn, size, mixed)

        assert_claims_read_few_rows(conn)

        load(conn, size, mixed=mixed, lease="-1 hour", prefix="lapsed ")

        assert_claims_read_few_rows(conn, claim=CLAIM_AND_LAPSE)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_claim_among_nothing_but_lapsed_ones_ends_a_bounded_number(
    database_url: str, size: int
) -> None:
    with quiet(database_url) as conn, conn.transaction(force_rollback=True):
        load(conn, size, mixed=True, lease="1 hour", prefix="live ")
        load(conn, size, mixed=True, lease="-1 hour", prefix="lapsed ")

        with reading_at_most(conn, LAPSE_MANY, "the claim"):
            assert claims.claim_next(conn, agent="a")


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("mixed", MIXED, ids=["equal", "mixed"])
def test_a_session_that_knew_a_small_table_reads_few_rows_of_a_large_one(
    database_url: str, mixed: bool, size: int
) -> None:
    with quiet(database_url) as conn, patient(database_url) as other:
        with conn.transaction():
            load_ready_and_live(conn, 8, mixed=mixed)
            load(conn, 8, mixed=mixed, lease="-1 hour", prefix="lapsed ")
        with conn.transaction():
            # Each statement has its plan now, and keeps it.
            for _ in range(6):
                assert_claims_read_few_rows(conn, claim=LAPSE_MANY)
        with other.transaction():
            load(other, size, mixed=mixed, prefix="more ")
            load(other, size, mixed=mixed, lease="1 hour", prefix="more live ")

        with conn.transaction():
            assert_claims_read_few_rows(conn)

        with other.transaction():
            load(other, size, mixed=mixed, lease="-1 hour", prefix="more lapsed ")

        with conn.transaction():
            assert_claims_read_few_rows(conn, claim=CLAIM_AND_LAPSE)


def test_no_claim_pays_the_price_of_what_its_planner_may_not_do(superuser: Connection) -> None:
    """15 adds 10,000,000,000 to a plan for it, and compiles the statement for 80 ms each time."""
    tasks.create_many(superuser, [NewTask(title="x", concurrency_key="z") for _ in range(9)])
    plans: list[str] = []
    superuser.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    superuser.execute("load 'auto_explain'")
    for setting in ("log_min_duration = 0", "log_nested_statements = on"):
        superuser.execute(f"set auto_explain.{setting}".encode())
    superuser.execute("set client_min_messages = log")
    for limit in (3, 5):
        claims.claim_batch(superuser, agent="a", limit=9)
        concurrency.set_limit(superuser, key="z", at_most=limit)
    claims.claim_batch(superuser, agent="a", limit=9)

    assert any("concurrency_slots" in plan for plan in plans)
    assert not [plan for plan in plans if re.search(r"cost=\d{11}", plan)]
