"""The verbs of people and agents, on the command line: what they do, and how they end."""

from __future__ import annotations

import inspect
import io
import json
from pathlib import Path
from typing import Any

import pytest

from taskdb import cli, verbs
from taskdb.database import connect
from taskdb.queries import claims, history, tasks
from tests.command_line import Caller

Connection = Any


@pytest.fixture
def taskdb(
    capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Caller:
    monkeypatch.delenv("TASKDB_AGENT", raising=False)
    return Caller(capsys, database_url)


def give(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    """Put *text* on standard input."""
    raw = text.encode() if isinstance(text, str) else text
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))


def claimed(taskdb: Caller, *arguments: str) -> tuple[str, str]:
    """Claim a task as ann; return its key and token."""
    claim = taskdb("claim", *arguments, "--agent", "ann", "--json").data
    return claim["key"], str(claim["token"])


def test_the_command_line_has_every_verb() -> None:
    assert set(cli.VERBS) == set(verbs.VERBS)


def test_added_task_has_all_that_was_said(taskdb: Caller) -> None:
    taskdb("add", "First", "--key", "T-1")
    arguments = ["--priority", "2", "--label", "api", "--label", "ui", "--after", "T-1"]
    arguments += ["--estimated-hours", "1.5", "--requirements", '{"tests": "pass"}']
    added = taskdb("add", "Second", "--key", "T-2", *arguments, "--agent", "ann", "--json")

    assert added.status == 0
    assert added.data["labels"] == ["api", "ui"]
    assert (added.data["priority"], added.data["status"]) == (2, "blocked")
    assert added.data["requirements"] == {"tests": "pass"}
    assert (added.data["estimated_hours"], added.data["created_by"]) == ("1.50", "ann")


def test_a_blocker_that_is_named_twice_is_one_dependency(taskdb: Caller) -> None:
    taskdb("add", "First", "--key", "T-1")

    added = taskdb("add", "Second", "--after", "T-1", "--after", "T-1")

    assert (added.status, added.err) == (0, "")


@pytest.mark.parametrize("verb", ["add", "edit"])
def test_a_feature_that_is_not_there_is_named(taskdb: Caller, verb: str) -> None:
    taskdb("add", "First", "--key", "T-1")

    refused = taskdb(verb, "T-1", "--feature", "E01-F01")

    assert (refused.status, refused.err) == (
        1,
        "taskdb: There is no feature E01-F01 in this workspace. "
        "Name one that is there, or leave it out\n",
    )


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("heartbeat", ()),
        ("complete", ()),
        ("submit", ()),
        ("fail", ("--error", "x")),
        ("release", ()),
        ("ask", ("Which?",)),
    ],
)
def test_a_lost_claim_is_named_by_key_and_token(
    taskdb: Caller, verb: str, more: tuple[str, ...]
) -> None:
    taskdb("add", "First", "--key", "T-1")
    claimed(taskdb, "T-1")

    lost = taskdb(verb, "T-1", *more, "--token", "9")

    assert (lost.status, lost.err) == (
        4,
        "taskdb: The claim of T-1 with token 9 is no longer live. "
        "The lease lapsed, or the claim was ended: drop the work, and claim again\n",
    )


