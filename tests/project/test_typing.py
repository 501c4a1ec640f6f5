"""Findings of the type checkers in a service that uses the typed functions.

The services are in tests/typing: a good one, and one in which every mistake names the codes of
mypy and pyright that it must get. They are checked from outside of the repository, with
nothing of its configuration, as a service's own project would check them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SERVICES = Path(__file__).parents[1] / "typing"
Checker = Callable[[Path, str], dict[int, set[str]]]
MARK = re.compile(r"# wrong: (\S+) (\S+)$")


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with both services in it."""
    for service in SERVICES.glob("*.py"):
        (tmp_path / service.name).write_text(service.read_text())
    return tmp_path


def mypy(folder: Path, service: str) -> dict[int, set[str]]:
    """Return the codes of mypy's errors by line."""
    cache = Path(__file__).parents[2] / ".mypy_cache" / "typing"
    out = run(
        sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), service, folder=folder
    )
    found: dict[int, set[str]] = {}
    for line, code in re.findall(rf"^{service}:(\d+): error: .*\[(\S+)\]$", out, re.MULTILINE):
        found.setdefault(int(line), set()).add(code)
    assert found or "Success: no issues found" in out, out
    return found


def pyright(folder: Path, service: str) -> dict[int, set[str]]:
    """Return the rules of pyright's errors by line."""
    settings = {"typeCheckingMode": "strict", "reportUnusedCoroutine": True}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    out = run(
        *(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable),
        service,
        folder=folder,
    )
    found: dict[int, set[str]] = {}
    for finding in json.loads(out)["generalDiagnostics"]:
        found.setdefault(finding["range"]["start"]["line"] + 1, set()).add(finding["rule"])
    return found


CHECKERS = pytest.mark.parametrize(("checker", "code"), [(mypy, 0), (pyright, 1)])


@CHECKERS
def test_a_good_service_is_accepted(folder: Path, checker: Checker, code: int) -> None:
    assert checker(folder, "good_service.py") == {}


@CHECKERS
def test_each_mistake_is_found_on_its_line(folder: Path, checker: Checker, code: int) -> None:
    marks = {
        number: mark.groups()[code]
        for number, line in enumerate((SERVICES / "bad_service.py").read_text().split("\n"), 1)
        if (mark := MARK.search(line))
    }
    assert len(marks) > 10

    found = checker(folder, "bad_service.py")
    assert set(found) == set(marks)
    assert {line: code for line, code in marks.items() if code not in found[line]} == {}
