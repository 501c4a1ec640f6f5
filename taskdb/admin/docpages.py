"""The pages made from the catalogue: docs/schema.md and docs/lifecycle.md.

``python -m taskdb.admin.docpages docs`` (`make docs`) migrates a throwaway server and writes them;
tests compare them with the pages that are committed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from taskdb import migrations
from taskdb.admin import erdiagram, lifecycle
from taskdb.database import connect, workspaces
from taskdb.embedded import throwaway

__all__ = ["PAGES", "main"]

PAGES: Final[dict[str, Callable[[Connection[Any]], str]]] = {
    "schema.md": erdiagram.page,
    "lifecycle.md": lifecycle.page,
}


def main(arguments: Sequence[str]) -> None:
    """Write the pages into the folder that is named."""
    (folder,) = arguments
    with throwaway() as server:
        migrations.up(server.url)
        with connect(server.url, workspace=workspaces.DEFAULT) as conn:
            for name, page in PAGES.items():
                Path(folder, name).write_text(page(conn), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
