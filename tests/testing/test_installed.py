"""The plugin in a project that has nothing but the wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
SECONDS = 15.0


def run(*command: str | Path, cwd: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "TASKDB_TEST_URL"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_first_test_of_a_project_that_installs_the_wheel_passes_in_time(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[testing]", cwd=tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    (example,) = re.findall(r"```python\n# test_service\.py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (project / "test_service.py").write_text(example)

    start = time.monotonic()
    said = run(python, "-W", "error", "-m", "pytest", "-W", "error", cwd=project)
    seconds = time.monotonic() - start

    assert re.search(r"^taskdb: PostgreSQL 18\.", said, re.MULTILINE)
    assert "1 passed" in said
    assert seconds < SECONDS
