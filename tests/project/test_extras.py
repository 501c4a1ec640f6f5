"""Features without the extras, and the message where one is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

OF_CLI = ("click", "markdown_it", "rich", "yaml", "yoyo")

SERVICE = """
from taskdb import Database, verify
from taskdb.database import versions
from taskdb.queries import claims, tasks

with Database({url!r}) as database, database.connection() as conn:
    tasks.create(conn, key="T-1", title="Write the manual")
    assert claims.claim_next(conn, agent="dev-1").key == "T-1"
    verify(conn)
    assert versions.version(conn).workspace
    assert database.health().schema.workspace
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* as if nothing of the extra `cli` were installed."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({OF_CLI!r}))\n"
    command = [sys.executable, "-c", hidden + code]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")


@pytest.mark.slow
def test_the_doctor_needs_no_extra(database_url: str) -> None:
    examination = f"""
from taskdb import Database
from taskdb.admin import diagrams, doctor, seed

with Database({database_url!r}) as database, database.connection() as conn:
    print(doctor.run(conn), doctor.overdue(conn))
"""

    done = run(examination)

    assert (done.returncode, done.stdout) == (0, "[] []\n"), done.stderr


def test_a_service_needs_no_extra(database_url: str) -> None:
    done = run(SERVICE.format(url=database_url))

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import taskdb.migrations",
        "import taskdb.cli",
        "from taskdb.exchange import import_plan",
        "from taskdb.__main__ import main; sys.exit(main())",
    ],
)
def test_a_missing_extra_is_named(code: str) -> None:
    done = run(code)

    assert done.returncode == 1
    assert "is not installed" in done.stderr.splitlines()[-1]
    assert done.stderr.endswith("Run: pip install 'taskdb[cli]'\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "module", "extra"),
    [("mcp", "taskdb.verbs.tools", "mcp"), ("pytest", "taskdb.testing", "testing")],
)
def test_the_extra_of_a_module_is_named(missing: str, module: str, extra: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import {module}"

    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd="/"
    )

    assert done.returncode == 1
    assert done.stderr.endswith(f"Run: pip install 'taskdb[{extra}]'\n")
