"""The recipe of docs/migrations.md for an index on a big table passes what `make check` runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taskdb.migrations import drift
from taskdb.migrations import rehearsal as migration_check
from taskdb.migrations.files import lint
from taskdb.testing.databases import Databases

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAME = "0002.index-titles"
INDEX = "create index tasks_by_name on tasks (title);\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the checks read, with the recipe in them."""
    for folder in ("migrations", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (".squawk.toml", ".sqlfluff", ".sqlfluffignore"):
        shutil.copy(ROOT / file, tmp_path)
    page = (ROOT / "docs" / "migrations.md").read_text(encoding="utf-8")
    up, down = re.findall(r"```sql\n(-- 0002.*?)```", page, re.DOTALL)
    (tmp_path / "migrations" / "workspace" / f"{NAME}.sql").write_text(up)
    (tmp_path / "migrations" / "workspace" / f"{NAME}.rollback.sql").write_text(down)
    with (tmp_path / "sql" / "tables" / "tasks.sql").open("a") as table:
        table.write("\n" + INDEX)
    return tmp_path


@pytest.mark.parametrize(
    "command", [["squawk"], ["sqlfluff", "lint", "--quiet"]], ids=["squawk", "sqlfluff"]
)
def test_linters_accept_the_recipe(checkout: Path, command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    file = f"migrations/workspace/{NAME}.sql"

    done = subprocess.run(
        [program, *command[1:], file], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_recipe_runs_both_ways_and_leaves_no_drift(
    databases: Databases, checkout: Path
) -> None:
    folder = checkout / "migrations"

    assert lint(folder / "workspace") == []
    assert [str(each) for each in migration_check.check(databases.admin_url, folder=folder)] == []
    with drift.build(databases.admin_url, folder=folder, sql=checkout / "sql") as sides:
        assert [str(difference) for difference in sides.compare()] == []