@pytest.mark.parametrize(
    ("verb", "name"),
    [("export", "nothing/plan"), ("export", "folder"), ("report", "nothing/plan")],
)
def test_a_file_that_cannot_be_written_is_named(
    taskdb: Caller, tmp_path: Path, verb: str, name: str
) -> None:
    (tmp_path / "folder").mkdir()

    refused = taskdb(verb, "-o", tmp_path / name)

    assert refused.status == 1
    assert refused.err.startswith(f"taskdb: {tmp_path / name} cannot be written: ")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("nothing.json", "cannot be read: No such file"),
        ("folder", "cannot be read: Is a directory"),
        ("bytes.json", "is no UTF-8"),
    ],
)
def test_a_file_of_fields_that_cannot_be_read_is_named(
    taskdb: Caller, tmp_path: Path, name: str, rule: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.json").write_bytes(b"\xff")

    refused = taskdb("add", "--input", tmp_path / name)

    assert refused.status == 2
    assert f"Invalid value for '--input': {tmp_path / name} {rule}" in refused.err


def test_added_task_without_a_key_is_named(taskdb: Caller) -> None:
    assert taskdb("add", "First").out == "T-1 is pending.\n"


def test_a_task_is_not_added_if_it_waits_for_nothing_that_exists(taskdb: Caller) -> None:
    refused = taskdb("add", "Second", "--key", "T-2", "--after", "T-404")

    assert refused.status == 1
    assert "There is no task T-404" in refused.err
    assert "There is no task T-2" in taskdb("resume", "T-2").err


def test_fields_can_come_as_json(taskdb: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"title": "-", "key": "T-9", "description": "-", "label": ["a", "b"], "priority": 1}
    give(monkeypatch, json.dumps({**said, "parent": None}))

    added = taskdb("add", "--input", "-", "--priority", "3", "--json").data

    assert (added["title"], added["description"], added["labels"]) == ("-", "-", ["a", "b"])
    assert added["priority"] == 3


def test_unknown_field_of_json_is_refused_with_those_there_are(
    taskdb: Caller, tmp_path: Path
) -> None:
    (tmp_path / "task.json").write_text('{"titel": "A task"}')

    refused = taskdb("add", "--input", tmp_path / "task.json")

    assert refused.status == 2
    assert "no field titel, but: after, agent, " in refused.err


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[]", "must be a JSON object"),
        ("{", "is no JSON: "),
        ('{"title": 7}', "must be a text, and not 7"),
        ('{"title": "A", "priority": "high"}', "'high' is not a valid integer"),
        ('{"title": "A", "requirements": [1]}', "must be a JSON object"),
        ('{"title": "A", "scheduled_at": "soon"}', "is no moment such as"),
        ('{"title": "A", "estimated_hours": "two"}', "is no number"),
    ],
)
def test_bad_json_is_refused_by_field(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    give(monkeypatch, said)

    refused = taskdb("add", "--input", "-")

    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert words in refused.err


def test_long_text_comes_from_standard_input(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "First line\nsecond: ä\n")

    added = taskdb("add", "A task", "--description", "-", "--json").data

    assert added["description"] == "First line\nsecond: ä"


def test_standard_input_that_is_no_utf_8_is_refused(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, b"caf\xe9")

    refused = taskdb("add", "A task", "--description", "-")

    assert refused.status == 2
    assert "standard input is no UTF-8" in refused.err


def test_edit_changes_what_is_given_and_empties_what_is_named(taskdb: Caller) -> None:
    taskdb("add", "Old", "--key", "T-1", "--description", "text", "--label", "api")

    edited = taskdb("edit", "T-1", "--title", "New", "--clear", "description", "--json").data

    assert (edited["title"], edited["description"], edited["labels"]) == ("New", None, ["api"])
    assert taskdb("edit", "T-1", "--clear", "label", "--json").data["labels"] == []


def test_edit_of_an_older_version_ends_with_5(taskdb: Caller) -> None:
    version = taskdb("add", "Old", "--key", "T-1", "--json").data["version"]
    taskdb("edit", "T-1", "--title", "New")

    late = taskdb("edit", "T-1", "--title", "Late", "--if-version", str(version))

    assert late.status == 5


def test_edit_without_a_field_or_with_one_that_cannot_be_empty_is_refused(taskdb: Caller) -> None:
    taskdb("add", "A task", "--key", "T-1")

    assert "needs a field to change" in taskdb("edit", "T-1").err
    assert "must be label or one of description, " in taskdb("edit", "T-1", "--clear", "title").err


@pytest.mark.slow
def test_a_task_waits_and_waits_no_longer(taskdb: Caller, database_url: str) -> None:
    taskdb("add", "First", "--key", "T-1")
    taskdb("add", "Second", "--key", "T-2")

    assert taskdb("depend", "T-2", "T-1", "--kind", "blocks").status == 0
    loop = taskdb("depend", "T-1", "T-2")
    with connect(database_url) as conn:
        waiting = tasks.get_by_key(conn, "T-2").status
    assert taskdb("depend", "T-2", "T-1", "--remove").status == 0

    assert waiting == "blocked"
    assert (loop.status, "T-2" in loop.err) == (1, True)
    assert claimed(taskdb, "T-2") == ("T-2", "1")


def test_claim_prints_key_token_and_title_between_tabs(taskdb: Caller) -> None:
    taskdb("add", "A task", "--key", "T-1")

    claim = taskdb("claim", "--agent", "ann")

    assert (claim.status, claim.out) == (0, "T-1\t1\tA task\n")
    assert "Yours until " in claim.err


def test_nothing_to_claim_ends_with_3(taskdb: Caller) -> None:
    nothing = taskdb("claim", "--agent", "ann")

    assert (nothing.status, nothing.out) == (3, "")
    assert nothing.err.startswith("Nothing can be claimed now")
    assert taskdb("claim", "--agent", "ann", "--json").out == "null\n"


def test_a_named_task_that_is_claimed_ends_with_3(taskdb: Caller) -> None:
    taskdb("add", "A task", "--key", "T-1")
    claimed(taskdb, "T-1")

    second = taskdb("claim", "T-1", "--agent", "bob")

    assert second.status == 3
    assert "T-1 can't be claimed now; `taskdb why T-1` says why" in second.err


def test_claim_needs_an_agent_and_takes_it_from_the_environment(
    taskdb: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    taskdb("add", "A task", "--key", "T-1")

    missing = taskdb("claim")
    monkeypatch.setenv("TASKDB_AGENT", "eve")
    claim = taskdb("claim", "--json")
    taskdb("release", "T-1", "--token", "1")
    give(monkeypatch, '{"agent": "bob"}')
    named = taskdb("claim", "--json", "--input", "-")

    assert (missing.status, "--agent" in missing.err) == (2, True)
    assert (claim.data["agent"], named.data["agent"]) == ("eve", "bob")


def test_a_stale_token_ends_with_4_and_changes_nothing(taskdb: Caller, database_url: str) -> None:
    taskdb("add", "A task", "--key", "T-1")
    key, token = claimed(taskdb)
    taskdb("release", key, "--token", token)

    verbs_of_holders = (
        ["heartbeat"],
        ["complete"],
        ["submit"],
        ["fail", "--error", "x"],
        ["ask", "What?"],
    )
    ended = [taskdb(verb, key, *more, "--token", token).status for verb, *more in verbs_of_holders]

    assert ended == [4] * len(verbs_of_holders)
    with connect(database_url) as conn:
        assert tasks.get_by_key(conn, key).status == "pending"


def test_heartbeat_renews_and_tells_how_far_the_work_is(taskdb: Caller, database_url: str) -> None:
    taskdb("add", "A task", "--key", "T-1")
    key, token = claimed(taskdb)

    beat = taskdb(
        "heartbeat", key, "--token", token, "--lease", "2h", "--progress", "40", "--note", "half"
    )

    assert beat.out.startswith("T-1 is yours until ")
    with connect(database_url) as conn:
        [attempt] = claims.list_for_task(conn, key)
    assert (attempt.progress_pct, attempt.progress_note) == (40, "half")
    assert attempt.lease_expires_at is not None
    assert (attempt.lease_expires_at - attempt.claimed_at).total_seconds() > 7000


ENDINGS = [
    (["complete", "--note", "done", "--hours", "2"], "completed", "completed"),
    (["submit", "--note", "look"], "in_review", "submitted"),
    (["fail", "--error", "hangs"], "failed", "failed"),
    (["fail", "--error", "hangs", "--retry-in", "10m"], "pending", "failed"),
    (["release", "--note", "later"], "pending", "released"),
]


@pytest.mark.parametrize(("call", "status", "outcome"), ENDINGS)
def test_each_ending_leads_to_its_status(
    taskdb: Caller, database_url: str, call: list[str], status: str, outcome: str
) -> None:
    taskdb("add", "A task", "--key", "T-1")
    key, token = claimed(taskdb)

    ended = taskdb(*call, key, "--token", token)

    assert (ended.status, ended.out) == (0, f"T-1 is {status.replace('_', ' ')}.\n")
    with connect(database_url) as conn:
        [attempt] = claims.list_for_task(conn, key)
    assert (attempt.outcome, attempt.note) == (outcome, call[2])


def test_a_task_on_hold_is_offered_again_when_resumed(taskdb: Caller) -> None:
    taskdb("add", "A task", "--key", "T-1")

    held = taskdb("hold", "T-1", "waits for the contract")
    nothing = taskdb("claim", "--agent", "ann")
    resumed = taskdb("resume", "T-1")

    assert held.out == "T-1 is on hold: waits for the contract.\n"
    assert nothing.status == 3
    assert resumed.out == "T-1 is pending.\n"
    assert "which is not on hold" in taskdb("resume", "T-1").err


def test_cancelled_task_is_reopened(taskdb: Caller) -> None:
    taskdb("add", "A task", "--key", "T-1")

    assert taskdb("cancel", "T-1", "--note", "no").out == "T-1 is cancelled.\n"
    assert taskdb("reopen", "T-1").out == "T-1 is pending.\n"
    assert "is pending, and so is open" in taskdb("reopen", "T-1").err


def test_question_holds_a_task_until_it_is_answered(taskdb: Caller, database_url: str) -> None:
    taskdb("add", "A task", "--key", "T-1")
    key, token = claimed(taskdb)

    asked = taskdb("ask", key, "Which encoding?", "--token", token, "--agent", "ann")
    nothing = taskdb("claim", "--agent", "ann")
    answered = taskdb("answer", key, "UTF-8 only", "--agent", "bob")

    assert asked.out == "T-1 is on hold: question: Which encoding?.\n"
    assert (nothing.status, answered.out) == (3, "T-1 is pending.\n")
    brief = taskdb("brief", key).out
    assert "- question of ann: Which encoding?" in brief
    assert "- answer of bob: UTF-8 only" in brief
    with connect(database_url) as conn:
        [attempt] = claims.list_for_task(conn, key)
        notes = [entry.note for entry in history.list_for_task(conn, key)]
    assert attempt.outcome == "released"
    assert notes[-1] == "answer: UTF-8 only"
    assert "is not on hold with a question" in taskdb("answer", key, "again").err


def test_answer_to_a_task_that_still_waits_is_kept(taskdb: Caller) -> None:
    taskdb("add", "First", "--key", "T-1")
    taskdb("add", "Second", "--key", "T-2", "--after", "T-1")
    taskdb("ask", "T-2", "Which?")

    answered = taskdb("answer", "T-2", "Both")

    assert answered.out == "T-2 is blocked: 1 open dependency.\n"
    assert "- answer: Both" in taskdb("brief", "T-2").out


@pytest.mark.parametrize("name", sorted(verbs.VERBS))
def test_a_key_that_no_task_has_is_one_line_with_the_remedy(taskdb: Caller, name: str) -> None:
    needed = {
        "token": ["--token", "1"],
        "error": ["--error", "x"],
        "on": ["T-405"],
        "reason": ["why"],
        "question": ["what"],
        "text": ["so"],
        "agent": ["--agent", "ann"],
    }
    parameters = inspect.signature(verbs.VERBS[name]).parameters
    said = [word for each, words in needed.items() if each in parameters for word in words]
    if name == "add":
        said = ["--parent", "T-404"]

    refused = taskdb(name, "T-404", *said)

    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "There is no task T-404" in refused.err
    assert "`taskdb search WORDS` finds what is there" in refused.err


@pytest.mark.parametrize("said", ["15", "m", "-1m", "1w"])
def test_duration_names_its_unit(taskdb: Caller, said: str) -> None:
    refused = taskdb("claim", "--agent", "ann", f"--lease={said}")

    assert refused.status == 2
    assert "is no duration such as 30s, 15m, 2h or 1d" in refused.err


def test_a_shell_can_complete_the_verbs(taskdb: Caller) -> None:
    from click.shell_completion import BashComplete

    complete = BashComplete(cli.cli, {}, "taskdb", "_TASKDB_COMPLETE")

    assert {item.value for item in complete.get_completions([], "re")} == {
        "ready",
        "release",
        "reopen",
        "report",
        "resume",
    }
    assert "--token" in {item.value for item in complete.get_completions(["complete"], "--to")}
