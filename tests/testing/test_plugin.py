"""The plugin in projects of its users: each test here runs pytest in one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from taskdb.testing.databases import PREFIX, Databases, make_url, open_databases
from tests.waiting import wait_until

pytest_plugins = ["pytester"]

INI = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
WORKERS = pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 4])


@pytest.fixture
def project(
    pytester: pytest.Pytester, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """An empty project whose tests run on the server of these."""
    monkeypatch.setenv("TASKDB_TEST_URL", databases.admin_url)
    pytester.makeini(INI)
    return pytester


def run(project: pytest.Pytester, *arguments: str, passed: int) -> str:
    """Run the project's tests, which all pass, and return the output."""
    done = project.runpytest_subprocess("-p", "taskdb.testing", *arguments)
    done.assert_outcomes(passed=passed)
    return done.stdout.str()


@pytest.mark.slow
def test_project_without_fixtures_of_taskdb_starts_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_nothing():
            assert "psycopg" not in sys.modules
            assert "taskdb.queries" not in sys.modules
            assert "taskdb.embedded" not in sys.modules
        """
    )

    assert "taskdb: PostgreSQL" not in run(project, passed=1)
    assert "taskdb: PostgreSQL" not in run(project, "-n", "1", passed=1)


@pytest.mark.slow
def test_next_test_has_the_same_session_but_nothing_of_the_one_before(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        from decimal import Decimal
        from psycopg.rows import dict_row
        from psycopg.types.numeric import FloatLoader, IntDumper
        from psycopg.types.composite import CompositeInfo, register_composite

        seen = []

        def as_ever(conn):
            assert conn.execute("select 1.5").fetchone() == (Decimal("1.5"),)
            assert conn.execute("select $1::text", [True]).fetchone() == ("true",)
            assert conn.execute("show datestyle").fetchone() == ("ISO, MDY",)
            assert conn.execute("select pg_try_advisory_lock(7)").fetchone() == (True,)
            seen.append(conn.info.backend_pid)

        def test_settings(taskdb_conn):
            as_ever(taskdb_conn)
            taskdb_conn.row_factory = dict_row
            taskdb_conn.execute("set datestyle = German")
            taskdb_conn.execute("create temp table left_behind ()")

        def test_loader(taskdb_conn):
            as_ever(taskdb_conn)
            taskdb_conn.execute("create temp table left_behind ()")
            taskdb_conn.adapters.register_loader("numeric", FloatLoader)

        def test_dumper(taskdb_conn):
            as_ever(taskdb_conn)
            taskdb_conn.adapters.register_dumper(bool, IntDumper)

        def test_type(taskdb_conn):
            as_ever(taskdb_conn)
            taskdb_conn.execute("create type pair as (a int, b int)")
            register_composite(CompositeInfo.fetch(taskdb_conn, "pair"), taskdb_conn)

        def test_closed(taskdb_conn):
            as_ever(taskdb_conn)
            assert seen[0] == seen[1] and len(set(seen)) == 4
            assert taskdb_conn.adapters.types.get("pair") is None
        """
    )

    run(project, passed=5)


