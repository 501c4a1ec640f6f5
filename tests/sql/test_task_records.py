"""Checklists, files and history of tasks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest

from taskdb.errors import NotFoundError
from taskdb.models.types import SubtaskStatus, TaskStatus
from taskdb.queries import files, history, subtasks, tasks
from tests.plans import Plan


def checklist(conn: psycopg.Connection, task: str) -> list[tuple[str, int]]:
    return [(line.title, line.position) for line in subtasks.list_subtasks(conn, task=task)]


def test_subtasks_are_appended_at_the_end(conn: psycopg.Connection, plan: Plan) -> None:
    for title in ("one", "two", "three"):
        subtasks.append(conn, task=plan.chore, title=title)
    other = subtasks.append(conn, task=plan.docs, title="elsewhere", description="Words")

    assert checklist(conn, plan.chore) == [("one", 1), ("two", 2), ("three", 3)]
    assert (other.position, other.status, other.description) == (1, SubtaskStatus.PENDING, "Words")
    with pytest.raises(NotFoundError):
        subtasks.append(conn, task="nobody", title="lost")


def test_subtasks_are_reordered_and_the_rest_stays_behind(
    conn: psycopg.Connection, plan: Plan
) -> None:
    lines = {
        title: subtasks.append(conn, task=plan.chore, title=title).id
        for title in ("one", "two", "three", "four")
    }

    moved = subtasks.reorder(conn, task=plan.chore, ids=[lines["three"], lines["one"]])

    assert checklist(conn, plan.chore) == [("three", 1), ("one", 2), ("two", 3), ("four", 4)]
    assert moved == 3
    assert subtasks.reorder(conn, task=plan.chore, ids=[]) == 0


def test_reorder_does_not_touch_lines_of_another_task(conn: psycopg.Connection, plan: Plan) -> None:
    mine = subtasks.append(conn, task=plan.chore, title="mine")
    first = subtasks.append(conn, task=plan.docs, title="first")
    second = subtasks.append(conn, task=plan.docs, title="second")

    subtasks.reorder(conn, task=plan.chore, ids=[second.id, mine.id, first.id])

    assert checklist(conn, plan.docs) == [("first", 1), ("second", 2)]
    assert checklist(conn, plan.chore) == [("mine", 1)]


def test_subtasks_are_checked_off_reopened_and_deleted(
    conn: psycopg.Connection, plan: Plan
) -> None:
    line = subtasks.append(conn, task=plan.chore, title="one")

    assert subtasks.check_off(conn, id=line.id).status is SubtaskStatus.COMPLETED
    again = subtasks.check_off(conn, id=line.id, status=SubtaskStatus.PENDING)
    assert again.status is SubtaskStatus.PENDING
    assert again.updated_at > line.updated_at
    assert subtasks.delete(conn, id=line.id) == line.id
    with pytest.raises(NotFoundError):
        subtasks.check_off(conn, id=line.id)
    with pytest.raises(NotFoundError):
        subtasks.delete(conn, id=line.id)


def test_file_of_a_task_has_size_and_checksum_from_the_server(
    conn: psycopg.Connection, plan: Plan
) -> None:
    content = "Größe ✓\n\\x00 'quoted'\n"

    put = files.put(conn, task=plan.chore, path="docs/ä.md", content=content, metadata={"a": 1})
    file = files.get(conn, task=plan.chore, path="docs/ä.md")

    assert file.content == content
    assert file.sha256 == put.sha256 == hashlib.sha256(content.encode()).digest()
    assert file.size_bytes == put.size_bytes == len(content.encode())
    assert (file.content_type, file.metadata) == ("text/plain", {"a": 1})


def test_file_is_replaced_listed_and_deleted(conn: psycopg.Connection, plan: Plan) -> None:
    first = files.put(conn, task=plan.chore, path="b", content="old")
    files.put(conn, task=plan.chore, path="a", content="")
    second = files.put(conn, task=plan.chore, path="b", content="newer", content_type="text/x")

    assert second.id == first.id
    assert (second.size_bytes, second.content_type) == (5, "text/x")
    assert second.updated_at > first.updated_at
    listed = files.list_files(conn, task=plan.chore)
    assert [(file.path, file.size_bytes) for file in listed] == [("a", 0), ("b", 5)]
    assert files.list_files(conn, task=plan.docs) == []
    assert files.delete(conn, task=plan.chore, path="b") == first.id
    with pytest.raises(NotFoundError):
        files.get(conn, task=plan.chore, path="b")
    with pytest.raises(NotFoundError):
        files.delete(conn, task=plan.chore, path="b")
    with pytest.raises(NotFoundError):
        files.put(conn, task="nobody", path="b", content="")


def test_history_is_read_by_agent_and_across_all_tasks(
    conn: psycopg.Connection, plan: Plan
) -> None:
    tasks.update_status(conn, key=plan.chore, status=TaskStatus.IN_PROGRESS, agent="ann", note="go")
    tasks.update_status(conn, key=plan.chore, status=TaskStatus.COMPLETED, agent="ann")
    tasks.update_status(conn, key=plan.design, status=TaskStatus.IN_PROGRESS, agent="bob")

    ann = history.list_by_agent(conn, agent="ann")
    recent = history.recent(conn, limit=3)

    assert [(entry.key, entry.new_status, entry.note) for entry in ann] == [
        ("chore", TaskStatus.COMPLETED, None),
        ("chore", TaskStatus.IN_PROGRESS, "go"),
    ]
    assert [entry.agent for entry in recent] == ["bob", "ann", "ann"]
    assert history.list_by_agent(conn, agent="nobody") == []
    assert history.recent(conn, since=recent[1].created_at) == recent[:2]


def test_history_pages_follow_each_other(conn: psycopg.Connection, plan: Plan) -> None:
    for status in (TaskStatus.IN_PROGRESS, TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
        tasks.update_status(conn, key=plan.chore, status=status, agent="ann")
    whole, mine = history.recent(conn), history.list_by_agent(conn, agent="ann")

    second = history.recent(
        conn,
        after_created_at=whole[3].created_at,
        after_task_id=whole[3].task_id,
        after_seq=whole[3].seq,
        limit=4,
    )
    rest = history.list_by_agent(
        conn,
        agent="ann",
        after_created_at=mine[0].created_at,
        after_task_id=mine[0].task_id,
        after_seq=mine[0].seq,
    )

    assert second == whole[4:8]
    assert rest == mine[1:]
    assert len(mine) == 3


def test_path_of_a_file_is_changed_with_the_file_or_not_at_all(
    conn: psycopg.Connection, plan: Plan, tmp_path: Path
) -> None:
    todo, done = tmp_path / "todo.md", tmp_path / "done.md"
    tasks.update(conn, key=plan.chore, file_path=str(todo))

    def move() -> None:
        with conn.transaction():
            tasks.update(conn, key=plan.chore, file_path=str(done))
            todo.rename(done)

    with pytest.raises(FileNotFoundError):
        move()
    assert tasks.get_by_key(conn, key=plan.chore).file_path == str(todo)

    todo.write_text("Words")
    move()
    assert tasks.get_by_key(conn, key=plan.chore).file_path == str(done)
