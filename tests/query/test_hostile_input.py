"""Hostile input is stored exactly as it came, or refused by name; nothing else happens."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.errors import NotFoundError, ValidationError
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import (
    claims,
    dependencies,
    epics,
    features,
    files,
    history,
    search,
    subtasks,
    tasks,
)
from tests.plans import Plan

INJECTIONS = [
    "'; drop table tasks; --",
    '"; drop table tasks; --',
    "'); delete from tasks; --",
    "$$; drop table tasks; $$",
    "\\'; drop table tasks; --",
    ":title $1 %s %(title)s {title} ?",
    "/* taskdb:tasks.create */ -- if :title",
    "\\copy \\N \\. \t\r\n\b\f\v",
    "\ufeff\u202e\u0301\U0001f469\u200d\U0001f680",
    "%_*\\",
    "null",
]
UNSENDABLE = ["nul \x00 inside", "\x00", "lone \ud800 surrogate", "\udcff"]

Conn = psycopg.Connection
Call = Callable[[Conn, Any], Any]


def alive(conn: Conn, plan: Plan) -> None:
    """Assert that earlier rows are still there, and that the connection works."""
    assert {task.key for task in tasks.list_tasks(conn, limit=10_000)} >= set(plan.tasks)


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_is_stored_as_it_came(conn: Conn, plan: Plan, text: str) -> None:
    task = tasks.create(
        conn,
        title=text,
        description=text,
        agent_type=text,
        assigned_agent=text,
        file_path=text,
        created_by=text,
        metadata={text: [text, {text: text}]},
    )
    line = subtasks.append(conn, task=task.key, title=text, description=text)
    files.put(conn, task=task.key, path=text, content=text, content_type=text)
    epic = epics.create(conn, key="E77", title=text, description=text, file_path=text)
    feature = features.create(conn, epic_id=epic.id, key="E77-F01", title=text, description=text)
    moved = tasks.update_status(
        conn, key=task.key, status=TaskStatus.IN_PROGRESS, agent=text, note=text
    )

    stored = tasks.get(conn, id=task.id)
    assert {
        stored.title,
        stored.description,
        stored.agent_type,
        stored.assigned_agent,
        stored.file_path,
        stored.created_by,
    } == {text}
    assert stored.metadata == {text: [text, {text: text}]}
    assert moved == stored
    assert {line.title, line.description, feature.title, epic.title, epic.file_path} == {text}
    file = files.get(conn, task=task.key, path=text)
    assert (file.path, file.content, file.content_type) == (text, text, text)
    moves = history.list_by_agent(conn, agent=text)
    assert [(move.agent, move.note) for move in moves] == [(text, text), (text, None)]
    assert [each.key for each in tasks.list_tasks(conn, agent_type=text)] == [task.key]
    alive(conn, plan)


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_goes_through_copy_as_it_came(conn: Conn, plan: Plan, text: str) -> None:
    made = tasks.create_many(
        conn, [NewTask(title=text, description=text, metadata={text: text}, agent_type=text)]
    )

    task = tasks.get(conn, id=made.ids[0])
    assert (task.title, task.description, task.agent_type) == (text, text, text)
    assert task.metadata == {text: text}
    alive(conn, plan)


@pytest.mark.parametrize("text", [text for text in INJECTIONS if text.isprintable()])
def test_key_is_stored_as_it_came(conn: Conn, plan: Plan, text: str) -> None:
    tasks.create(conn, key=text, title="Hostile key")
    dependencies.add_dependency(conn, task=text, depends_on=plan.chore)

    assert tasks.get_by_key(conn, key=text).key == text
    assert [edge.key for edge in dependencies.dependents_of(conn, key=plan.chore)] == [text]
    claims.claim_batch(conn, agent=text, limit=1)
    alive(conn, plan)


@pytest.mark.parametrize("key", ["tab\there", "line\nfeed", "\x1b[31m", "\x7f", "next\u0085line"])
def test_key_with_a_control_character_is_refused(conn: Conn, plan: Plan, key: str) -> None:
    with pytest.raises(ValidationError, match="key must have no control characters"):
        tasks.create(conn, key=key, title="Hostile key")


@pytest.mark.parametrize(
    "words", [*INJECTIONS, "!!!", "a & | ! <-> :* b", "''", '"', "x" * 1000, "- " * 400]
)
def test_search_takes_any_words(conn: Conn, plan: Plan, words: str) -> None:
    search.find_tasks(conn, words=words)
    tasks.find_similar(conn, title=words[:500])

    alive(conn, plan)


TEXT_ARGUMENTS: dict[str, Call] = {
    "title": lambda conn, text: tasks.create(conn, title=text),
    "key": lambda conn, text: tasks.create(conn, key=text, title="T"),
    "description": lambda conn, text: tasks.create(conn, title="T", description=text),
    "agent_type": lambda conn, text: tasks.create(conn, title="T", agent_type=text),
    "metadata": lambda conn, text: tasks.create(conn, title="T", metadata={"a": [text]}),
    "context": lambda conn, text: tasks.create(conn, title="T", context={text: 1}),
    "note": lambda conn, text: tasks.update_status(
        conn,
        key="chore",
        status=TaskStatus.IN_PROGRESS,
        note=text,
    ),
    "agent": lambda conn, text: claims.claim_next(conn, agent=text),
    "words": lambda conn, text: search.find_tasks(conn, words=text),
    "content": lambda conn, text: files.put(conn, task="chore", path="a", content=text),
    "path": lambda conn, text: files.put(conn, task="chore", path=text, content=""),
    "depends_on": lambda conn, text: dependencies.add_dependency(
        conn, task="chore", depends_on=text
    ),
    "keys": lambda conn, text: tasks.ids_by_key(conn, keys=["chore", text]),
    "task": lambda conn, text: subtasks.append(conn, task=text, title="T"),
}


@pytest.mark.parametrize(
    ("field", "text"), list(itertools.product(TEXT_ARGUMENTS, UNSENDABLE)), ids=ascii
)
def test_text_that_cannot_be_sent_is_refused_by_name(
    conn: Conn, plan: Plan, field: str, text: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        TEXT_ARGUMENTS[field](conn, text)

    assert (refused.value.field or "").startswith(field)
    alive(conn, plan)


@pytest.mark.parametrize("field", TEXT_ARGUMENTS)
def test_bytes_are_no_text(conn: Conn, plan: Plan, field: str) -> None:
    """Invalid UTF-8 among them: who has bytes decodes them, and decides how."""
    with pytest.raises(ValidationError) as refused:
        TEXT_ARGUMENTS[field](conn, b"\xff\xfe invalid")

    assert (refused.value.field or "").startswith(field)
    alive(conn, plan)


@pytest.mark.parametrize(
    "field",
    ["title", "key", "agent_type", "agent", "path", "depends_on", "task"],
)
def test_ten_megabytes_are_refused_where_there_is_a_limit(
    conn: Conn, plan: Plan, field: str
) -> None:
    with pytest.raises(ValidationError, match=rf"^{field} must have at most \d+ characters"):
        TEXT_ARGUMENTS[field](conn, "x" * 10_000_000)

    alive(conn, plan)


@pytest.mark.parametrize("title", ["x" * 501, "\U0001f680" * 501])
def test_title_is_counted_in_characters(conn: Conn, title: str) -> None:
    with pytest.raises(ValidationError, match="title must have at most 500 characters"):
        tasks.create(conn, title=title)

    assert tasks.create(conn, title=title[:500]).title == title[:500]


def distinct_words(size: int) -> str:
    return " ".join(f"w{number:x}" for number in range(size // 7))[:size]


def distinct_compounds(size: int) -> str:
    """Hyphenated words of four-byte letters: three lexemes each, the most a text can give."""
    letters = (chr(0x20000 + number) for number in itertools.cycle(range(40_000)))
    return " ".join(f"{next(letters)}-{next(letters)}" for _ in range(size // 4))


DESCRIPTIONS: dict[str, Callable[[], str]] = {
    "words": lambda: distinct_words(5_000_000),
    "compounds": lambda: distinct_compounds(400_000),
    "addresses": lambda: " ".join(f"h{n}.example.com/p{n}" for n in range(20_000)),
    "mail": lambda: " ".join(f"a{n}@b{n}.example" for n in range(20_000)),
    "one-word": lambda: "x" * 5_000_000,
    "same-word": lambda: "word " * 1_000_000,
}


# Made when a test wants them: each worker of a run imports this module.
@pytest.mark.slow
@pytest.mark.parametrize("make", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_five_megabytes_of_description_are_stored_and_found(
    conn: Conn, plan: Plan, make: Callable[[], str]
) -> None:
    description = make()
    task = tasks.create(conn, key="large", title="Findable", description=description)

    assert task.description == description
    assert [match.key for match in search.find_tasks(conn, words="findable")] == ["large"]
    tasks.update(conn, key="large", description=description[::-1])
    alive(conn, plan)


def test_path_that_no_index_can_hold_is_refused_by_name(conn: Conn, plan: Plan) -> None:
    """1,000 characters of four bytes each are more than an index's row may have."""
    chance = random.Random(1)
    path = "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(1000))

    with pytest.raises(ValidationError, match=r"^path must be small enough to be indexed"):
        files.put(conn, task=plan.chore, path=path, content="")


