"""Hostile titles, names and notes through every command: they stay text of their own line.

A command of the tree that is in neither table fails the test of the tree.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Final

import click
import pytest

from taskdb.cli import cli, main
from tests.command_line import Caller
from tests.hostile import NAME, TAIL, TITLE, Planned, faults, planned

__all__ = ["planned"]


def _calls(verb: str, *more: str) -> list[tuple[str, ...]]:
    return [(verb, verb + TAIL, *more)]


def _read(*call: str) -> list[tuple[str, ...]]:
    return [call, (*call, "--json")]


# The calls of each command; {folder} and {token} are filled in.
CALLS: Final[dict[str, list[tuple[str, ...]]]] = {
    "add": [
        ("add", TITLE, "--label", NAME, "--agent", NAME, "--key", f"new{TAIL}"),
        ("add", TITLE, "--after", NAME),
        ("add", TITLE, "--json"),
        ("add", "x" * 501),
        ("add", TITLE, "--priority", NAME),
    ],
    "answer": [("answer", f"asked{TAIL}", TITLE, "--agent", NAME)],
    "ask": [("ask", f"parent{TAIL}", TITLE, "--agent", NAME)],
    "brief": [*_read("brief", f"T{TAIL}"), ("brief", f"before{TAIL}"), ("brief", TITLE)],
    "cancel": _calls("cancel", "--note", TITLE),
    "claim": [("claim", "--agent", NAME, "--agent-type", NAME), ("claim", NAME, "--agent", NAME)],
    "complete": _calls("complete", "--token", "{token}", "--note", TITLE),
    "critical-path": _read("critical-path", "--all"),
    "depend": [("depend", f"T{TAIL}", f"held{TAIL}"), ("depend", NAME, TITLE)],
    "doctor": _read("doctor"),
    "edit": [("edit", f"T{TAIL}", "--title", TITLE), ("edit", f"T{TAIL}", "--clear", TITLE)],
    "fail": _calls("fail", "--token", "{token}", "--error", TITLE),
    "flow": [*_read("flow"), ("flow", "--type", NAME)],
    "graph": [
        ("graph", "--all"),
        ("graph", "--all", "--by", "task", "--format", "dot"),
        ("graph", "--all", "--by", "feature"),
        ("graph", "--epic", NAME),
    ],
    "heartbeat": _calls("heartbeat", "--token", "{token}", "--note", TITLE),
    "hold": _calls("hold", TITLE),
    "import": [
        *_read("import", "beads", "{folder}/issues.jsonl", "--dry-run"),
        ("import", "beads", TITLE),
        ("import", "csv", "{folder}/issues.jsonl", "--column", NAME),
    ],
    "metrics": [("metrics",)],
    "migrate check": _read("migrate", "check"),
    "migrate history": _read("migrate", "history"),
    "migrate status": _read("migrate", "status"),
    "prune": _read("prune", "--older-than", "90d", "--dry-run"),
    "ready": [*_read("ready"), ("ready", "--label", NAME), ("ready", "--under", NAME)],
    "release": _calls("release", "--token", "{token}", "--note", TITLE),
    "reopen": [("reopen", f"done{TAIL}", "--note", TITLE)],
    "report": [("report", "--output", "{folder}/page.html"), ("report", "--epic", NAME)],
    "resume": [("resume", f"held{TAIL}", "--note", TITLE)],
    "roles show": [*_read("roles", "show"), ("roles", "show", NAME)],
    "search": [*_read("search", "forged"), ("search", TITLE)],
    "show": [("show", NAME)],
    "spec import": _read("spec", "import", "{folder}/spec.md", "--title", NAME),
    "spec show": [("spec", "show", "SPEC-7", "--json"), ("spec", "show", NAME)],
    "stats": _read("stats"),
    "stuck": _read("stuck"),
    "submit": _calls("submit", "--token", "{token}", "--note", TITLE),
    "task": [*_read("task", f"T{TAIL}"), *_read("task", f"before{TAIL}"), ("task", TITLE)],
    "tasks": [*_read("tasks", "--all"), ("tasks", "--epic", NAME)],
    "waves": _read("waves"),
    "why": [*_read("why", f"T{TAIL}"), ("why", NAME)],
}
# Commands that print nothing of a plan, or have a test below.
OTHERS: Final[dict[str, str]] = {
    "check": "reads the package's queries",
    "db adopt": "the embedded server",
    "db psql": "is psql",
    "db seed": "makes a plan of its own",
    "db start": "the embedded server",
    "db status": "the embedded server",
    "db stop": "the embedded server",
    "db url": "the embedded server",
    "demo": "works on a plan of its own",
    "export": "test_exported_files_hold_titles_as_text",
    "generate": "writes functions for queries",
    "mcp": "test_tools_answer_with_lines_of_their_own",
    "migrate down": "takes the plan away",
    "migrate new": "writes files",
    "migrate stamp": "changes the log of migrations",
    "migrate up": "reads no plan",
    "roles create": "names roles alone",
    "roles grant": "names roles alone",
    "roles revoke": "names roles alone",
    "work": "prints keys, which test_work_command.py reads",
}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of all commands below one."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, (*path, name))


def test_every_command_of_the_tree_is_tried() -> None:
    assert set(commands(cli)) == CALLS.keys() | OTHERS.keys()
    assert not CALLS.keys() & OTHERS.keys()


@pytest.mark.parametrize("call", [c for calls in CALLS.values() for c in calls], ids=ascii)
def test_hostile_text_stays_text_of_its_line(
    capsys: pytest.CaptureFixture[str], planned: Planned, call: tuple[str, ...]
) -> None:
    fields = {"folder": planned.folder, "token": planned.tokens.get(call[0], "")}
    arguments = [
        each.format(**fields) if each in ("{token}",) or "{folder}" in each else each
        for each in call
    ]
    printed = Caller(capsys, planned.url)(*arguments)

    assert printed.status in (0, 1, 2, 3), printed.err
    # A claim is printed as fields with tabs between them.
    shown = printed.out.replace("\t", " ") if call[0] == "claim" else printed.out
    assert faults(shown) == []
    assert faults(printed.err) == []
    if "--json" in call and printed.status == 0 and printed.out:
        json.loads(printed.out)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_letter_that_the_output_has_none_for_is_escaped_as_in_json(
    database_url: str, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """As on a pipe of Windows, or in a locale that is not UTF-8."""
    title = "Tür 日本 \U0001f680"

    def call(*arguments: str) -> str:
        raw = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1"))
        assert main(["--url", database_url, *arguments]) == 0
        return raw.getvalue().decode("latin-1")

    call("add", title, "--key", "T-1")
    printed = [call(*each, *more) for each in (["tasks"], ["ready"], ["task", "T-1"])]

    assert all("Tür \\u65e5\\u672c \\ud83d\\ude80" in text for text in printed)
    if more:
        assert all(title in str(json.loads(text)) for text in printed)
