"""The embedded server under attack: by another local user, and by the author of an archive.

Those that need a second user run as root, and attack as `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from taskdb.cli import main
from taskdb.embedded import Server
from taskdb.embedded.temporary import _sweep, throwaway
from taskdb.errors import DatabaseError
from tests.embedded.servers import as_root

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that every user can reach; any server in it is ended afterwards."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    for lock in path.rglob("lock"):
        with contextlib.suppress(DatabaseError):  # Programs that a test made untrusted never ran.
            Server(lock.parent).stop()
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def original() -> Generator[Path]:
    """A stopped server's folder."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    server = Server(path / ".taskdb")
    server.start()
    server.stop()
    yield server.directory
    shutil.rmtree(path)


def unpacked(original: Path, folder: Path) -> Path:
    """Unpack an archive of *original* in *folder*; return the .taskdb that was in it."""
    packed = subprocess.check_output(["tar", "-C", original.parent, "-c", ".taskdb"])
    subprocess.run(["tar", "-C", folder, "-x"], input=packed, check=True)
    return folder / ".taskdb"


def state(directory: Path) -> list[tuple[str, int, int]]:
    """Return name, owner and mode of *directory* and all in it."""
    found = ((path, path.lstat()) for path in [directory, *sorted(directory.rglob("*"))])
    return [(str(path), seen.st_uid, seen.st_mode) for path, seen in found]


@pytest.mark.slow
def test_archive_with_a_prepared_server_is_not_run(original: Path, folder: Path) -> None:
    directory = unpacked(original, folder)
    data = directory / "data"
    proof = data / "proof"
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'touch {proof}; false'\n")
    (data / "recovery.signal").touch()
    before = state(directory)

    with pytest.raises(DatabaseError, match=r"was not created here.*taskdb db adopt"):
        Server(directory).start()

    assert (state(directory), proof.exists()) == (before, False)
    # Trusted, it does run: the attack is a true one.
    Server(directory).adopt()
    directory.chmod(0o711)
    settings_text = (data / "postgresql.auto.conf").read_text()
    (data / "postgresql.auto.conf").write_text(settings_text.replace(str(proof), "proof"))
    Server(directory).start()
    assert proof.exists()


@pytest.mark.slow
def test_commands_refuse_a_copy_until_it_is_adopted(
    original: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unpacked(original, folder)
    monkeypatch.chdir(folder)

    assert main(["ready"]) == 1
    assert "was not created here" in capsys.readouterr().err
    assert main(["db", "adopt"]) == 0
    assert capsys.readouterr().out == f"The data in {folder}/.taskdb is trusted.\n"
    assert main(["db", "start"]) == 0


@pytest.mark.slow
def test_mark_of_another_folder_is_no_mark_of_this_one(original: Path, folder: Path) -> None:
    directory = unpacked(original, folder)
    assert (directory / "made-here").read_text() == (original / "made-here").read_text()

    with pytest.raises(DatabaseError, match="was not created here"):
        Server(directory).start()


@pytest.mark.slow
def test_folder_that_was_moved_is_still_its_makers(folder: Path) -> None:
    server = Server(folder / "before" / ".taskdb")
    server.start()
    server.stop()
    (folder / "before").rename(folder / "after")

    assert Server(folder / "after" / ".taskdb").start()


def test_nothing_is_adopted_where_there_is_no_data(folder: Path) -> None:
    (folder / ".taskdb").mkdir(mode=0o700)

    with pytest.raises(DatabaseError, match="holds no data"):
        Server(folder / ".taskdb").adopt()


def test_link_to_a_folder_that_taskdb_did_not_make_is_not_followed(folder: Path) -> None:
    (folder / "private").mkdir(mode=0o700)
    (folder / ".taskdb").symlink_to(folder / "private")

    with pytest.raises(DatabaseError, match=r"is a link to .*private, which taskdb did not make"):
        Server(folder / ".taskdb").start()

    assert list((folder / "private").iterdir()) == []


@pytest.mark.slow
def test_link_to_a_folder_that_taskdb_made_is_followed(folder: Path) -> None:
    server = Server(folder / "main" / ".taskdb")
    url = server.start()
    (folder / ".taskdb").symlink_to(server.directory)

    assert Server(folder / ".taskdb").start() == url


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "lock", "server.log"])
def test_link_in_the_folder_is_not_followed(folder: Path, name: str) -> None:
    directory = folder / ".taskdb"
    directory.mkdir(mode=0o700)
    (directory / "lock").touch(mode=0o600)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir() if name == "data" else elsewhere.write_text("mine")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(elsewhere)
    before = elsewhere.lstat().st_uid, elsewhere.lstat().st_size

    with contextlib.suppress(DatabaseError):
        Server(directory).start()

    assert (elsewhere.lstat().st_uid, elsewhere.lstat().st_size) == before
    assert name != "data" or not list(elsewhere.iterdir())


