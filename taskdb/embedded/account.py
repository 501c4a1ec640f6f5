"""Account that runs PostgreSQL's programs: they refuse root, and a user id without a name.

An ordinary user runs them as they are. For a nameless id a user namespace gives the same id a
name. Root lends them to `postgres` or `nobody`, so that whoever may do anything in the database
still has no rights over root's files. That account gets its data as the working directory, and
needs no rights in any folder above it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taskdb.errors import DatabaseError

__all__ = ["Account", "choose", "user_name"]


@dataclass(frozen=True, slots=True)
class Account:
    """One way to run a program. `uid` and `gid` own its files, as seen from outside."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    directory: Path = Path("/")

    def at(self, directory: Path) -> Account:
        """Return this account with *directory* as the working directory of its programs."""
        return replace(self, directory=directory)

    def path(self, directory: Path) -> str:
        """Return the name under which a program that works *at* the directory can open it."""
        return str(directory) if self.switch is None else "/proc/self/cwd"

    @property
    def switch(self) -> int | None:
        """The user to become, or None to stay who we are."""
        return None if self.uid == os.geteuid() else self.uid

    def popen(
        self,
        command: Sequence[str | Path],
        *,
        output: int = subprocess.PIPE,
        stdin: int = subprocess.DEVNULL,
        keep: Sequence[int] = (),
    ) -> subprocess.Popen[str]:
        """Start *command* away from our terminal and environment, with the files *keep* open."""
        return subprocess.Popen(
            [*self.prefix, *command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=keep,
            text=True,
            errors="replace",
            cwd=self.directory,
            env=_environment(),
            start_new_session=True,
            user=self.switch,
            group=None if self.switch is None else self.gid,
            extra_groups=None if self.switch is None else (),
        )

    def run(
        self, *command: str | Path, text: str | None = None, keep: Sequence[int] = ()
    ) -> tuple[int, str]:
        """Run *command* to its end, with *text* as its input; return exit status and output."""
        stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
        with self.popen(command, stdin=stdin, keep=keep) as process:
            try:
                output, _ = process.communicate(text)
            except BaseException:
                process.kill()
                raise
        return process.returncode, output.strip()

    def version(self, program: Path) -> tuple[int, str]:
        """Ask *program*, one of PostgreSQL's, for its version; status 0 means that it runs."""
        return self.run("/bin/sh", "-c", 'exec "$1" -V', "sh", program)


def choose(data: Path) -> Account:
    """Find the account that runs the server on *data* for the present user.

    Raises `DatabaseError` where there is none, or where *data* belongs to another account.
    """
    owner = data.stat().st_uid if data.exists() else None
    for account in _candidates():
        if owner not in (None, account.uid):
            continue
        try:
            status, _ = account.run("/bin/sh", "-c", ":")
        except OSError:  # No such program, or not allowed to become that user: try the next.
            continue
        if status == 0:
            return account
    raise DatabaseError(
        f"No account on this machine can run PostgreSQL for user id {os.geteuid()}"
        + ("" if owner is None else f" on {data}, which belongs to user id {owner}"),
        hint="PostgreSQL refuses root and ids without a name; run taskdb as an ordinary user"
        " that has an entry in /etc/passwd; as root, have a user `postgres` or `nobody`",
    )


def user_name(uid: int) -> str | None:
    """Return the name of user id *uid*, or None if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _candidates() -> Iterator[Account]:
    uid, gid = os.geteuid(), os.getegid()
    named = {entry.pw_uid: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    by_name = {entry.pw_name: entry for entry in named.values()}
    if uid == 0:
        for known in ("postgres", "nobody"):
            if known in by_name:
                yield Account(by_name[known].pw_uid, by_name[known].pw_gid)
    elif uid in named:
        yield Account(uid, gid)
    elif (unshare := shutil.which("unshare")) and named:
        name = by_name.get("nobody") or next(iter(named.values()))
        mapped = (f"--map-user={name.pw_uid}", f"--map-group={name.pw_gid}")
        yield Account(uid, gid, (unshare, "--user", *mapped, "--"))


def _environment() -> dict[str, str]:
    # Only the variables that find programs are passed on: no PG*, no locale, no secrets.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **kept}
