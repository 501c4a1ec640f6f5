"""The reader of claude-task-master's files, on small ones made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import ReadOptions, import_plan, read_plan
from taskdb.exchange.plan import Plan
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import dependencies
from tests.exchange.loading import Conn
from tests.exchange_files import by_key, changed, edges_of, refused, states

Read = Callable[..., Plan]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a document, or the tasks of a flat one."""

    def read(document: object, prefix: str = "") -> Plan:
        path = tmp_path / "tasks.json"
        whole = {"tasks": document} if isinstance(document, list) else document
        path.write_text(whole if isinstance(whole, str) else json.dumps(whole, indent=1))
        return read_plan("taskmaster", path, prefix=prefix)

    return read


def task(number: object, **values: Any) -> dict[str, Any]:
    return {"id": number, "title": f"Task {number}", "status": "pending", **values}


def test_a_flat_file_is_the_tag_master(read: Read) -> None:
    plan = read([task(1), task("2", dependencies=[1]), task(3, dependencies=["2"])])

    assert [t.key for t in plan.tasks] == ["master.1", "master.2", "master.3"]
    assert edges_of(plan) == [("master.2", "master.1"), ("master.3", "master.2")]
    assert {edge.dependency_type for edge in plan.edges} == {DependencyType.REQUIRES}


def test_tags_keep_their_ids_apart(read: Read) -> None:
    plan = read(
        {
            "master": {"tasks": [task(1), task(2, dependencies=[1])]},
            "side": {"tasks": [task(1), task(2, dependencies=[1])]},
        }
    )

    assert edges_of(plan) == [("master.2", "master.1"), ("side.2", "side.1")]


def test_subtasks_are_child_tasks_at_any_depth(read: Read) -> None:
    deepest = task(1)
    plan = read([task(7, subtasks=[task(1), task(2, subtasks=[deepest], parentTaskId=7)])])

    assert {t.key: t.parent for t in plan.tasks} == {
        "master.7": None,
        "master.7.1": "master.7",
        "master.7.2": "master.7",
        "master.7.2.1": "master.7.2",
    }
    assert "parentTaskId" not in by_key(plan)["master.7.2"].metadata


def test_a_parent_that_contradicts_the_nesting_is_reported(read: Read) -> None:
    plan = read([task(7, subtasks=[task(1, parentId=8)])])

    assert by_key(plan)["master.7.1"].metadata["source"]["parentId"] == 8
    assert "is not the task it stands in" in changed(plan.findings)[0]


def test_what_a_subtask_waits_for_follows_the_tools_own_rule(read: Read) -> None:
    plan = read(
        [
            task(3),
            task(
                7,
                subtasks=[
                    task(1),
                    task(2, dependencies=[1]),
                    task(3, dependencies=["7.1", "3"]),
                    task(99, dependencies=[100, "100"]),
                    task(4, dependencies=[99]),
                ],
            ),
            task(100, dependencies=["7.2"]),
        ]
    )

    assert edges_of(plan) == [
        ("master.7.2", "master.7.1"),
        ("master.7.3", "master.7.1"),
        ("master.7.99", "master.100"),
        ("master.7.4", "master.7.99"),
        ("master.100", "master.7.2"),
    ]
    # "3" is a number below 100: the subtask itself. And 100 stands there twice.
    assert refused(plan.findings) == [
        "tasks.json:26: refused dependency master.7.3: on master.7.3 (dependency 3): "
        "closes the cycle master.7.3 -> master.7.3"
    ]
    assert len(changed(plan.findings)) == 1


def test_a_number_in_a_subtask_that_no_subtask_has_is_a_task(read: Read) -> None:
    parts = [task(1, dependencies=[2, 3]), task(2, dependencies=["3", "4"]), task("7.8")]
    deep = task(9, dependencies=[8], subtasks=[task(1, dependencies=[7, 3])])
    plan = read([task(2), task(3), task(7, subtasks=[*parts, deep])])

    # Where both are there, 2 is the subtask; so is 8, which carries its whole id.
    assert edges_of(plan) == [
        ("master.7.1", "master.7.2"),
        ("master.7.1", "master.3"),
        ("master.7.2", "master.3"),
        ("master.7.9", "master.7.8"),
        ("master.7.9.1", "master.3"),
    ]
    # There is no 4; and a part does not wait for the task it is a part of.
    assert [line.partition("refused ")[2] for line in refused(plan.findings)] == [
        "dependency master.7.2: on master.4 (dependency 4): master.4 is no task of this file",
        "dependency master.7.9.1: on master.7.9.7 (dependency 7): "
        "master.7.9.7 is no task of this file",
    ]