def test_folder_in_which_others_may_write_is_refused(folder: Path) -> None:
    (folder / ".taskdb").mkdir()
    (folder / ".taskdb").chmod(0o770)

    with pytest.raises(DatabaseError, match=r"others may write in it.*chmod go-w"):
        Server(folder / ".taskdb").start()


@pytest.mark.slow
def test_socket_in_a_folder_that_is_open_to_others_is_not_asked(
    original: Path, folder: Path
) -> None:
    (folder / "a b").mkdir()
    server = Server(unpacked(original, folder / "a b"))
    server.adopt()
    (folder / "open").mkdir()
    (folder / "open").chmod(0o755)
    (server.directory / "sockets").symlink_to(folder / "open")
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(folder / "open" / ".s.PGSQL.5432"))
        impostor.listen()
        impostor.setblocking(False)

        url = server.start()

        with pytest.raises(BlockingIOError):
            impostor.accept()
    assert str(folder) not in url


@pytest.mark.slow
def test_name_of_the_socket_folder_cannot_be_computed(folder: Path) -> None:
    server = Server(folder / "a b" / ".taskdb")
    server.start()
    first = server._socket_directory()
    server.stop()
    server.start()

    assert server._socket_directory() != first
    assert stat.S_IMODE(server._socket_directory().stat().st_mode) == 0o700


@pytest.mark.slow
def test_stale_link_in_the_folder_of_throwaway_servers_stops_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = folder / "old"
    old.mkdir()
    (old / "thesis.txt").touch()
    os.utime(old, (0, 0))
    (folder / "taskdb-throwaway-link").symlink_to(old)
    (folder / "taskdb-throwaway-dangling").symlink_to(folder / "nowhere")
    (folder / "taskdb-throwaway-file").touch()
    os.utime(folder / "taskdb-throwaway-file", (0, 0))
    monkeypatch.setattr("taskdb.embedded.temporary.MEMORY", folder)
    monkeypatch.setattr("taskdb.embedded.temporary.MEMORY_NEEDED", 0)

    with throwaway() as server:
        assert server.directory.parent == folder

    assert (old / "thesis.txt").exists()


@pytest.mark.slow
@as_root
def test_folder_that_another_user_prepared_is_refused_untouched(
    original: Path, folder: Path
) -> None:
    directory = unpacked(original, folder)
    (directory / "data" / "tree").mkdir()
    (directory / "data" / "tree" / "passwd").symlink_to("/etc/passwd")
    for path in (directory, *directory.rglob("*")):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    before = state(directory)
    server = Server(directory)

    for action in (server.start, server.stop, server.status, server.adopt):
        with pytest.raises(DatabaseError, match=f"it belongs to {NOBODY.pw_uid}"):
            action()

    assert state(directory) == before


@as_root
def test_remains_of_another_user_are_not_touched(folder: Path) -> None:
    theirs = folder / "taskdb-throwaway-theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY.pw_uid, NOBODY.pw_gid)
    os.utime(theirs, (0, 0))

    _sweep(folder)

    assert theirs.exists()


@as_root
def test_impostor_in_the_place_of_a_stopped_server_is_refused(folder: Path) -> None:
    server = Server(folder / "a b" / ".taskdb")
    url = server.start()
    sockets = server._socket_directory()
    server.stop()
    sockets.mkdir(mode=0o755)
    os.chown(sockets, NOBODY.pw_uid, NOBODY.pw_gid)
    os.seteuid(NOBODY.pw_uid)
    try:
        impostor = socket.socket(socket.AF_UNIX)
        impostor.bind(str(sockets / ".s.PGSQL.5432"))
        impostor.listen()
    finally:
        os.seteuid(0)

    with impostor, pytest.raises(psycopg.OperationalError, match="requirepeer"):
        psycopg.connect(url)
    shutil.rmtree(sockets)


@pytest.mark.slow
@as_root
def test_server_that_root_started_has_no_rights_over_roots_files(folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    server = Server(folder / ".taskdb")

    with psycopg.connect(server.start(), autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Permission denied"):
            conn.execute("select pg_read_file(%s)", (str(secret),))
        conn.execute("create table id (number int)")
        conn.execute("copy id from program 'id -u'")
        number = conn.execute("select number from id").fetchone()

    assert number is not None
    assert number[0] != 0
