"""Packages of `make setup`: pinned, and each file by its hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(.*)$", re.MULTILINE)
WINDOWS = ("os_name == 'nt'", "sys_platform == 'win32'")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    found = PIN.findall((ROOT / file).read_text(encoding="utf-8"))
    return {normal(name): version for name, version, _ in found}


def for_windows() -> set[str]:
    """Return the lock's packages for Windows alone, where `make setup` was never run."""
    found = PIN.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    return {normal(name) for name, _, marker in found if any(each in marker for each in WINDOWS)}


def wanted(requirements: Iterable[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=;]", each)[0]) for each in requirements}


def test_every_pin_of_the_lock_has_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text(encoding="utf-8").strip())

    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) == len(pins("requirements.txt")) > 50


def test_lock_and_constraints_name_the_same_versions() -> None:
    lock, constraints = pins("requirements.txt"), pins("constraints.txt")

    assert lock.keys() - constraints.keys() <= for_windows()
    assert {name: lock[name] for name in lock.keys() & constraints.keys()} == {
        name: constraints[name] for name in lock.keys() & constraints.keys()
    }


def test_lock_has_all_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["cli"], *extras["embedded"], *extras["dev"]]
    asked += [each for each in extras["mcp"] if not each.startswith("taskdb[")]

    assert wanted(asked) - pins("requirements.txt").keys() == set()


def test_no_file_of_pins_names_an_index() -> None:
    for file in ("requirements.txt", "constraints.txt"):
        assert re.findall(r"https?://|--(?:extra-)?index", (ROOT / file).read_text()) == []