def test_ids_with_a_point_are_what_is_written(read: Read) -> None:
    plan = read(
        '{"tasks": [{"id": 27, "title": "x", "subtasks": ['
        '{"id": 27.1, "title": "a"}, {"id": 27.10, "title": "b"}]}]}'
    )

    assert [t.key for t in plan.tasks] == ["master.27", "master.27.1", "master.27.10"]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", TaskStatus.PENDING),
        ("in-progress", TaskStatus.IN_PROGRESS),
        ("in_progress", TaskStatus.IN_PROGRESS),
        ("review", TaskStatus.IN_REVIEW),
        ("done", TaskStatus.COMPLETED),
        ("completed", TaskStatus.COMPLETED),
        ("cancelled", TaskStatus.CANCELLED),
        ("blocked", TaskStatus.BLOCKED),
        ("deferred", TaskStatus.BLOCKED),
    ],
)
def test_each_status_of_theirs_means_one_of_ours(read: Read, word: str, status: TaskStatus) -> None:
    plan = read([task(1, status=word)])

    assert plan.tasks[0].status is status
    assert plan.tasks[0].metadata["source"]["status"] == word
    assert not len(plan.findings)


def test_a_deferred_task_without_a_time_is_blocked_for_that_reason(read: Read) -> None:
    assert read([task(1, status="deferred")]).tasks[0].blocked_reason == "deferred"


@pytest.mark.parametrize("word", [None, ""])
def test_an_absent_status_is_pending_as_for_the_tool_itself(read: Read, word: object) -> None:
    plan = read([task(1, status=word)])

    assert plan.tasks[0].status is TaskStatus.PENDING
    assert not len(plan.findings)


def test_a_task_of_an_unknown_status_or_flag_is_on_hold_and_reported(read: Read) -> None:
    plan = read([task(1, status="parked"), task(2, frozen=True)])

    assert [(t.status, t.blocked_reason) for t in plan.tasks] == [
        (TaskStatus.BLOCKED, "parked"),
        (TaskStatus.BLOCKED, "frozen"),
    ]
    assert len(changed(plan.findings)) == 2


def test_a_subtask_may_carry_its_whole_id(read: Read) -> None:
    plan = read(
        [
            task(
                "1",
                subtasks=[task("1.1", dependencies=["1.2"]), task("1.2", subtasks=[task("1.2.1")])],
            )
        ]
    )

    assert [t.key for t in plan.tasks] == ["master.1", "master.1.1", "master.1.2", "master.1.2.1"]
    assert edges_of(plan) == [("master.1.1", "master.1.2")]


def test_subtasks_are_not_offered_beside_their_open_task(read: Read) -> None:
    plan = read(
        [
            task(1, subtasks=[task(1), task(2, status="done")]),
            task(2, status="done", subtasks=[task(1)]),
            task(3, status="cancelled", subtasks=[task(1)]),
        ]
    )

    assert {t.key: t.blocked_reason for t in plan.tasks if t.blocked_reason} == {
        "master.1.1": "a part of master.1",
        "master.3.1": "its task master.3 is cancelled",
    }
    assert by_key(plan)["master.2.1"].status is TaskStatus.PENDING


