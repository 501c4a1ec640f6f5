"""The embedded server starts, is found, survives its client, and stops."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from taskdb.embedded import Server
from taskdb.embedded import server as embedded
from taskdb.errors import DatabaseError
from tests.embedded.servers import IS_ROOT, ROOT, STARTER, copy, kept, pid_of, starter
from tests.waiting import wait_until


def test_first_start_makes_a_private_server_with_an_empty_database(folder: Path) -> None:
    server = Server(folder / "deep" / ".taskdb")

    url = server.start()

    assert stat.S_IMODE((server.directory / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.directory.stat().st_mode) == (0o711 if IS_ROOT else 0o700)
    with psycopg.connect(url) as conn:
        facts = conn.execute(
            "select current_database(), pg_encoding_to_char(encoding), datlocprovider::text,"
            " datlocale, upper('é'), current_setting('listen_addresses'),"
            " current_setting('fsync') from pg_database where datname = current_database()"
        ).fetchone()
    assert facts == ("taskdb", "UTF8", "b", "C.UTF-8", "É", "", "on")


def test_data_outlives_a_stop(server: Server) -> None:
    server.start()
    assert server.stop() is True
    assert server.stop() is False

    server.start()

    assert kept(server) == 42


@pytest.mark.slow
def test_start_returns_at_once_where_a_server_runs(server: Server) -> None:
    server.start()
    before = pid_of(server)

    assert server.start() == server.url

    assert pid_of(server) == before


@pytest.mark.slow
def test_status_tells_the_process_and_the_url_only_while_it_runs(server: Server) -> None:
    assert str(server.status()) == f"stopped, in {server.directory}"
    assert server.status().url is None

    server.start()

    status = server.status()
    assert str(status) == f"running as process {status.pid}, in {server.directory}"
    assert status.url == server.url


def test_status_of_a_folder_that_is_not_there_makes_none(folder: Path) -> None:
    assert not Server(folder / "none").status().running
    assert not (folder / "none").exists()


def test_those_who_look_at_a_stopped_server_do_not_take_each_other_for_it(server: Server) -> None:
    looking = server._take_lock(fcntl.LOCK_SH)
    assert looking is not None

    assert not server.status().running

    os.close(looking)


@pytest.mark.slow
def test_processes_that_start_it_at_once_share_one_server(folder: Path) -> None:
    starters = [starter(folder / ".taskdb") for _ in range(5)]
    answers = [process.communicate(timeout=60) for process in starters]

    server = Server(folder / ".taskdb")
    assert answers == [(f"{server.url}\n", "")] * 5
    assert server.log.read_text().count("ready to accept connections") == 1


@pytest.mark.slow
def test_starting_and_stopping_at_once_ends_in_no_error(server: Server) -> None:
    failures: list[BaseException] = []

    def cycle() -> None:
        try:
            for _ in range(4):
                Server(server.directory).start()
                Server(server.directory).stop()
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=cycle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    server.start()
    assert kept(server) == 42


@pytest.mark.slow
def test_server_outlives_the_client_that_started_it_and_was_killed(server: Server) -> None:
    command = f"{STARTER}; sys.stdout.flush(); import os; os.kill(os.getpid(), 9)"
    directory = str(server.directory)
    done = subprocess.run([sys.executable, "-c", command, directory], check=False, cwd=ROOT)

    assert done.returncode == -signal.SIGKILL
    assert kept(server) == 42
    assert server.stop()


@pytest.mark.slow
def test_ctrl_c_in_the_terminal_of_its_starter_does_not_reach_it(server: Server) -> None:
    command = f"{STARTER}; sys.stdout.flush(); import time; time.sleep(60)"
    client = subprocess.Popen(
        [sys.executable, "-c", command, str(server.directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ROOT,
    )
    with client:
        assert client.stdout is not None
        client.stdout.readline()
        os.killpg(client.pid, signal.SIGINT)
    assert client.returncode == -signal.SIGINT

    assert kept(server) == 42


def test_after_kill_9_of_the_server_the_next_start_recovers(server: Server) -> None:
    server.start()
    with psycopg.connect(server.url) as conn:
        conn.execute("update kept set n = 43")
    os.kill(pid_of(server), signal.SIGKILL)

    server.start()

    assert kept(server) == 43


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_first_start_that_was_interrupted_is_begun_again(folder: Path, number: int) -> None:
    process = starter(folder / ".taskdb")
    wait_until((folder / ".taskdb" / "data.new" / "base").exists)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == -number

    server = Server(folder / ".taskdb")
    server.start()

    assert server.status().running
    assert not (server.directory / "data.new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "\n", "{pid}\n", "nonsense"])
def test_a_stale_process_file_is_no_obstacle_and_nobody_is_killed(
    server: Server, content: str
) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    file = server.directory / "data" / "postmaster.pid"
    file.write_text(content.format(pid=bystander.pid))
    try:
        assert server.stop() is False
        server.start()
        assert kept(server) == 42
        assert server.stop() is True
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_the_file_of_a_running_server_may_name_a_stranger_who_is_not_killed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    file = server.directory / "data" / "postmaster.pid"
    true = file.read_text()
    bystander = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.1)
    try:
        file.write_text(true.replace(str(pid_of(server)), str(bystander.pid), 1))
        with pytest.raises(DatabaseError, match=r"did not stop in 0\.1 s"):
            server.stop()
        assert bystander.poll() is None
        assert str(server.status()).startswith("starting or stopping")
    finally:
        file.write_text(true)
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x" * 150, "with space, comma", "100%-é", "q'uote\"s"])
def test_any_path_will_do(folder: Path, made: Path, name: str) -> None:
    directory = folder / name / ".taskdb"
    directory.parent.mkdir()
    server = copy(made, directory)
    server.start()
    sockets = server._socket_directory()

    assert kept(server) == 42
    count = subprocess.check_output(
        [server.binaries / "psql", server.url, "-Atc", "select n from kept"], text=True
    )
    assert count == "42\n"
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()
    assert not sockets.exists()


@pytest.mark.slow
def test_settings_in_the_environment_do_not_reach_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGOPTIONS": "-c nonsense=1",
        "LC_ALL": "xx_XX",
        "TZ": "Nowhere/Nothing",
    }.items():
        monkeypatch.setenv(name, value)

    server.start()

    monkeypatch.delenv("PGOPTIONS")  # libpq itself sends it to any server.
    with psycopg.connect(server.url) as conn:
        assert conn.execute("show timezone").fetchone() == ("UTC",)


@pytest.mark.slow
def test_the_log_of_the_last_run_is_kept(server: Server) -> None:
    server.start()
    server.stop()
    server.start()

    assert "database system is shut down" in server.log.with_suffix(".log.1").read_text()
    assert "database system is shut down" not in server.log.read_text()


@pytest.mark.slow
def test_nothing_on_the_machine_is_changed(server: Server, folder: Path) -> None:
    watched = [Path("/etc/passwd"), Path("/etc/group"), Path("/var/lib"), *folder.parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in watched]
    accounts = Path("/etc/passwd").read_bytes()
    private = folder / "private"
    private.mkdir(mode=0o700)
    server.directory.rename(private / ".taskdb")

    Server(private / ".taskdb").start()

    assert [(path.stat().st_mode, path.stat().st_uid) for path in watched] == before
    assert Path("/etc/passwd").read_bytes() == accounts
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.slow
def test_statements_are_counted_for_whoever_asks(server: Server) -> None:
    server.start()
    with psycopg.connect(server.url) as conn:
        conn.execute("create extension pg_stat_statements")
        conn.execute("select n /* taskdb:mark */ from kept")
        found = conn.execute(
            "select calls from pg_stat_statements where query like '%taskdb:mark%'"
        ).fetchone()

    assert found == (1,)
