"""`[tool.taskdb]` in pyproject.toml: what `taskdb check` checks where nothing is named.

[tool.taskdb]
packages = ["shop.queries"]         # whose queries, as --package
url = "$SHOP_TEST_URL"              # the database to check with; or as it is
checks = ["contract", "expectations", "plans", "drift", "migrations"]
migrations = "migrations"           # a folder, for migrations and drift
schema = "schema.sql"               # a file that builds the same, for drift
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from taskdb.errors import DatabaseError

__all__ = ["ProjectSettings", "find_project"]

_FILE: Final = "pyproject.toml"
_KEYS: Final = {
    "packages": list,
    "url": str,
    "checks": list,
    "workspace": str,
    "migrations": str,
    "schema": str,
}
_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The checks that a project configures; `folder` holds its file."""

    folder: Path
    packages: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    url: str | None = None
    workspace: str | None = None
    migrations: Path | None = None
    schema: Path | None = None


def find_project(start: Path | None = None) -> ProjectSettings | None:
    """Return the table of the nearest pyproject.toml that has one, None without.

    Raises DatabaseError for one that is not understood, or names a variable that is not set.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        path = folder / _FILE
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            try:
                table = tomllib.loads(text).get("tool", {}).get("taskdb")
            except tomllib.TOMLDecodeError as exc:
                raise DatabaseError(f"{path} can't be read: {exc}", hint="Correct it") from exc
            return None if table is None else _project(folder, path, table)
    return None


def _project(folder: Path, path: Path, table: dict[str, Any]) -> ProjectSettings:
    for key, value in table.items():
        if key not in _KEYS or not isinstance(value, _KEYS[key]):
            expected = ", ".join(f"{name} ({kind.__name__})" for name, kind in _KEYS.items())
            raise DatabaseError(
                f"{path}: [tool.taskdb] {key} = {value!r} is not understood",
                hint=f"It has {expected}",
            )
    url = table.get("url")
    return ProjectSettings(
        folder,
        tuple(cast("list[str]", table.get("packages", []))),
        tuple(cast("list[str]", table.get("checks", []))),
        None if url is None else _VARIABLE.sub(lambda found: _variable(path, found), url),
        table.get("workspace"),
        _path(folder, path, table, "migrations"),
        _path(folder, path, table, "schema"),
    )


def _path(folder: Path, path: Path, table: dict[str, Any], key: str) -> Path | None:
    if key not in table:
        return None
    named = folder / str(table[key])
    if not named.exists():
        raise DatabaseError(
            f"{path}: [tool.taskdb] {key} = {table[key]!r} is not there",
            hint="Name it from the folder of pyproject.toml",
        )
    return named


def _variable(path: Path, found: re.Match[str]) -> str:
    name = found[1] or found[2]
    if name not in os.environ:
        raise DatabaseError(
            f"{path}: [tool.taskdb] url needs ${name}, which is not set",
            hint="Set it, or pass --url",
        )
    return os.environ[name]
