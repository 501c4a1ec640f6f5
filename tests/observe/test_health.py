"""Figures of a workspace: right, at a bounded cost, for people, programs and Prometheus."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from taskdb import AsyncDatabase, Database
from taskdb.database import connect
from taskdb.database.settings import Settings
from taskdb.errors import ValidationError
from taskdb.health import HealthFigures, collect
from taskdb.health import exposition as module
from taskdb.health.exposition import Exposition, serve
from taskdb.health.metrics import ALL
from taskdb.models import NewTask, TaskStatus
from taskdb.queries import claims, pauses, tasks
from taskdb.queries.admin import health
from taskdb.testing.databases import Databases, make_url
from tests.command_line import Caller, command, environment
from tests.plans import LargePlan, lapse_leases, make_graph, take
from tests.rows_read import rows_read

Connection = psycopg.Connection[Any]
HOUR = timedelta(hours=1)


def backdate(conn: Connection, key: str, by: timedelta) -> None:
    """Let a task have come, and all that history has of it have happened, before."""
    conn.execute("alter table task_history disable trigger user")
    conn.execute(
        "update task_history set created_at = created_at - $1"
        " where task_id = (select id from tasks where key = $2)",
        [by, key],
    )
    conn.execute("update tasks set created_at = created_at - $1 where key = $2", [by, key])
    conn.execute("alter table task_history enable trigger user")


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each sample, by its labels other than the place."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {**sample.labels}
            labels.pop("database")
            labels.pop("workspace")
            found.setdefault(sample.name, {})[tuple(labels.values())] = sample.value
    return found


def scrape(port: int, timeout: float = 30) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


@pytest.fixture
def serving() -> Generator[Callable[[Exposition], int]]:
    """Serve an exposition; return the port."""
    opened: list[Any] = []

    def begin(exposition: Exposition) -> int:
        server, thread = serve(exposition, "127.0.0.1", 0)
        opened.append((server, thread, exposition))
        return int(server.server_port)

    yield begin
    for server, thread, exposition in opened:
        server.shutdown()
        server.server_close()
        thread.join()
        exposition.close()


# Meaning of the figures


def test_tasks_are_counted_by_state(conn: Connection) -> None:
    make_graph(conn, "waits>blocks", keys=["waits", "blocks", "works", "reviewed", "broken"])
    tasks.update_status(conn, key="works", status=TaskStatus.IN_PROGRESS)
    tasks.update_status(conn, key="reviewed", status=TaskStatus.IN_PROGRESS)
    tasks.update_status(conn, key="reviewed", status=TaskStatus.IN_REVIEW)
    tasks.update_status(conn, key="broken", status=TaskStatus.IN_PROGRESS)
    tasks.update_status(conn, key="broken", status=TaskStatus.FAILED)

    counts = collect(conn).tasks

    assert (counts.ready_count, counts.blocked_count) == (1, 1)
    assert (counts.in_progress_count, counts.in_review_count, counts.failed_count) == (1, 1, 1)


def test_counts_end_at_a_bound(conn: Connection) -> None:
    tasks.create_many(conn, [NewTask(key=f"T-{n}", title="one") for n in range(30)])

    assert health.task_counts(conn, most=10).ready_count == 10


def test_lapsed_leases_are_counted_with_the_longest(conn: Connection) -> None:
    make_graph(conn, keys=["A", "B"])
    take(conn)
    assert collect(conn).tasks.lapsed_lease_count == 0
    lapse_leases(conn)

    counts = collect(conn).tasks

    assert counts.lapsed_lease_count == 1
    assert counts.longest_lapse is not None
    assert counts.longest_lapse >= timedelta(seconds=1)


def test_oldest_ready_is_the_one_that_waits_the_longest(conn: Connection) -> None:
    assert health.oldest_ready(conn) is None
    make_graph(conn, keys=["old", "new"])
    backdate(conn, "old", 3 * HOUR)

    age = health.oldest_ready(conn)

    assert age is not None
    assert 2.9 * HOUR < age < 3.1 * HOUR


def test_time_that_a_task_was_blocked_or_scheduled_is_not_its_age(conn: Connection) -> None:
    make_graph(conn, "waits>blocks", keys=["waits", "blocks"])
    tasks.create(conn, key="later", title="l", scheduled_at=datetime.now(UTC) - HOUR / 2)
    for key in ("waits", "blocks", "later"):
        backdate(conn, key, 5 * HOUR)
    claim = take(conn)
    assert claim.key == "blocks"
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    age = health.oldest_ready(conn)

    assert age is not None
    assert 0.4 * HOUR < age < 0.6 * HOUR


def test_task_that_cannot_be_claimed_has_no_age(conn: Connection) -> None:
    make_graph(conn, keys=["paused"])
    backdate(conn, "paused", HOUR)
    pauses.pause(conn, reason="holiday", created_by="ada")

    assert health.oldest_ready(conn) is None


def test_tables_show_dead_tuples_and_hot_updates(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn:
        make_graph(conn, keys=["T-1"])
        for number in range(20):
            tasks.update(conn, key="T-1", title=f"Title {number}")
        conn.execute("select pg_stat_force_next_flush()")
        conn.execute("select 1")
        table = {table.name: table for table in health.list_tables(conn)}

    assert list(table) == ["task_dependencies", "task_details", "task_history", "tasks"]
    assert table["tasks"].dead_tuple_count > 0
    assert 0 < table["tasks"].hot_update_count <= table["tasks"].update_count


def test_old_snapshot_and_lock_waits_are_seen(database_url: str) -> None:
    with (
        connect(database_url) as holder,
        connect(database_url, autocommit=True) as waiter,
        connect(database_url, autocommit=True) as conn,
    ):
        tasks.create(holder, key="T-1", title="one")
        thread = threading.Thread(target=lambda: tasks.create(waiter, key="T-1", title="two"))
        thread.start()
        while (seen := health.server(conn)).lock_wait_count == 0:
            pass
        holder.rollback()
        thread.join()
        after = health.server(conn)

    assert seen.lock_wait_count == 1
    assert seen.longest_lock_wait is not None
    assert seen.oldest_snapshot_age is not None
    assert seen.oldest_snapshot_transactions is not None
    assert seen.active_session_count == 1
    assert seen.idle_in_transaction_count == 1
    assert seen.session_count == 2
    assert after.lock_wait_count == 0
    assert 0 <= seen.notification_queue_usage < 1


def test_sessions_of_other_roles_are_counted_as_hidden(
    database_url: str, make_role: Callable[[], tuple[str, str]]
) -> None:
    _, url = make_role()
    with connect(database_url) as other, psycopg.connect(url, autocommit=True) as conn:
        tasks.list_ready(other)
        seen = health.server(conn)

    assert seen.session_count == 1
    assert seen.hidden_session_count == 1


# Their cost


@pytest.mark.slow
def test_figures_read_a_bounded_part_of_a_large_plan(large_plan: LargePlan) -> None:
    with connect(large_plan.url) as conn:
        counts = health.task_counts(conn, most=100)
        of_counts = rows_read(conn)
        age = health.oldest_ready(conn)
        of_age = rows_read(conn) - of_counts

    assert counts.ready_count == 100
    assert of_counts < 2_000
    assert age is not None
    # Ten thousand pending tasks, a thousand in the order of the claim, and candidates by key.
    assert of_age < 30_000


# For people and programs


def test_stats_show_health(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = Caller(capsys, database_url)
    with connect(database_url) as conn:
        make_graph(conn, "waits>blocks", keys=["waits", "blocks"])

    text = call("stats", "--health")
    data = call("stats", "--health", "--json").data

    assert text.status == 0
    lines = [line.split() for line in text.out.splitlines()]
    assert ["ready", "tasks", "1"] in lines
    assert ["blocked", "tasks", "1"] in lines
    assert "dead tuples" in text.out
    assert data["tasks"]["ready_count"] == 1
    assert data["tables"][0]["name"] == "task_dependencies"
    assert data["server"]["lock_wait_count"] == 0
    assert data["oldest_ready_age"] >= 0


def test_metrics_are_printed_once_without_an_address(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Caller(capsys, database_url)("metrics")

    assert done.status == 0
    assert samples(done.out)["taskdb_up"] == {(): 1.0}


@pytest.mark.parametrize("address", ["9187", "host:", "host:port", "host:70000"])
def test_bad_address_is_refused(
    database_url: str, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    done = Caller(capsys, database_url)("metrics", "--listen", address)

    assert done.status == 2
    assert "HOST:PORT" in done.err


@pytest.mark.slow
def test_endpoint_of_the_command_line_ends_at_sigterm(database_url: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        command("--url", database_url, "metrics", "--listen", "127.0.0.1:0"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(" ")[2])
        found = samples(scrape(port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert found["taskdb_up"] == {(): 1.0}


# For Prometheus


def test_scrape_has_every_metric_of_workspace_and_pool(
    database_url: str, serving: Callable[[Exposition], int]
) -> None:
    with connect(database_url) as conn:
        make_graph(conn, "waits>blocks", keys=["waits", "blocks"])
    with Database(database_url, pool_max=7) as database, database.connection():
        found = samples(scrape(serving(Exposition(database))))

    assert set(found) == {metric.name for metric in ALL}
    assert found["taskdb_tasks"][("ready",)] == 1
    assert found["taskdb_tasks"][("blocked",)] == 1
    assert found["taskdb_pool_connections"][("used",)] == 1
    assert found["taskdb_pool_requests_total"][()] >= 1
    assert ("tasks",) in found["taskdb_hot_updates_total"]


def test_registration_asks_the_server_nothing(database_url: str) -> None:
    exposition = Exposition(AsyncDatabase(database_url))

    CollectorRegistry().register(exposition)

    assert [source._conn for source in exposition._sources] == [None]


@pytest.mark.slow
def test_endpoint_holds_no_transaction_between_its_scrapes(
    database_url: str, serving: Callable[[Exposition], int]
) -> None:
    scrape(serving(Exposition(Settings.read(database_url))))

    with connect(database_url, autocommit=True) as conn:
        seen = health.server(conn)
    assert seen.session_count == 1
    assert seen.idle_in_transaction_count == 0
    assert seen.oldest_snapshot_age is None


@pytest.mark.slow
def test_scrapes_at_once_share_one_look(
    database_url: str,
    serving: Callable[[Exposition], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0

    def counted(conn: Any) -> Any:
        nonlocal looks
        looks += 1
        return collect(conn)

    monkeypatch.setattr(module, "collect", counted)
    monkeypatch.setattr(module, "_FRESH_SECONDS", 60.0)
    monkeypatch.setattr(module, "_PATIENCE", timedelta(seconds=60))
    port = serving(Exposition(Settings.read(database_url)))

    with ThreadPoolExecutor(12) as threads:
        texts = list(threads.map(lambda _: scrape(port), range(12)))

    assert {samples(text)["taskdb_up"][()] for text in texts} == {1.0}
    assert looks == 1


@pytest.mark.slow
def test_server_in_the_way_makes_scrapes_end_not_pile_up(
    database_url: str,
    serving: Callable[[Exposition], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(module, "_FRESH_SECONDS", 60.0)
    with Database(database_url) as database:
        port = serving(Exposition(database))
        with psycopg.connect(database_url) as locker:
            locker.execute("lock table taskdb.tasks in access exclusive mode")
            with ThreadPoolExecutor(8) as threads:
                texts = list(threads.map(lambda _: scrape(port, timeout=20), range(8)))
            locker.rollback()
        monkeypatch.setattr(module, "_FRESH_SECONDS", 0.0)
        monkeypatch.setattr(module, "_PATIENCE", timedelta(seconds=60))
        after = samples(scrape(port))

    for found in map(samples, texts):
        assert found["taskdb_up"] == {(): 0.0}
        assert "taskdb_tasks" not in found
        assert ("used",) in found["taskdb_pool_connections"]
    assert after["taskdb_up"] == {(): 1.0}
    (record,) = [each for each in caplog.records if each.name == "taskdb.health"]
    assert record.levelno == logging.WARNING
    assert record.__dict__["workspace"] == "taskdb"


@pytest.mark.slow
def test_absent_server_is_down_and_is_asked_again(
    database_url: str, serving: Callable[[Exposition], int]
) -> None:
    nowhere = make_url(database_url, dbname="no_such_database")

    found = samples(scrape(serving(Exposition(Settings.read(nowhere)))))

    assert found == {"taskdb_up": {(): 0.0}}


def test_a_session_that_the_server_ended_is_no_server_down(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0.0)
    exposition = Exposition(Settings.read(database_url))
    list(exposition.collect())
    with connect(database_url, autocommit=True) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    up = next(iter(exposition.collect()))
    exposition.close()

    assert [each.value for each in up.samples] == [1.0]


def test_a_session_that_ends_while_it_is_asked_is_no_server_down(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0.0)
    exposition = Exposition(Settings.read(database_url))
    list(exposition.collect())
    asked: list[int] = []

    def ended_once(conn: psycopg.Connection[Any]) -> HealthFigures:
        asked.append(conn.info.backend_pid)
        if len(asked) == 1:
            with connect(database_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend($1, 5000)", asked)
        return collect(conn)

    monkeypatch.setattr(module, "collect", ended_once)
    up = next(iter(exposition.collect()))
    exposition.close()

    assert [each.value for each in up.samples] == [1.0]
    assert len(set(asked)) == 2


def test_workspaces_share_the_metrics(database_url: str) -> None:
    here, gone = (Settings.read(database_url, workspace=name) for name in ("taskdb", "gone"))
    exposition = Exposition(here, gone)
    registry = CollectorRegistry()
    registry.register(exposition)

    text = generate_latest(registry).decode()
    exposition.close()

    assert text.count("# TYPE taskdb_up gauge") == 1
    up = next(each for each in text_string_to_metric_families(text) if each.name == "taskdb_up")
    assert {each.labels["workspace"]: each.value for each in up.samples} == {
        "taskdb": 1.0,
        "gone": 0.0,
    }


# Hostile names


def test_names_are_escaped_as_the_format_wants(databases: Databases, database_url: str) -> None:
    hostile = 'pl"ans\\of {all}=1,\nup 2'
    name = str(conninfo_to_dict(database_url)["dbname"])
    rename = "alter database {} rename to {}"
    with databases.admin() as admin:
        admin.execute(sql.SQL(rename).format(sql.Identifier(name), sql.Identifier(hostile)))
    try:
        exposition = Exposition(Settings.read(make_url(database_url, dbname=hostile)))
        registry = CollectorRegistry()
        registry.register(exposition)
        text = generate_latest(registry).decode()
        exposition.close()
    finally:
        with databases.admin() as admin:
            admin.execute(sql.SQL(rename).format(sql.Identifier(hostile), sql.Identifier(name)))

    families = list(text_string_to_metric_families(text))
    assert {sample.labels["database"] for each in families for sample in each.samples} == {hostile}
    assert {each.name for each in families} <= {
        metric.name.removesuffix("_total") for metric in ALL
    }


def test_workspace_with_a_quote_is_refused_before_anything_is_sent(database_url: str) -> None:
    with pytest.raises(ValidationError, match="workspace"):
        Exposition(Settings.read(database_url, workspace='a"} 1\nup 2'))
