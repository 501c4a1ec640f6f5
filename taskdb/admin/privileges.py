"""docs/privileges.md: which kind of role may do what, from the catalogue.

``python -m taskdb.admin.privileges docs/privileges.md`` (`make docs`) grants each kind to a
role of a throwaway server and writes the page; a test compares it, and tries every cell.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from taskdb import migrations
from taskdb.database import connect, roles, workspaces
from taskdb.embedded import throwaway
from taskdb.models.admin.workspaces import Privilege
from taskdb.queries.admin import workspaces as queries

__all__ = ["GRANTED", "main", "page"]

GRANTED: Final[tuple[roles.Kind, ...]] = ("reader", "worker", "app")
"""The kinds that are granted by name; an owner may do everything."""

_HEAD = """\
# Who may do what

Made by `make docs` from the catalogue of a database just migrated; a test compares the two and
tries every cell. The grants are in `sql/roles/`. The owner of a workspace may do everything in
it; a role without grants may do nothing, and neither may PUBLIC. A worker may do what a reader
may, and an app what a worker may: their cells show what is added. Columns are in brackets.
"""


def page(conn: Connection[Any], workspace: str = workspaces.DEFAULT) -> str:
    """Return the page as Markdown: the workspace has a role of each of the granted kinds."""
    kinds = {granted.role: granted.kind for granted in roles.show(conn, workspace)}
    rows = [row for row in queries.list_acl(conn, workspace=workspace) if row.role in kinds]
    parts = [_HEAD]
    for kind in ("schema", "table", "view", "sequence", "function"):
        parts += [f"## {kind.capitalize()}s\n", "\n".join(_table(rows, kind, kinds)) + "\n"]
    return "\n".join(parts)


def _table(rows: Sequence[Privilege], kind: str, kinds: dict[str, str]) -> Iterator[str]:
    cells: dict[str, dict[str, list[Privilege]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.kind == kind:
            is_shared = row.schema == workspaces.SHARED and kind != "schema"
            name = f"shared.{row.object}" if is_shared else row.object
            cells[name][kinds[row.role]].append(row)
    yield f"| {kind} | {' | '.join(GRANTED)} |"
    yield "| --- | --- | --- | --- |"
    for name in sorted(cells):
        before: set[str] = set()
        texts: list[str] = []
        for each in GRANTED:
            raw = _texts(cells[name][each])
            texts.append("; ".join(text for text in raw if text not in before))
            before |= set(raw)
        yield f"| `{name}` | {' | '.join(texts)} |"


def _texts(rows: Iterable[Privilege]) -> list[str]:
    columns: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        columns[row.privilege] += [row.column] if row.column else []
    return [
        f"{privilege} ({', '.join(sorted(names))})" if names else privilege
        for privilege, names in sorted(columns.items())
    ]


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file that is named."""
    (file,) = arguments
    with throwaway() as server:
        migrations.up(server.url)
        with connect(server.url, autocommit=True) as conn:
            for kind in GRANTED:
                roles.create(conn, kind)
                roles.grant(conn, workspaces.DEFAULT, kind, kind)
            Path(file).write_text(page(conn), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
