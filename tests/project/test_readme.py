"""Statements of the README, checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from taskdb import cli
from tests.command_line import environment

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/README.md",
    *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_first_service_runs_and_prints_what_it_says(database_url: str, tmp_path: Path) -> None:
    service = blocks("python")[0]
    (tmp_path / "service.py").write_text(service)

    ran = subprocess.run(
        [sys.executable, "service.py"],
        cwd=tmp_path,
        env=environment({"DATABASE_URL": database_url}),
        capture_output=True,
        text=True,
        check=False,
    )

    said = re.findall(r"print\(.*\)  # (\S+):", service)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == said == ["DOC-1", "pending"]


def test_working_lines_come_first() -> None:
    before, _, _ = README.partition("```sh")

    assert len(before.splitlines()) < 8
    assert blocks("sh")[0].splitlines()[0].startswith("make demo")


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z-]+)\b(?=[ `\n])", code(page))) <= targets


def code(page: str) -> str:
    """The parts of *page* that are code, in blocks or in a line."""
    text = (ROOT / page).read_text()
    fenced = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    shell = [block for language, block in fenced.findall(text) if language in ("", "sh")]
    indented = re.findall(r"^ {4}(?:taskdb|make) .*", fenced.sub("", text), re.MULTILINE)
    return "\n".join([*shell, *indented, *re.findall(r"`[^`\n]+`", fenced.sub("", text))])


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists(page: str) -> None:
    for words in re.findall(r"(?<![/.\w])taskdb((?: [a-z]+(?:-[a-z]+)*)+)", code(page)):
        group: click.Command = cli.cli
        for word in words.split():
            if not isinstance(group, click.Group):
                break
            member = group.get_command(click.Context(group), word)
            assert member is not None, words
            group = member


def test_every_folder_of_the_map_exists_and_none_is_forgotten() -> None:
    named = re.findall(r"^\| `([^`]+/)`", README, re.MULTILINE)
    more = re.findall(r"^\| `[^`]+/`, `([^`]+/)`", README, re.MULTILINE)
    made = {"build/", "dist/", "htmlcov/"}
    tops = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}

    assert all((ROOT / folder).is_dir() for folder in [*named, *more])
    assert tops - made <= set(named)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())

    assert all((ROOT / page).parent.joinpath(link).exists() for link in links)
