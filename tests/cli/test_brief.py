"""A brief: what an agent needs to begin or resume a task, in a bounded number of words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb import verbs
from taskdb.models.claims import Claim
from taskdb.models.types import SpecType
from taskdb.queries import claims, dependencies, files, implementation_tasks, specs, subtasks, tasks
from taskdb.verbs.briefing import Section, within

Connection = psycopg.Connection[Any]

LETTERS = st.text("ab \n", max_size=400)
SECTIONS = st.lists(st.tuples(st.sampled_from(["", "## Task", "## Notes"]), LETTERS), max_size=11)


def attempt(conn: Connection, key: str, agent: str) -> Claim:
    claim = claims.claim(conn, key=key, agent=agent)
    assert claim is not None
    return claim


def test_brief_tells_task_criteria_blockers_attempts_and_notes(conn: Connection) -> None:
    tasks.create(
        conn,
        key="T-1",
        title="Lex comments",
        description="Nested ones too.",
        requirements={"tests": "pass on 15"},
        context={"module": "lexer"},
        labels=["sql"],
    )
    first = attempt(conn, "T-1", "ann")
    claims.heartbeat(conn, task_id=first.task_id, token=1, progress=40, note="strings done")
    claims.fail(conn, task_id=first.task_id, token=1, error="tests hang", retry_in=timedelta(0))
    tasks.create(conn, key="T-0", title="Choose a lexer")
    dependencies.add_dependency(conn, task="T-1", depends_on="T-0")
    subtasks.append(conn, task="T-1", title="Write the table")
    files.put(conn, task="T-1", path="notes.md", content="x")

    text = verbs.brief(conn, "T-1").text

    for said in (
        "# T-1 Lex comments\nblocked; priority 5; 1 of 10 attempts failed; last error: tests hang",
        "labels: sql",
        "## Task\nNested ones too.",
        "## Criteria\ntests: pass on 15",
        "## Blocked by\n- T-0 (requires, pending): Choose a lexer",
        "## Earlier attempts\n- 1: ann, failed at 40 %: strings done; tests hang",
        "## Checklist\n- [ ] Write the table",
        "## Context\nmodule: lexer",
        "## Files\n- notes.md",
    ):
        assert said in text


def test_brief_holds_the_phase_of_its_specification_and_no_other(conn: Connection) -> None:
    spec = specs.create(
        conn,
        title="Login",
        spec_type=SpecType.HIERARCHICAL,
        structure={
            "overview": "everything",
            "phases": [
                {"number": 1, "name": "tables", "content": "three tables"},
                {"number": 2, "name": "forms", "content": "two forms"},
            ],
        },
    )
    made = implementation_tasks.create(conn, spec=spec.key, scope="forms", branch_name="forms")

    text = verbs.brief(conn, made.key).text

    assert f"## Specification {spec.key}, phase 2\nLogin: forms\ntwo forms" in text
    assert "branch: forms" in text
    assert "three tables" not in text


def test_brief_of_a_claimed_task_names_token_and_lease(conn: Connection) -> None:
    tasks.create(conn, key="T-1", title="A task")
    claim = attempt(conn, "T-1", "ann")

    text = verbs.brief(conn, "T-1").text

    assert f"claimed by ann (token 1) until {claim.lease_expires_at:%Y-%m-%d}" in text


def test_long_sections_are_cut_and_short_ones_are_whole(conn: Connection) -> None:
    tasks.create(
        conn,
        key="T-1",
        title="A task",
        description="word " * 5000,
        requirements={"tests": "pass"},
    )

    brief = verbs.brief(conn, "T-1", words=100)

    assert brief.words == len(brief.text.split()) == 100
    assert brief.cut == ["Task"]
    assert "tests: pass" in brief.text
    kept = brief.text.split().count("word")
    assert f"(+{5000 - kept} words)" in brief.text


def test_one_query_makes_a_brief(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.create(conn, key="T-1", title="A task")
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def watched(cursor: Any, query: str, *more: Any, **options: Any) -> Any:
        sent.append(query)
        return execute(cursor, query, *more, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", watched)

    verbs.brief(conn, "T-1")

    assert len(sent) == 2
    assert "tasks.ids_by_key" in sent[0]
    assert "briefs.get" in sent[1]


@given(SECTIONS, st.integers(50, 400))
def test_no_brief_has_more_words_than_allowed(parts: list[Section], most: int) -> None:
    brief = within(parts, most, "T-1")

    assert brief.words == len(brief.text.split()) <= most
    if sum(len(f"{heading} {text}".split()) for heading, text in parts) <= most:
        assert brief.cut == []
