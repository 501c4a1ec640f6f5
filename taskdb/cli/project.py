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
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from taskdb.errors import DatabaseError

__all__ = ["OF_QUERIES", "OF_SCHEMA", "PLANS", "ProjectSettings", "find_project"]

# The parts of a check.
OF_QUERIES: Final = ("contract", "expectations")
OF_SCHEMA: Final = ("drift", "migrations")
PLANS: Final = "plans"

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
_MODULE: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The checks that a project configures in the file at `path`."""

    path: Path
    packages: tuple[str, ...]
    checks: tuple[str, ...] = ()
    written_url: str | None = None
    workspace: str | None = None
    migrations: Path | None = None
    schema: Path | None = None

    @property
    def url(self) -> str | None:
        """The database to check with. Raises DatabaseError if a variable in it is not set."""
        if self.written_url is None:
            return None
        return _VARIABLE.sub(lambda found: _variable(self.path, found), self.written_url)

    def let_import(self) -> None:
        """Let the project's packages be imported, from its folder or `src` in it."""
        for folder in (self.path.parent, self.path.parent / "src"):
            if folder.is_dir() and str(folder) not in sys.path:
                sys.path.insert(0, str(folder))


def find_project(start: Path | None = None) -> ProjectSettings | None:
    """Return the table of the nearest pyproject.toml that has one, None without.

    Raises DatabaseError for one that is not understood.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        path = folder / _FILE
        if path.is_file():
            try:
                tool = tomllib.loads(path.read_bytes().decode()).get("tool", {})
            except ValueError as exc:
                raise DatabaseError(f"{path} can't be read: {exc}", hint="Correct it") from exc
            if isinstance(tool, dict) and "taskdb" in tool:
                return _project(folder, path, cast("dict[str, Any]", tool)["taskdb"])
    return None


def _project(folder: Path, path: Path, table: Any) -> ProjectSettings:
    if not isinstance(table, dict):
        raise DatabaseError(f"{path}: tool.taskdb is no table", hint="Write [tool.taskdb]")
    settings = cast("dict[str, Any]", table)
    for key, value in settings.items():
        if key not in _KEYS or not isinstance(value, _KEYS[key]):
            expected = ", ".join(f"{name} ({kind.__name__})" for name, kind in _KEYS.items())
            raise DatabaseError(
                f"{path}: [tool.taskdb] {key} = {value!r} is not understood",
                hint=f"It has {expected}",
            )
    packages: list[Any] = settings.get("packages", [])
    checks: list[Any] = settings.get("checks", [])
    if not packages:
        raise DatabaseError(
            f"{path}: [tool.taskdb] names no packages, so nothing would be checked",
            hint='Name the packages that make Queries: packages = ["shop.queries"]',
        )
    for package in packages:
        if not isinstance(package, str) or not _MODULE.fullmatch(package):
            raise DatabaseError(
                f"{path}: [tool.taskdb] packages has {package!r}, which is no module's name",
                hint='Write it as an import does: packages = ["shop.queries"]',
            )
    parts = (*OF_QUERIES, PLANS, *OF_SCHEMA)
    for check in checks:
        if check not in parts:
            raise DatabaseError(
                f"{path}: [tool.taskdb] checks has {check!r}, which is no part of the check",
                hint=f"The parts are {', '.join(parts)}",
            )
    return ProjectSettings(
        path,
        tuple(packages),
        tuple(checks),
        settings.get("url"),
        settings.get("workspace"),
        _path(folder, path, settings, "migrations"),
        _path(folder, path, settings, "schema"),
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
