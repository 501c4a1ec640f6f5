"""The built wheel carries all it needs: it migrates, imports and claims in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAIN_JOB = """
import sys
from pathlib import Path
import taskdb
from taskdb import Database, exchange, migrations, places
from taskdb.queries import claims

site, url = sys.argv[1:]
package = Path(taskdb.__file__).resolve().parent
assert package.is_relative_to(Path(site).resolve()), package
migrations.up(url)
with Database(url) as database, database.transaction() as conn:
    exchange.import_plan(conn, "shark", places.ROADMAP)
    print(claims.claim_next(conn, agent="me").key)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Build the wheel and install it, without what it depends on, into a folder of its own."""
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = wheels.glob("taskdb-*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True, capture_output=True)
    return site


def test_main_job_runs_from_the_wheel(site: Path, tmp_path: Path, empty_database_url: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", MAIN_JOB, str(site), empty_database_url],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("T-E01-")
    assert list(folder.iterdir()) == []
