"""Who runs PostgreSQL's programs: they refuse root, and a user id that has no name.

An ordinary user runs them as they are. For root, and for a nameless id, a user namespace gives
the same id another name: files stay their owner's, and nothing on the machine changes. Where
the kernel refuses that (containers often do), root lends them to `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskdb.errors import DatabaseError

__all__ = ["Account", "choose"]


@dataclass(frozen=True, slots=True)
class Account:
    """One way to run a program. `uid` and `gid` own its files, as seen from outside."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

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
            cwd="/",
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

    def reaches(self, directory: Path) -> bool:
        """Tell whether this account may make files in *directory*."""
        status, _ = self.run("/bin/sh", "-c", 'test -w "$1" && test -x "$1"', "sh", directory)
        return status == 0

    def version(self, program: Path) -> tuple[int, str]:
        """Ask *program*, one of PostgreSQL's, for its version; status 0 means that it runs."""
        return self.run("/bin/sh", "-c", 'exec "$1" -V', "sh", program)

    def own(self, path: Path, *, deep: bool = True) -> None:
        """Give *path*, if *deep* all in it, to this account where another one has it."""
        if path.stat().st_uid == self.uid:
            return
        for folder, _, files in os.walk(path) if deep else ():
            for name in files:
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)
            os.chown(folder, self.uid, self.gid)
        os.chown(path, self.uid, self.gid)


def choose(data: Path) -> Account:
    """Find the account that runs the server on *data* for the present user.

    Raises `DatabaseError` where there is none.
    """
    for account in _candidates(data.stat().st_uid if data.exists() else os.geteuid()):
        try:
            status, _ = account.run("/bin/sh", "-c", ":")
        except OSError:  # No such program, or not allowed to become that user: try the next.
            continue
        if status == 0:
            return account
    raise DatabaseError(
        f"No account on this machine can run PostgreSQL for user id {os.geteuid()}",
        hint="PostgreSQL refuses root and ids without a name; run taskdb as an ordinary user"
        " that has an entry in /etc/passwd, or allow user namespaces (`unshare --user`)",
    )


def _candidates(owner: int) -> Iterator[Account]:
    uid, gid = os.geteuid(), os.getegid()
    named = {entry.pw_uid: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    if uid in named:
        yield Account(uid, gid)
        return
    if uid == 0 and owner in named:  # Root in another's folder leaves it the other's.
        yield Account(owner, named[owner].pw_gid)
    by_name = {entry.pw_name: entry for entry in named.values()}
    unshare = shutil.which("unshare")
    if unshare and named:
        name = by_name.get("nobody") or next(iter(named.values()))
        mapped = (f"--map-user={name.pw_uid}", f"--map-group={name.pw_gid}")
        yield Account(uid, gid, (unshare, "--user", *mapped, "--"))
    if uid == 0:
        for known in ("postgres", "nobody"):
            if known in by_name:
                yield Account(by_name[known].pw_uid, by_name[known].pw_gid)


def _environment() -> dict[str, str]:
    # Of ours only what finds programs: no PG*, no locale, no secrets.
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **kept}
