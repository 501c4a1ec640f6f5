"""The first migration of each sequence, written from `sql/`: `make squash`.

Until 0.1.0 each sequence is one file. It holds the schema's files in their order, word for
word, and its rollback drops their objects in reverse. From the first release on these files
are history like any other, and this module goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from taskdb.migrations.scripts import statements_of

__all__ = ["files", "main"]

_ROOT = Path(__file__).resolve().parent.parent.parent
_INCLUDE = re.compile(r"^\\ir (\S+)$", re.MULTILINE)
_CREATED = re.compile(
    r"create (?:unique )?(?P<kind>table|view|sequence|type|domain|extension|trigger)"
    r"(?: if not exists)? (?P<name>\w+)(?:.*? on (?P<table>\w+))?",
    re.DOTALL,
)
_FUNCTION = re.compile(r"comment on function (?P<signature>[\w.]+\([^)]*\)) is")

_HEADS = {
    "shared": """-- 0001: what all workspaces share.
-- Generated from sql/shared.sql by `make squash`: edit there.
-- Locks: none beyond new objects.
-- Check: select 'pending'::shared.task_status;  -- expect pending
""",
    "workspace": """-- 0001: one workspace, whole.
-- Generated from sql/workspace.sql by `make squash`: edit there.
-- Locks: none beyond new objects.
-- Check: select count(*) from task_status_transitions;  -- expect 21
""",
}
_BACK = """-- 0001 back: every object goes.
-- Generated from sql/{track}.sql by `make squash`: edit there.
-- Locks: access exclusive on what it drops.
"""
_LIMIT = "set local lock_timeout = '2s';\n"


def files(root: Path = _ROOT) -> dict[Path, str]:
    """Return the text of each generated file by its path."""
    texts: dict[Path, str] = {}
    for track, head in _HEADS.items():
        folder = root / "migrations" / track
        order = root / "sql" / f"{track}.sql"
        texts[folder / f"0001.create-{track}.sql"] = f"{head}{_LIMIT}\n" + "\n".join(
            (order.parent / name).read_text(encoding="utf-8")
            for name in _INCLUDE.findall(order.read_text(encoding="utf-8"))
        )
        texts[folder / f"0001.create-{track}.rollback.sql"] = (
            f"{_BACK.format(track=track)}{_LIMIT}\n" + "".join(reversed(list(_drops(order))))
        )
    return texts


def _drops(order: Path) -> Iterator[str]:
    """Yield the statement that drops each object, in the order of creation."""
    for _, statement in statements_of(order):
        if function := _FUNCTION.match(statement.text):
            yield f"drop function {function['signature']};\n"
        elif created := _CREATED.match(statement.text):
            where = f" on {created['table']}" if created["kind"] == "trigger" else ""
            yield f"drop {created['kind']} {created['name']}{where};\n"


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
