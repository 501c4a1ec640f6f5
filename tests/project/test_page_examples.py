"""Each example of the pages is whole, and passes both type checkers in their strict modes.

All are modules of one project, outside of the repository: a block that begins with `# a/b.py` is
the file of that name, any other is named after its page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```(?:python|py)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.py)\b")


def examples() -> Iterator[tuple[str, str]]:
    """Yield the path of each example and its source."""
    for page in PAGES:
        for number, source in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), start=1):
            named = FILE.match(source)
            yield named[1] if named else f"{page.stem.lower()}_{number}.py", source


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of all examples, with the signatures of FastAPI."""
    folder = tmp_path_factory.mktemp("pages")
    for name, source in examples():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    shutil.copytree(ROOT / "tests" / "typing" / "stubs", folder / "typings")
    return folder


def run(project: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={**os.environ, "MYPYPATH": "typings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_no_two_examples_have_one_name() -> None:
    names = [name for name, _ in examples()]

    assert len(names) > 20
    assert sorted(set(names)) == sorted(names)


@pytest.mark.slow
def test_mypy_accepts_every_example(project: Path) -> None:
    cache = ROOT / ".mypy_cache" / "typing"
    settings = ("--strict", "--disable-error-code", "empty-body", "--explicit-package-bases")
    files = [name for name, _ in examples()]

    said = run(project, "mypy", *settings, "--cache-dir", str(cache), *files)

    assert "Success: no issues found" in said, said


@pytest.mark.slow
def test_pyright_accepts_every_example(project: Path) -> None:
    (project / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "typeCheckingMode": "strict",
                "reportMissingModuleSource": False,
                "exclude": ["typings"],
            }
        )
    )

    said = run(project, "pyright", "--outputjson", "--pythonpath", sys.executable)

    found = json.loads(said)
    assert found["summary"]["filesAnalyzed"] >= len(list(examples()))
    assert [
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in found["generalDiagnostics"]
    ] == []
