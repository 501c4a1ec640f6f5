"""Each way to install taskdb carries all it needs: it migrates, imports and claims anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

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


def run(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(kind: str, source: Path, into: Path) -> Path:
    """Build a wheel or an sdist of the project in *source*, and return the file."""
    run("-m", "hatchling", "build", "-t", kind, "-d", into, cwd=source)
    (made,) = into.glob("taskdb-*")
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the wheel, the sdist, and the wheel of the sdist, as every release tool does."""
    folder = tmp_path_factory.mktemp("built")
    sdist = build("sdist", ROOT, folder / "sdist")
    # By the program, for the filters of tarfile are not in the first releases of Python 3.11.
    subprocess.run(["tar", "-xzf", sdist, "-C", sdist.parent], check=True)
    (unpacked,) = (each for each in sdist.parent.iterdir() if each.is_dir())
    return {
        "wheel": build("wheel", ROOT, folder / "wheel"),
        "sdist": unpacked,
        "wheel of the sdist": build("wheel", unpacked, folder / "again"),
    }


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_both_wheels_hold_the_same_files(built: dict[str, Path]) -> None:
    wheel = names(built["wheel"])
    migrations = [path.relative_to(ROOT) for path in ROOT.glob("migrations/*/*.sql")]
    statements = [path.relative_to(ROOT) for path in ROOT.glob("sql/**/*.*")]

    assert wheel == names(built["wheel of the sdist"])
    assert wheel >= {f"taskdb/_files/{path}" for path in [*migrations, *statements]}
    assert not any(name.endswith(".pyc") for name in wheel)


def test_the_sdist_holds_what_its_tests_need(built: dict[str, Path]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()

    packed = [name for name in tracked if not name.startswith(".")]
    assert [name for name in packed if not (built["sdist"] / name).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wheel", "sdist", "wheel of the sdist"])
def test_main_job_runs_from(
    way: str, built: dict[str, Path], tmp_path: Path, empty_database_url: str
) -> None:
    folder, site = tmp_path / "empty", built["sdist"]
    folder.mkdir()
    if way != "sdist":
        site = tmp_path / "site"
        install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site)
        run(*install, built[way], cwd=folder)

    said = run("-c", MAIN_JOB, site, empty_database_url, cwd=folder, PYTHONPATH=str(site))

    assert said.startswith("T-E01-")
    assert list(folder.iterdir()) == []


def test_no_file_is_a_symbolic_link() -> None:
    """A checkout on a system without them is whole."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert "120000 " not in listed
