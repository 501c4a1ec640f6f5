"""Small tracks of migrations, written into a test's own folder."""

from __future__ import annotations

from pathlib import Path

NO_LOCKS = "none beyond new objects."
TIMEOUT = "set local lock_timeout = '2s';"


class Tracks:
    """A folder with the two tracks; each starts with one harmless migration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add(
            "shared", "0001.create-mood", "create type mood as enum ('ok');", "drop type mood;"
        )
        self.add(
            "workspace",
            "0001.create-notes",
            "create table notes (id int primary key, mood mood);",
            "drop table notes;",
        )

    def add(
        self,
        track: str,
        name: str,
        up: str,
        down: str = "",
        *,
        locks: str = NO_LOCKS,
        check: str = "select 1;  -- expect 1",
        extra: str = "",
        timeout: str = TIMEOUT,
    ) -> Path:
        """Write a migration and its rollback; the first statement of *up* is on line 5."""
        number = name[:4]
        extra = extra and extra + "\n"
        path = self.path(track, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"-- {number}: {name[5:]}.\n-- Locks: {locks}\n-- Check: {check}\n{extra}"
        path.write_text(f"{head}{timeout}\n{up}\n")
        self.rollback(track, name).write_text(f"-- {number} back: {name[5:]}.\n{timeout}\n{down}\n")
        return path

    def path(self, track: str, name: str) -> Path:
        return self.folder / track / f"{name}.sql"

    def rollback(self, track: str, name: str) -> Path:
        return self.folder / track / f"{name}.rollback.sql"

    def remove(self, track: str, name: str) -> None:
        self.path(track, name).unlink()
        self.rollback(track, name).unlink()
