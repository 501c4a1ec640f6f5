"""A real PgBouncer before a test's database, with a server process or two for all clients."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final, Literal

from psycopg.conninfo import conninfo_to_dict

from taskdb.testing import Databases
from tests.waiting import wait_until

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
Mode = Literal["session", "transaction"]

# Settings that the pooler drops from the connection's options. The last is a superuser's to set.
SETTINGS: Final = (
    "alter database {} set search_path = taskdb, shared, pg_temp",
    "alter database {} set timezone = 'UTC'",
    "alter database {} set taskdb.report_ready = on",
)


def prepare(databases: Databases, url: str) -> None:
    """Set for the database of *url* what a pooler drops."""
    name = str(conninfo_to_dict(url)["dbname"])
    with databases.admin(name) as conn:
        for setting in SETTINGS:
            conn.execute(setting.format(f'"{name}"').encode())


@contextlib.contextmanager
def pgbouncer(url: str, mode: Mode, *, processes: int = 2) -> Generator[str]:
    """Run PgBouncer before the database of *url*, and yield the URL of the way through it.

    `prepare` has set what the pooler drops.
    """
    assert PROGRAM
    at = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    with tempfile.TemporaryDirectory(prefix="bouncer-", dir="/tmp") as name:
        folder, user = Path(name), _user(at["host"])
        target = " ".join(
            f"{key}={at[key]}" for key in ("host", "port", "user", "password") if key in at
        )
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = {target}\n[pgbouncer]\n"
            f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = {processes}\n"
            "ignore_startup_parameters = options\nserver_reset_query = discard all\n"
        )
        os.chown(folder, user, -1)
        folder.chmod(0o755)
        running = subprocess.Popen(
            [PROGRAM, "--quiet", folder / "pgbouncer.ini"],
            user=user,
            extra_groups=[] if user != os.geteuid() else None,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: _listens(folder / ".s.PGSQL.6432"))
            yield f"postgresql://{at['user']}@/{at['dbname']}?host={folder}&port=6432"
        finally:
            running.terminate()
            running.wait()


def _user(host: str) -> int:
    """Return the user that may enter the server's socket folder; PgBouncer refuses root."""
    if os.geteuid() != 0:
        return os.geteuid()
    owner = os.stat(host).st_uid if host.startswith("/") else 0
    return owner or pwd.getpwnam("nobody").pw_uid


def _listens(path: Path) -> bool:
    """Return whether a socket takes connections; its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path)) == 0