def test_work_of_a_test_is_rolled_back_or_on_a_database_of_its_own(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import psycopg
        import pytest
        from taskdb import connect
        from taskdb.queries import tasks
        from taskdb.testing import make_plan

        @pytest.mark.parametrize("time", [1, 2])
        def test_rolled_back(taskdb_conn, time):
            make_plan(taskdb_conn, "a")
            with pytest.raises(psycopg.ProgrammingError, match="commit"):
                taskdb_conn.commit()

        @pytest.mark.parametrize("time", [1, 2])
        def test_committed(taskdb_database, taskdb_url, time):
            with taskdb_database.transaction() as conn:
                make_plan(conn, "a")
            with connect(taskdb_url) as conn:
                assert tasks.get_by_key(conn, key="a").key == "a"
                owner = "select rolsuper from pg_roles where rolname = session_user"
                assert conn.execute(owner).fetchone() == (False,)

        def test_empty(taskdb_empty_url):
            with psycopg.connect(taskdb_empty_url) as conn:
                names = "select from pg_namespace where nspname = 'taskdb'"
                assert conn.execute(names).fetchone() is None
        """
    )

    assert re.search(r"^taskdb: PostgreSQL \d+\.", run(project, passed=5), re.MULTILINE)


ASYNC = """
    import pytest
    from taskdb.queries import tasks
    from taskdb.testing import make_plan

    pytestmark = pytest.mark.{marker}

    async def test_rolled_back(taskdb_aconn):
        await make_plan(taskdb_aconn, "a")
        assert (await tasks.get_by_key(taskdb_aconn, key="a")).key == "a"

    async def test_committed(taskdb_async_database):
        async with taskdb_async_database.transaction() as conn:
            await make_plan(conn, "a")
        async with taskdb_async_database.connection() as conn:
            assert (await tasks.get_by_key(conn, key="a")).key == "a"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("marker", "arguments"),
    [
        pytest.param("asyncio", ["-p", "no:anyio"], marks=pytest.mark.slow),
        pytest.param("asyncio", ["-o", "asyncio_mode=auto"], marks=pytest.mark.slow),
        ("asyncio", ["-o", "asyncio_mode=strict"]),
        pytest.param("anyio", ["-o", "asyncio_mode=strict"], marks=pytest.mark.slow),
    ],
)
def test_async_fixtures_serve_both_async_plugins(
    project: pytest.Pytester, marker: str, arguments: list[str]
) -> None:
    project.makeconftest(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
        """
    )
    project.makepyfile(ASYNC.format(marker=marker))

    run(project, *arguments, passed=2)


@pytest.mark.slow
@WORKERS
def test_workers_share_a_server_and_one_template_and_leave_nothing(
    project: pytest.Pytester, databases: Databases, workers: int
) -> None:
    project.makeconftest(
        """
        from pathlib import Path

        import psycopg
        import pytest

        HERE = Path(__file__).parent

        @pytest.fixture(scope="session")
        def taskdb_setup():
            def fill(url):
                with psycopg.connect(url) as conn:
                    conn.execute("create table orders (id integer)")
                with (HERE / "filled").open("a") as file:
                    file.write(url + chr(10))
            return fill
        """
    )
    project.makepyfile(
        """
        from pathlib import Path

        import pytest
        from psycopg.conninfo import conninfo_to_dict

        HERE = Path(__file__).parent

        @pytest.mark.parametrize("number", range(12))
        def test_each(taskdb_databases, taskdb_shared_url, taskdb_conn, number, worker_id):
            assert taskdb_conn.execute("select count(*) from public.orders").fetchone() == (0,)
            name = conninfo_to_dict(taskdb_shared_url)["dbname"]
            with (HERE / "seen").open("a") as file:
                file.write(f"{worker_id} {name} {taskdb_databases.run}" + chr(10))
        """
    )

    run(project, "-n", str(workers), passed=12)

    seen = set((project.path / "seen").read_text().splitlines())
    assert len((project.path / "filled").read_text().splitlines()) == 1
    assert len(seen) == len({line.split()[1] for line in seen}) == (workers or 1)
    (made,) = {line.split()[2] for line in seen}
    with databases.admin() as conn:
        names = "select datname from pg_database where starts_with(datname, %s)"
        assert conn.execute(names, (made,)).fetchall() == []
        assert conn.execute("select from pg_roles where rolname = %s", (made,)).fetchone() is None


@pytest.mark.slow
@WORKERS
def test_throwaway_server_is_gone_after_the_run(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.delenv("TASKDB_TEST_URL")
    project.makepyfile(
        """
        from pathlib import Path

        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_each(taskdb_databases, taskdb_empty_url, number):
            with (Path(__file__).parent / "seen").open("a") as file:
                file.write(taskdb_databases.admin_url + chr(10))
        """
    )

    run(project, "-n", str(workers), passed=8)

    (url,) = set((project.path / "seen").read_text().splitlines())
    assert "taskdb-throwaway" in url
    folder = Path(psycopg.conninfo.conninfo_to_dict(url)["host"])  # type: ignore[arg-type]
    assert not folder.exists()
    assert not folder.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_throwaway_server_dies_with_a_run_that_is_killed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.delenv("TASKDB_TEST_URL")
    project.makepyfile(
        """
        import time
        from pathlib import Path

        def test_forever(taskdb_empty_url, taskdb_databases):
            here = Path(__file__).parent
            (here / "new").write_text(taskdb_databases.admin_url)
            (here / "new").rename(here / "url")
            time.sleep(600)
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "taskdb.testing", "-n", str(workers)]
    running = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL)
    try:
        # However long its start takes: it ends only if it fails.
        while not (project.path / "url").exists():
            assert running.poll() is None
            time.sleep(0.05)
    finally:
        running.kill()
        running.wait()
    url = (project.path / "url").read_text()

    wait_until(lambda: psycopg.pq.PGconn.ping(url.encode()) == psycopg.pq.Ping.NO_RESPONSE)