def test_subtasks_first_lets_the_task_wait_for_its_open_subtasks(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    rows = [
        task(1),
        task(2, dependencies=[1], subtasks=[task(1), task(2, status="done"), task(3)]),
        task(3, subtasks=[task(1, dependencies=["3"]), task(2, dependencies=[100])]),
        task(100, dependencies=[3]),
    ]
    path.write_text(json.dumps({"tasks": rows}))

    plan = read_plan("taskmaster", path, options=ReadOptions(subtasks_first=True))

    # A subtask waits for its task's blockers; and no cycle with task 100.
    assert {(edge.task, edge.depends_on) for edge in plan.waits} == {
        ("master.2.1", "master.1"),
        ("master.2.3", "master.1"),
        ("master.2", "master.2.1"),
        ("master.2", "master.2.3"),
        ("master.3", "master.3.1"),
    }
    # There is no subtask 3 of task 3.
    assert {task.key: task.blocked_reason for task in plan.tasks if task.blocked_reason} == {
        "master.3.1": "waits for master.3.3, which the file does not have"
    }


def test_a_task_that_names_its_own_subtask_waits_for_it_once(conn: Conn, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(
        json.dumps({"tasks": [task(1, dependencies=["1.1"], subtasks=[task(1), task(2)])]})
    )

    import_plan(conn, "taskmaster", path, options=ReadOptions(subtasks_first=True))

    # Its other subtask waits for the same as the task.
    assert [row.key for row in dependencies.dependencies_of(conn, key="master.1.2")] == [
        "master.1.1"
    ]
    assert {row.key for row in dependencies.dependencies_of(conn, key="master.1")} == {
        "master.1.1",
        "master.1.2",
    }


def test_different_tasks_under_one_id_can_be_renamed(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps({"tasks": [task(1), task(1, title="other")]}))

    plan = read_plan("taskmaster", path, options=ReadOptions(rename_duplicates=True))

    assert [(t.key, t.title) for t in plan.tasks] == [
        ("master.1", "Task 1"),
        ("master.1~2", "other"),
    ]
    assert plan.renamed == {"master.1~2": "master.1 at tasks.json:1"}
    assert not len(plan.findings)


@pytest.mark.parametrize(
    ("word", "priority"), [("critical", 1), ("high", 3), ("medium", 5), ("low", 8), (None, 5)]
)
def test_each_priority_of_theirs_means_one_of_ours(
    read: Read, word: str | None, priority: int
) -> None:
    assert read([task(1, priority=word)]).tasks[0].priority == priority


def test_an_unknown_priority_counts_as_medium_and_is_reported(read: Read) -> None:
    plan = read([task(1, priority="asap")])

    assert plan.tasks[0].priority == 5
    assert plan.tasks[0].metadata["source"]["priority"] == "asap"
    assert "'asap'" in changed(plan.findings)[0]


def test_a_subtask_is_as_urgent_as_its_task(read: Read) -> None:
    plan = read([task(1, priority="critical", subtasks=[task(1)])])

    assert by_key(plan)["master.1.1"].priority == 1


def test_texts_find_their_places_and_other_fields_go_to_metadata(read: Read) -> None:
    plan = read(
        [
            task(
                1,
                description="What",
                details="How",
                testStrategy="Try",
                acceptanceCriteria="Works",
                complexity=7,
                assignee="ann",
                status="in-progress",
                updatedAt="2025-09-01T10:00:00Z",
            )
        ]
    )

    (only,) = plan.tasks
    assert only.description == "What"
    assert only.requirements == {
        "details": "How",
        "test_strategy": "Try",
        "acceptance_criteria": "Works",
    }
    assert only.metadata["complexity"] == 7
    assert only.claim is not None
    assert (only.claim.agent, only.claim.claimed_at) == (
        "ann",
        datetime(2025, 9, 1, 10, tzinfo=UTC),
    )


def test_tags_of_a_task_are_its_labels(read: Read) -> None:
    (only,) = read([task(1, tags=["ui", "a\x00b"])]).tasks

    assert only.labels == ("ui", "a\ufffdb")


def test_rows_that_are_no_tasks_are_refused(read: Read) -> None:
    plan = read(
        [task(1), "a task", task(None), task(True), task(1), task(2, subtasks=[3]), task("a\nb")]
    )

    assert [t.key for t in plan.tasks] == ["master.1", "master.2"]
    assert [line.split(" refused ")[1] for line in refused(plan.findings)] == [
        "task: task 2 of tag master is 'a task', not an object",
        "task: task 3 of tag master has no id that is a number or a text",
        "task: task 4 of tag master has no id that is a number or a text",
        "task master.1: its id stands at tasks.json:3 already",
        "task: subtask 1 of master.2 is 3, not an object",
        "task: its key holds control characters",
    ]


def test_subtasks_that_are_no_list_are_left_out_and_kept(read: Read) -> None:
    plan = read([task(1, subtasks={"1": {}})])

    assert plan.tasks[0].metadata["source"]["subtasks"] == {"1": {}}
    assert "is not a list; left out" in changed(plan.findings)[0]


def test_dependencies_that_are_no_ids_are_refused(read: Read) -> None:
    plan = read([task(1, dependencies=[None, {"id": 2}, "a\x00b", 9]), task(2, dependencies="1")])

    assert plan.edges == []
    assert [line.split(" refused ")[1] for line in refused(plan.findings)] == [
        "dependency master.1: None can't be a task's id",
        "dependency master.1: {'id': 2} can't be a task's id",
        "dependency master.1: 'a\\x00b' can't be a task's id",
        "dependency master.1: on master.9 (dependency 9): master.9 is no task of this file",
    ]
    assert "is not a list; left out" in changed(plan.findings)[0]


def test_what_the_file_says_about_itself_is_kept(read: Read) -> None:
    plan = read(
        {
            "master": {"tasks": [task(1)], "metadata": {"description": "Main"}},
            "version": "1.0",
        }
    )

    assert plan.about == {"master": {"metadata": {"description": "Main"}}, "version": "1.0"}
    assert not len(plan.findings)


def test_a_prefix_goes_before_every_key(read: Read) -> None:
    plan = read([task(1), task(2, dependencies=[1], subtasks=[task(1)])], prefix="old-")

    assert [t.key for t in plan.tasks] == ["old-master.1", "old-master.2", "old-master.2.1"]
    assert edges_of(plan) == [("old-master.2", "old-master.1")]
    assert not len(plan.findings)


def test_a_file_without_tasks_is_refused(read: Read) -> None:
    with pytest.raises(ValidationError, match="plan holds no list of tasks"):
        read({"issues": []})


def test_an_empty_list_of_tasks_is_an_empty_plan(read: Read) -> None:
    assert read([]).tasks == []


def test_a_task_that_waits_for_one_that_is_not_there_is_on_hold(read: Read) -> None:
    """`task-master next` never offers it."""
    plan = read(
        [
            task(1, dependencies=[9, 8]),
            task(2, status="done", dependencies=[9]),
            task(3, status="in-progress", dependencies=[9]),
        ]
    )

    absent = "which the file does not have"
    assert states(plan) == {
        "master.1": ("blocked", f"waits for master.9, {absent}; waits for master.8, {absent}"),
        "master.2": ("completed", None),
        "master.3": ("in_progress", None),
    }
    assert by_key(plan)["master.1"].metadata["relations"][0]["key"] == "master.9"