@pytest.mark.parametrize("words", ["x " * 501, "x" * 10_000_000, "word " * 1_000_000])
def test_too_many_search_words_are_refused_by_name(conn: Conn, words: str) -> None:
    """The server would parse ten megabytes of them for minutes."""
    with pytest.raises(ValidationError, match="words must have at most 1000 characters"):
        search.find_tasks(conn, words=words)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.slow
@pytest.mark.parametrize(
    "metadata",
    [
        nested(100_000),
        {"number": float("inf")},
        {"number": 2**70},
        {1: "a number as key"},
        {"object": object()},
        {"bytes": b"\xff"},
        ["a list"],
        "text",
        7,
    ],
    ids=["deep", "infinite", "huge", "key", "object", "bytes", "list", "text", "number"],
)
def test_metadata_that_is_no_json_object_is_refused_by_name(
    conn: Conn, plan: Plan, metadata: Any
) -> None:
    with pytest.raises(ValidationError, match=r"^metadata"):
        tasks.create(conn, title="T", metadata=metadata)

    alive(conn, plan)


@pytest.mark.parametrize(
    ("field", "query", "arguments"),
    [
        ("status", tasks.create, {"title": "T", "status": "flying"}),
        ("status", tasks.create, {"title": "T", "status": "PENDING"}),
        ("status", tasks.create, {"title": "T", "status": 1}),
        ("status", tasks.list_tasks, {"status": "flying"}),
        ("status", tasks.update_status, {"key": "chore", "status": ""}),
        ("status", epics.create, {"key": "E05", "title": "T", "status": "flying"}),
        ("priority", epics.create, {"key": "E05", "title": "T", "priority": "highest"}),
        (
            "dependency_type",
            dependencies.add_dependency,
            {"task": "chore", "depends_on": "T-E01-F01-001", "dependency_type": "maybe"},
        ),
        ("limit", tasks.list_tasks, {"limit": -1}),
        ("limit", tasks.list_ready, {"limit": 0}),
        ("limit", tasks.list_blocked, {"limit": -5}),
        ("limit", tasks.find_similar, {"title": "T", "limit": -1}),
        ("limit", search.find_tasks, {"words": "T", "limit": -1}),
        ("limit", history.recent, {"limit": -1}),
        ("limit", history.list_by_agent, {"agent": "a", "limit": 2**70}),
        ("limit", epics.list_epics, {"limit": -1}),
        ("limit", features.list_features, {"limit": -1}),
        ("limit", claims.claim_batch, {"agent": "a", "limit": -1}),
        ("limit", tasks.list_tasks, {"limit": 1.5}),
        ("limit", tasks.list_tasks, {"limit": True}),
        ("priority", tasks.create, {"title": "T", "priority": 2**70}),
        ("priority", tasks.create, {"title": "T", "priority": -1}),
        ("execution_order", tasks.create, {"title": "T", "execution_order": 2**31}),
        ("estimated_hours", tasks.create, {"title": "T", "estimated_hours": Decimal("1e400")}),
        ("estimated_hours", tasks.create, {"title": "T", "estimated_hours": Decimal("inf")}),
        ("scheduled_at", tasks.create, {"title": "T", "scheduled_at": datetime.max}),
        ("scheduled_at", tasks.create, {"title": "T", "scheduled_at": "tomorrow"}),
        ("id", tasks.get, {"id": "' or true --"}),
        ("ids", subtasks.reorder, {"task": "chore", "ids": ["x"]}),
        ("key", epics.create, {"key": "'; drop table epics; --", "title": "T"}),
        ("key", tasks.create, {"key": "", "title": "T"}),
        ("title", tasks.create, {"title": ""}),
        ("title", tasks.create, {"title": None}),
        ("lease", claims.claim_next, {"agent": "a", "lease": timedelta(-1)}),
        ("lease", claims.claim_next, {"agent": "a", "lease": timedelta.max}),
        ("token", claims.complete, {"task_id": uuid4(), "token": 2**63}),
    ],
)
def test_value_outside_its_type_is_refused_by_name(
    conn: Conn, plan: Plan, field: str, query: Any, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as refused, conn.transaction():
        query(conn, **arguments)

    assert (refused.value.field or "").startswith(field)
    alive(conn, plan)


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_moment_at_the_end_of_time_is_kept(conn: Conn, moment: datetime) -> None:
    assert tasks.create(conn, title="T", scheduled_at=moment).scheduled_at == moment


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_moment_that_utc_cannot_tell_is_refused_by_name(
    conn: Conn, plan: Plan, moment: datetime
) -> None:
    """In UTC it lies outside the years that Python has."""
    with pytest.raises(ValidationError, match=r"^scheduled_at"), conn.transaction():
        tasks.create(conn, title="T", scheduled_at=moment)

    alive(conn, plan)


def test_hostile_rows_of_a_bulk_load_are_refused_by_name(conn: Conn, plan: Plan) -> None:
    for field, value in [
        ("title", "x" * 10_000_000),
        ("title", "nul \x00"),
        ("description", "\ud800"),
        ("status", "flying"),
        ("priority", 0),
        ("metadata", {"a": "\x00"}),
    ]:
        row: dict[str, Any] = {"title": "T", field: value}
        with pytest.raises(ValidationError) as refused, conn.transaction():
            tasks.create_many(conn, [NewTask(title="Good"), NewTask(**row)])
        assert (refused.value.field or "").startswith(field)
    alive(conn, plan)


def test_unknown_keys_are_not_found_whatever_they_are(conn: Conn, plan: Plan) -> None:
    for key in INJECTIONS:
        for call in (tasks.get_by_key, tasks.delete, epics.get_by_key, features.progress):
            with pytest.raises(NotFoundError):
                call(conn, key=key)
    alive(conn, plan)