def test_next_run_clears_up_what_a_killed_run_left_on_a_given_server(databases: Databases) -> None:
    left = f"{PREFIX}_0_left"
    with databases.admin() as conn:
        conn.execute(sql.SQL("create role {}").format(sql.Identifier(left)))
        make = sql.SQL("create database {} owner {}")
        conn.execute(make.format(sql.Identifier(f"{left}_x"), sql.Identifier(left)))

        with open_databases(databases.admin_url) as run:
            kept = run.empty()

            with open_databases(databases.admin_url):
                psycopg.connect(kept).close()

        names = "select from pg_database where starts_with(datname, %s)"
        assert conn.execute(names, (left,)).fetchone() is None
        assert conn.execute("select from pg_roles where rolname = %s", (left,)).fetchone() is None


@pytest.mark.slow
def test_workspaces_are_migrated_and_connections_use_the_first(project: pytest.Pytester) -> None:
    project.makeini(f"{INI}taskdb_workspaces = planners builders")
    project.makepyfile(
        """
        from taskdb import connect
        from taskdb.queries import tasks
        from taskdb.testing import make_plan

        def test_each_has_its_plan(taskdb_url, taskdb_database, taskdb_conn):
            path = taskdb_conn.execute("show search_path").fetchone()
            assert path[0].startswith('"planners"')
            with taskdb_database.transaction() as conn:
                make_plan(conn, "a")
            with connect(taskdb_url, workspace="builders") as conn:
                assert tasks.list_tasks(conn) == []
        """
    )

    run(project, passed=1)


@pytest.mark.slow
def test_option_comes_before_the_variable_and_that_before_the_projects_server(
    project: pytest.Pytester, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeconftest(
        f"""
        from contextlib import nullcontext

        def pytest_taskdb_server():
            return nullcontext({make_url(databases.admin_url, application_name="own")!r})
        """
    )
    project.makepyfile(
        """
        import os

        def test_server(taskdb_databases):
            assert f"application_name={os.environ['FROM']}" in taskdb_databases.admin_url
        """
    )
    monkeypatch.setenv("FROM", "option")
    given = make_url(databases.admin_url, application_name="variable")
    monkeypatch.setenv("TASKDB_TEST_URL", given)
    run(project, "--taskdb-url", make_url(given, application_name="option"), passed=1)

    monkeypatch.setenv("FROM", "variable")
    run(project, "-n", "1", passed=1)

    monkeypatch.setenv("FROM", "own")
    monkeypatch.delenv("TASKDB_TEST_URL")
    run(project, "-n", "1", passed=1)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_server_that_cannot_be_used_is_reported_by_each_test(
    project: pytest.Pytester, workers: int
) -> None:
    project.makepyfile("def test_it(taskdb_conn): ...")

    done = project.runpytest_subprocess(
        *("-p", "taskdb.testing", "-n", str(workers), "--taskdb-url", "host=/nowhere")
    )

    done.assert_outcomes(errors=1)
    assert "/nowhere" in done.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:sesame@[::",
        "postgresql://ann:ses%zzame@h/d",
        "postgresql://ann:sesame@127.0.0.1:1/d",
        "postgresql+psycopg://ann:sesame@127.0.0.1:1/d",
    ],
)
def test_a_password_of_a_url_that_cannot_be_used_is_not_shown(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str, workers: int
) -> None:
    """The log of a test run is often public."""
    project.makepyfile("def test_it(taskdb_conn): ...")
    monkeypatch.setenv("TASKDB_TEST_URL", url)

    done = project.runpytest_subprocess("-p", "taskdb.testing", "-n", str(workers))

    done.assert_outcomes(errors=1)
    shown = done.stdout.str() + done.stderr.str()
    assert "sesame" not in shown
    assert "ses%zz" not in shown
    assert "zzame" not in shown
    assert "must be a PostgreSQL URL" in shown or "port 1 failed" in shown


@pytest.mark.slow
def test_plugin_works_without_xdist(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(taskdb_conn): ...")

    run(project, "-p", "no:xdist", passed=1)
