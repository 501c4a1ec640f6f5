"""Places of the files that are not Python: within an installed package, or beside it in a clone.

`sql/` and `migrations/` stand at the top of the repository, where a DBA looks for them. The
wheel holds them in ``taskdb/_files`` (see pyproject.toml).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["EXPECTATIONS", "MIGRATIONS", "QUERIES", "ROADMAP", "SQL"]

_PACKAGE: Final = Path(__file__).resolve().parent
_TOP: Final = packaged if (packaged := _PACKAGE / "_files").is_dir() else _PACKAGE.parent

SQL: Final = _TOP / "sql"
"""The schema as it stands, and the named queries."""

QUERIES: Final = SQL / "queries"
"""The named queries; those of operators and of the toolkit are in folders of their own."""

EXPECTATIONS: Final = SQL / "expectations"
"""Records of PostgreSQL's view of the named queries, for reviews and for `taskdb.verify`."""

MIGRATIONS: Final = _TOP / "migrations"
"""The migration files of both tracks."""

ROADMAP: Final = _TOP / "examples" / "roadmap"
"""The plan that the demo works off."""
