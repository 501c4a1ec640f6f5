"""The typed functions on tasks and their parts: list, change, find, order, and their components.

Transitions and dependencies of a task are in test_tasks.py, test_claims.py and test_graph.py.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.errors import (
    CircularDependencyError,
    IntegrityError,
    NotFoundError,
    ValidationError,
)
from taskdb.models.search import MATCH_BEGINS, MATCH_ENDS
from taskdb.models.tasks import NewTask, TaskSummary
from taskdb.models.types import DependencyType, Level, PlanStatus, SubtaskStatus, TaskStatus
from taskdb.queries import (
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

SOON = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def varied(conn: psycopg.Connection, plan: Plan) -> Plan:
    """The small plan, and tasks beside it that differ in each field that lists filter by."""
    top = tasks.create(conn, key="top", title="Top", created_by="ann")
    tasks.create(conn, key="typed", title="Typed", agent_type="coder", priority=2)
    tasks.create(conn, key="held", title="Held", assigned_agent="bob", priority=9)
    tasks.create(conn, key="later", title="Later", scheduled_at=SOON, agent_type="coder")
    tasks.create(conn, key="part", title="Part", parent_id=top.id, priority=1)
    tasks.update_status(conn, key="typed", status=TaskStatus.IN_PROGRESS)
    return plan


def keys(rows: list[TaskSummary]) -> set[str]:
    return {row.key for row in rows}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": TaskStatus.IN_PROGRESS}, {"typed"}),
        ({"agent_type": "coder"}, {"typed", "later"}),
        ({"assigned_agent": "bob"}, {"held"}),
        ({"priority": 9}, {"held"}),
        ({"at_least": 2}, {"typed", "part"}),
        ({"due_by": SOON}, {"later"}),
        ({"due_by": SOON - timedelta(seconds=1)}, set()),
        ({"created_by": "ann"}, {"top"}),
        ({"agent_type": "coder", "status": TaskStatus.PENDING}, {"later"}),
        ({"agent_type": "coder", "at_least": 2, "status": TaskStatus.IN_PROGRESS}, {"typed"}),
        ({"agent_type": "coder", "assigned_agent": "bob"}, set()),
    ],
)
def test_each_filter_lists_its_tasks_and_no_others(
    conn: psycopg.Connection, varied: Plan, filters: dict[str, Any], expected: set[str]
) -> None:
    assert keys(tasks.list_tasks(conn, **filters)) == expected


def test_tasks_are_listed_by_feature_epic_and_parent(
    conn: psycopg.Connection, varied: Plan
) -> None:
    epic = epics.get_by_key(conn, key=varied.epic)
    feature = features.get_by_key(conn, key=varied.features[1])
    top = tasks.get_by_key(conn, key="top")

    assert keys(tasks.list_tasks(conn, epic_id=epic.id)) == set(varied.tasks) - {varied.chore}
    assert keys(tasks.list_tasks(conn, feature_id=feature.id)) == {varied.docs, varied.release}
    assert keys(tasks.list_tasks(conn, parent_id=top.id)) == {"part"}
    assert (
        keys(
            tasks.list_tasks(
                conn, epic_id=epic.id, feature_id=feature.id, status=TaskStatus.PENDING
            )
        )
        == set()
    )


def test_pages_follow_each_other_without_gap_or_repetition(
    conn: psycopg.Connection, varied: Plan
) -> None:
    """All tasks of one transaction have the same created_at: the id decides."""
    whole = tasks.list_tasks(conn, limit=10_000)

    paged: list[TaskSummary] = []
    page = tasks.list_tasks(conn, limit=3)
    while page:
        paged += page
        last = page[-1]
        page = tasks.list_tasks(conn, limit=3, after_created_at=last.created_at, after_id=last.id)

    assert paged == whole
    assert len(whole) == 11
    assert [(row.created_at, row.id) for row in whole] == sorted(
        ((row.created_at, row.id) for row in whole), reverse=True
    )


def test_half_a_page_mark_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="after_id"):
        tasks.list_tasks(conn, after_id=uuid4())


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_limit_outside_its_range_is_refused(conn: psycopg.Connection, limit: int) -> None:
    with pytest.raises(ValidationError, match="limit must be between 1 and 10000"):
        tasks.list_tasks(conn, limit=limit)


def test_list_blocked_names_the_open_blockers(conn: psycopg.Connection, plan: Plan) -> None:
    tasks.update_status(
        conn, key=plan.chore, status=TaskStatus.BLOCKED, blocked_reason="waits for words"
    )

    blocked = {task.key: task for task in tasks.list_blocked(conn)}

    assert set(blocked) == {plan.build, plan.test, plan.docs, plan.release, plan.chore}
    assert sorted(blocked[plan.release].open_blockers) == sorted([plan.docs, plan.test])
    assert blocked[plan.docs].open_blockers == [plan.build]
    assert (blocked[plan.chore].open_blockers, blocked[plan.chore].blocked_reason) == (
        [],
        "waits for words",
    )


def test_get_and_get_by_key_return_the_same_task(conn: psycopg.Connection, plan: Plan) -> None:
    task = tasks.get_by_key(conn, key=plan.docs)

    assert tasks.get(conn, id=task.id) == task
    with pytest.raises(NotFoundError):
        tasks.get(conn, id=uuid4())


def test_ids_by_key_leaves_out_what_does_not_exist(conn: psycopg.Connection, plan: Plan) -> None:
    found = tasks.ids_by_key(conn, keys=[plan.chore, "nobody"])

    assert [row.key for row in found] == [plan.chore]


def test_update_changes_what_is_given_and_nothing_else(
    conn: psycopg.Connection, plan: Plan
) -> None:
    before = tasks.update(conn, key=plan.chore, description="Words", complexity_score=7)

    after = tasks.update(conn, key=plan.chore, title="New", actual_hours=Decimal("1.25"))

    changed = {name for name, value in before.to_dict().items() if after.to_dict()[name] != value}
    assert changed == {"title", "actual_hours", "updated_at", "version"}
    assert (after.title, after.actual_hours) == ("New", Decimal("1.25"))
    assert tasks.get_by_key(conn, key=plan.chore) == after


def test_update_with_none_empties_a_field_and_without_it_leaves_it(
    conn: psycopg.Connection, plan: Plan
) -> None:
    tasks.update(conn, key=plan.chore, description="Words", metadata={"a": [1, None]})

    kept = tasks.update(conn, key=plan.chore)
    emptied = tasks.update(conn, key=plan.chore, description=None, metadata=None)

    assert (kept.description, kept.metadata) == ("Words", {"a": [1, None]})
    assert (emptied.description, emptied.metadata) == (None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 501),
        ("title", None),
        ("priority", 0),
        ("priority", 11),
        ("priority", "high"),
        ("complexity_score", 101),
        ("estimated_hours", Decimal("-0.01")),
        ("actual_hours", Decimal("NaN")),
        ("actual_hours", Decimal("sNaN")),
        ("agent_type", ""),
        ("metadata", ["not", "an", "object"]),
        ("metadata", {"number": float("nan")}),
        ("scheduled_at", datetime(2030, 1, 1)),
        ("max_attempts", 0),
        ("feature_id", "not-a-uuid"),
    ],
)
def test_update_refuses_what_breaks_a_rule_and_names_the_field(
    conn: psycopg.Connection, plan: Plan, field: str, value: object
) -> None:
    arguments: dict[str, Any] = {field: value}

    with pytest.raises(ValidationError) as refused:
        tasks.update(conn, key=plan.chore, **arguments)

    assert refused.value.field is not None
    assert refused.value.field.startswith(field)
    assert tasks.get_by_key(conn, key=plan.chore).title == f"Task {plan.chore}"


def test_update_of_no_task_is_not_found(conn: psycopg.Connection) -> None:
    with pytest.raises(NotFoundError):
        tasks.update(conn, key="nobody", title="New")


def test_update_refuses_a_feature_that_does_not_exist(conn: psycopg.Connection, plan: Plan) -> None:
    with pytest.raises(IntegrityError, match="feature_id"), conn.transaction():
        tasks.update(conn, key=plan.chore, feature_id=uuid4())


def test_hierarchy_gives_depth_and_path_each_after_its_parent(
    conn: psycopg.Connection, plan: Plan
) -> None:
    root = tasks.get_by_key(conn, key=plan.chore)
    left = tasks.create(conn, key="left", title="Left", parent_id=root.id)
    tasks.create(conn, key="right", title="Right", parent_id=root.id)
    tasks.create(conn, key="leaf", title="Leaf", parent_id=left.id)

    nodes = tasks.hierarchy(conn, key=plan.chore)

    assert [(node.key, node.depth) for node in nodes] == [
        ("chore", 0),
        ("left", 1),
        ("leaf", 2),
        ("right", 1),
    ]
    assert nodes[2].path == ["chore", "left", "leaf"]
    assert nodes[2].parent_id == left.id
    assert tasks.hierarchy(conn, key="nobody") == []


def test_task_under_its_own_part_is_refused_with_the_path(
    conn: psycopg.Connection, plan: Plan
) -> None:
    root = tasks.get_by_key(conn, key=plan.chore)
    leaf = tasks.create(conn, key="leaf", title="Leaf", parent_id=root.id)

    with pytest.raises(CircularDependencyError) as refused, conn.transaction():
        tasks.update(conn, key=plan.chore, parent_id=leaf.id)

    assert refused.value.path[0] == refused.value.path[-1]
    assert set(refused.value.path) == {"chore", "leaf"}


def test_find_similar_forgives_misspelling_and_ranks(conn: psycopg.Connection) -> None:
    tasks.create(conn, key="near", title="Migrate the database schema")
    tasks.create(conn, key="nearer", title="Migrate the databse schema")
    tasks.create(conn, key="far", title="Write a poem")

    found = tasks.find_similar(conn, title="Migrate the databse schema")

    assert [task.key for task in found] == ["nearer", "near"]
    assert found[0].similarity == 1.0
    assert 0.3 <= found[1].similarity < 1.0
    assert [task.key for task in tasks.find_similar(conn, title=found[0].title, limit=1)] == [
        "nearer"
    ]


def test_find_similar_follows_a_changed_title(conn: psycopg.Connection, plan: Plan) -> None:
    tasks.update(conn, key=plan.chore, title="Sweep the chimney")

    assert [task.key for task in tasks.find_similar(conn, title="Sweep chimneys")] == ["chore"]
    assert tasks.find_similar(conn, title="zzz qqq") == []


def test_execution_order_puts_each_task_after_all_it_waits_for(
    conn: psycopg.Connection, plan: Plan
) -> None:
    tasks.update_status(conn, key=plan.design, status=TaskStatus.IN_PROGRESS)
    tasks.update_status(conn, key=plan.design, status=TaskStatus.COMPLETED)

    order = [task.key for task in tasks.execution_order(conn, epic=plan.epic)]

    assert set(order) == {plan.build, plan.test, plan.docs, plan.release}
    for task, blocker in plan.edges:
        if blocker != plan.design:
            assert order.index(blocker) < order.index(task)


def test_execution_order_of_a_feature_leaves_out_the_others(
    conn: psycopg.Connection, plan: Plan
) -> None:
    order = tasks.execution_order(conn, epic=plan.epic, feature=plan.features[1])

    assert [task.key for task in order] == [plan.docs, plan.release]
    assert [task.open_dependencies for task in order] == [1, 2]
    assert tasks.execution_order(conn, epic="E99") == []


def test_all_dependencies_come_each_after_its_own(conn: psycopg.Connection, plan: Plan) -> None:
    before = [task.key for task in dependencies.all_dependencies_of(conn, key=plan.release)]
    after = [task.key for task in dependencies.all_dependents_of(conn, key=plan.design)]

    assert before[:2] == [plan.design, plan.build]
    assert set(before[2:]) == {plan.test, plan.docs}
    assert (after[0], after[-1]) == (plan.build, plan.release)
    assert set(after[1:3]) == {plan.test, plan.docs}
    assert dependencies.all_dependencies_of(conn, key=plan.chore) == []


def test_suggestions_are_not_among_all_dependencies(conn: psycopg.Connection, plan: Plan) -> None:
    dependencies.add_dependency(
        conn, task=plan.chore, depends_on=plan.design, dependency_type=DependencyType.SUGGESTS
    )

    assert dependencies.all_dependencies_of(conn, key=plan.chore) == []
    assert [edge.key for edge in dependencies.dependencies_of(conn, key=plan.chore)] == [
        plan.design
    ]


def test_removing_a_dependency_leaves_the_others(conn: psycopg.Connection, plan: Plan) -> None:
    edge = dependencies.remove_dependency(conn, task=plan.release, depends_on=plan.docs)

    assert edge.depends_on_id == tasks.get_by_key(conn, key=plan.docs).id
    left = dependencies.dependencies_of(conn, key=plan.release)
    assert [each.key for each in left] == [plan.test]
    assert tasks.get_by_key(conn, key=plan.release).open_dependencies == 1
    with pytest.raises(NotFoundError):
        dependencies.remove_dependency(conn, task=plan.release, depends_on=plan.docs)


def found(conn: psycopg.Connection, words: str) -> list[str]:
    return [match.key for match in search.find_tasks(conn, words=words)]


@pytest.fixture
def texts(conn: psycopg.Connection) -> psycopg.Connection:
    tasks.create(conn, key="lexer", title="Lexer", description="Nested comments, dollar quotes.")
    tasks.create(conn, key="quotes", title="Dollar quotes", description="In the lexer.")
    tasks.create(conn, key="bill", title="Bill", description="Quotes of a dollar are not nested.")
    return conn


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dollar", {"lexer", "quotes", "bill"}),
        ('"dollar quotes"', {"lexer", "quotes"}),
        ("dollar -nested", {"quotes"}),
        ("bill or lexer", {"bill", "lexer", "quotes"}),
        ("lex*", {"lexer", "quotes"}),
        ("lex* doll*", {"lexer", "quotes"}),
        ("lex* nested", {"lexer"}),
        ("quote", {"lexer", "quotes", "bill"}),
        ("unheard", set()),
        ("the", set()),
        ("*", set()),
        ("' & | ! ( :* <->", set()),
    ],
)
def test_search_follows_words_phrases_and_beginnings(
    texts: psycopg.Connection, words: str, expected: set[str]
) -> None:
    assert set(found(texts, words)) == expected


def test_search_ranks_a_title_above_a_description(texts: psycopg.Connection) -> None:
    assert found(texts, "dollar quotes")[0] == "quotes"
    assert len(search.find_tasks(texts, words="dollar", limit=2)) == 2


def test_search_sees_a_changed_text_at_once(texts: psycopg.Connection) -> None:
    tasks.update(texts, key="bill", title="Invoice", description=None)

    assert found(texts, "invoice") == ["bill"]
    assert "bill" not in found(texts, "dollar")


def test_marks_of_an_excerpt_are_never_part_of_the_text(conn: psycopg.Connection) -> None:
    text = f"{MATCH_BEGINS}forged{MATCH_ENDS} <b>dollar</b> quotes"
    tasks.create(conn, key="forged", title="Marks", description=text)
    tasks.create(conn, key="bare", title="A dollar without description")

    excerpts = {match.key: match.excerpt for match in search.find_tasks(conn, words="dollar")}

    assert excerpts["bare"] is None
    excerpt = excerpts["forged"] or ""
    assert f"{MATCH_BEGINS}dollar{MATCH_ENDS}" in excerpt
    assert excerpt.count(MATCH_BEGINS) == excerpt.count(MATCH_ENDS) == 1
    stored = tasks.get_by_key(conn, key="forged").description
    assert stored == text


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


def test_epics_are_listed_by_status_and_priority_in_pages(conn: psycopg.Connection) -> None:
    epics.create(conn, key="E02", title="Two", priority=Level.HIGH, status=PlanStatus.ACTIVE)
    epics.create(conn, key="E01", title="One", priority=Level.HIGH, business_value=Level.LOW)
    epics.create(conn, key="E03", title="Three", status=PlanStatus.ACTIVE)

    def listed(**filters: Any) -> list[str]:
        return [epic.key for epic in epics.list_epics(conn, **filters)]

    assert listed() == ["E01", "E02", "E03"]
    assert listed(status=PlanStatus.ACTIVE) == ["E02", "E03"]
    assert listed(priority=Level.HIGH) == ["E01", "E02"]
    assert listed(priority=Level.HIGH, status=PlanStatus.ACTIVE) == ["E02"]
    assert listed(limit=2) == ["E01", "E02"]
    assert listed(limit=2, after_key="E02") == ["E03"]


def test_epic_is_read_changed_and_deleted_with_all_under_it(
    conn: psycopg.Connection, plan: Plan
) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)

    changed = epics.update(
        conn, key=plan.epic, description="Words", status=PlanStatus.ACTIVE, metadata={"a": 1}
    )
    emptied = epics.update(conn, key=plan.epic, description=None, business_value=Level.HIGH)

    assert (changed.description, changed.status, changed.title) == (
        "Words",
        PlanStatus.ACTIVE,
        epic.title,
    )
    assert (emptied.description, emptied.metadata, emptied.business_value) == (
        None,
        {"a": 1},
        Level.HIGH,
    )
    assert epics.get(conn, id=epic.id) == emptied
    assert epics.delete(conn, key=plan.epic) == epic.id
    assert features.list_features(conn) == []
    assert [task.key for task in tasks.list_tasks(conn)] == [plan.chore]
    for missing in (
        lambda: epics.get(conn, id=epic.id),
        lambda: epics.update(conn, key=plan.epic, title="New"),
        lambda: epics.delete(conn, key=plan.epic),
        lambda: epics.progress(conn, key=plan.epic),
    ):
        with pytest.raises(NotFoundError):
            missing()


def test_epic_key_has_its_form_and_is_taken_once(conn: psycopg.Connection, plan: Plan) -> None:
    for key in ("e01", "E1", "E0000001", "E01-F01", "E01\n"):
        with pytest.raises(ValidationError, match="key must be E and"), conn.transaction():
            epics.create(conn, key=key, title="Wrong")
    with pytest.raises(IntegrityError, match="key"), conn.transaction():
        epics.create(conn, key=plan.epic, title="Again")


def test_features_are_listed_changed_and_deleted(conn: psycopg.Connection, plan: Plan) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)
    other = epics.create(conn, key="E02", title="Other")
    features.create(conn, epic_id=other.id, key="E02-F01", title="Other", status=PlanStatus.ACTIVE)

    def listed(**filters: Any) -> list[str]:
        return [feature.key for feature in features.list_features(conn, **filters)]

    assert listed() == [*plan.features, "E02-F01"]
    assert listed(epic_id=epic.id) == list(plan.features)
    assert listed(status=PlanStatus.ACTIVE) == ["E02-F01"]
    assert listed(epic_id=epic.id, status=PlanStatus.ACTIVE) == []
    assert listed(limit=1, after_key=plan.features[0]) == [plan.features[1]]

    changed = features.update(conn, key="E02-F01", title="New", execution_order=3)
    assert (changed.title, changed.execution_order, changed.status) == (
        "New",
        3,
        PlanStatus.ACTIVE,
    )
    assert features.get(conn, id=changed.id) == changed
    features.delete(conn, key=plan.features[1])
    assert {task.key for task in tasks.list_tasks(conn)} == {
        plan.design,
        plan.build,
        plan.test,
        plan.chore,
    }
    with pytest.raises(NotFoundError):
        features.update(conn, key=plan.features[1], title="Gone")


def test_feature_key_begins_with_its_epics(conn: psycopg.Connection, plan: Plan) -> None:
    epic = epics.get_by_key(conn, key=plan.epic)

    for key in ("E02-F01", "F01", "E01-F1", "E01"):
        with pytest.raises(ValidationError, match="key must"), conn.transaction():
            features.create(conn, epic_id=epic.id, key=key, title="Wrong")


@pytest.mark.parametrize("field", ["feature_id", "parent_id"])
def test_nothing_belongs_to_what_is_not_there(
    conn: psycopg.Connection, plan: Plan, field: str
) -> None:
    nobody: dict[str, Any] = {field: uuid4()}

    with pytest.raises(IntegrityError, match=field.removesuffix("_id")), conn.transaction():
        tasks.create(conn, key="orphan", title="Orphan", **nobody)
    with pytest.raises(IntegrityError, match=field.removesuffix("_id")), conn.transaction():
        tasks.update(conn, key=plan.chore, **nobody)
    with pytest.raises(IntegrityError, match="epic"), conn.transaction():
        features.create(conn, epic_id=uuid4(), key="E01-F09", title="Orphan")


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


def complete(conn: psycopg.Connection, key: str) -> None:
    tasks.update_status(conn, key=key, status=TaskStatus.COMPLETED, force=True)


def test_progress_counts_completed_of_what_is_not_cancelled(
    conn: psycopg.Connection, plan: Plan
) -> None:
    complete(conn, plan.design)
    complete(conn, plan.build)
    tasks.update_status(conn, key=plan.build, status=TaskStatus.ARCHIVED)
    tasks.update_status(conn, key=plan.release, status=TaskStatus.CANCELLED, force=True)
    epic = epics.get_by_key(conn, key=plan.epic)

    first, second = features.list_progress(conn, epic_id=epic.id)
    whole = epics.progress(conn, key=plan.epic)

    assert (first.task_count, first.counted_count, first.completed_count) == (3, 3, 2)
    assert first.progress_pct == Decimal("66.67")
    assert (second.task_count, second.counted_count, second.completed_count) == (2, 1, 0)
    assert second.progress_pct == 0
    assert features.progress(conn, key=plan.features[0]) == first
    assert whole.progress_pct == Decimal("33.34")
    assert whole.weighted_progress_pct == Decimal("50.00")
    assert (whole.feature_count, whole.task_count, whole.completed_count) == (2, 5, 2)
    assert epics.list_progress(conn) == [whole]


def test_progress_of_what_is_empty_is_zero(conn: psycopg.Connection) -> None:
    epic = epics.create(conn, key="E09", title="Empty")
    assert epics.progress(conn, key="E09").progress_pct == 0

    features.create(conn, epic_id=epic.id, key="E09-F01", title="Empty")

    assert features.progress(conn, key="E09-F01").progress_pct == 0
    assert epics.progress(conn, key="E09").weighted_progress_pct == 0
    assert features.update_progress(conn, key="E09-F01") == 0


def test_cached_progress_changes_on_request_only(conn: psycopg.Connection, plan: Plan) -> None:
    complete(conn, plan.docs)
    assert features.get_by_key(conn, key=plan.features[1]).progress_pct == 0

    refreshed = features.update_progress(conn, key=plan.features[1])

    assert refreshed == Decimal("50.00")
    assert features.get_by_key(conn, key=plan.features[1]).progress_pct == refreshed
    with pytest.raises(NotFoundError):
        features.update_progress(conn, key="E99-F01")


def test_stream_yields_what_the_list_returns(conn: psycopg.Connection, varied: Plan) -> None:
    whole = tasks.list_tasks(conn, limit=10_000)

    assert list(tasks.list_tasks.stream(conn, limit=10_000)) == whole
    assert list(history.recent.stream(conn, limit=5)) == history.recent(conn, limit=5)


def test_batch_sends_many_changes_and_returns_each_result(
    conn: psycopg.Connection, plan: Plan
) -> None:
    lines = subtasks.append.batch(
        conn, [{"task": plan.chore, "title": title} for title in ("one", "two", "three")]
    )
    updated = tasks.update.batch(
        conn, [{"key": plan.chore, "priority": 2}, {"key": plan.docs, "description": None}]
    )

    assert [line.position for line in lines] == [1, 2, 3]
    assert [(task.key, task.priority) for task in updated] == [(plan.chore, 2), (plan.docs, 5)]


async def test_same_functions_await_on_an_async_connection(aconn: psycopg.AsyncConnection) -> None:
    epic = await epics.create(aconn, key="E01", title="Async")
    feature = await features.create(aconn, epic_id=epic.id, key="E01-F01", title="Async")
    made = await tasks.create_many(
        aconn,
        [
            NewTask(key="a", title="Dollar quotes", feature_id=feature.id),
            NewTask(key="b", title="Below", parent="a", feature_id=feature.id),
        ],
    )
    await subtasks.append(aconn, task="a", title="one")
    file = await files.put(aconn, task="a", path="x", content="y")

    assert made.task_count == 2
    assert [node.key for node in await tasks.hierarchy(aconn, key="a")] == ["a", "b"]
    assert [match.key for match in await search.find_tasks(aconn, words="doll*")] == ["a"]
    assert [task.key for task in await tasks.find_similar(aconn, title="Dollar quote")] == ["a"]
    assert (await files.get(aconn, task="a", path="x")).sha256 == file.sha256
    assert [entry.key for entry in await history.recent(aconn, limit=1)] != []
    assert await features.update_progress(aconn, key="E01-F01") == 0
    assert {task.key for task in await tasks.list_tasks(aconn, epic_id=epic.id)} == {"a", "b"}
    with pytest.raises(NotFoundError):
        await tasks.get(aconn, id=uuid4())


async def test_stream_and_batch_on_an_async_connection(aconn: psycopg.AsyncConnection) -> None:
    made = await tasks.create.batch(
        aconn, [{"key": f"t{number}", "title": "Task"} for number in range(5)]
    )

    streamed = [row.key async for row in tasks.list_tasks.stream(aconn, limit=10)]

    assert [task.key for task in made] == ["t0", "t1", "t2", "t3", "t4"]
    assert sorted(streamed) == sorted(task.key for task in made)


def test_why_an_unknown_task_is_not_ready_is_an_error(conn: psycopg.Connection) -> None:
    with pytest.raises(NotFoundError, match="NOWHERE"):
        dependencies.why_not_ready(conn, "NOWHERE")


async def test_why_an_unknown_task_is_not_ready_is_an_awaited_error(
    aconn: psycopg.AsyncConnection,
) -> None:
    with pytest.raises(NotFoundError, match="NOWHERE"):
        await dependencies.why_not_ready(aconn, "NOWHERE")
