"""A tasks.json goes in and comes out: the same tasks, edges, texts, labels and statuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from taskdb.database import connect
from taskdb.exchange import OnConflict, ReadOptions, import_plan
from taskdb.models.jsontypes import is_dict
from taskdb.models.types import DependencyType, TaskStatus
from taskdb.queries import claims, dependencies, tasks
from taskdb.testing.databases import Databases
from tests.command_line import Caller, Outcome
from tests.exchange_files import CASES, DATA, needs_data, stats
from tests.plans import Plan, make_plan
from tests.tiers import first_of

FILES = [
    DATA / name for name, known in stats().items() if known["format"] in ("flat", "tagged")
] + sorted(CASES.glob("taskmaster-*.json"))
PLAN = Plan()
DONE = "2026-01-04T12:00:00.000Z"


@pytest.fixture
def other_url(databases: Databases, template: str) -> Generator[str]:
    url = databases.clone(template)
    yield url
    databases.drop(url)


Export = Callable[..., Outcome]


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Export:
    def export(url: str, path: Path) -> Outcome:
        outcome = Caller(capsys, url)("export", "--format", "taskmaster", "-o", path)
        assert outcome.status == 0, outcome.err
        return outcome

    return export


def take(url: str, path: Path, **options: Any) -> None:
    with connect(url) as conn:
        import_plan(conn, "taskmaster", path, **options)


def task(number: object, **values: Any) -> dict[str, Any]:
    return {"id": number, "title": f"Task {number}", "status": "pending", **values}


def write(path: Path, document: dict[str, Any] | list[dict[str, Any]]) -> Path:
    if isinstance(document, list):
        document = {"master": {"tasks": document}}
    path.write_text(json.dumps(document, indent=1))
    return path


def said(path: Path) -> dict[str, Any]:
    """Return all that a file says, by the places of its tasks; what is empty is not there.

    A number with a point is the text that it is written as.
    """
    document = json.loads(path.read_text(), parse_float=str)
    found: dict[str, Any] = {}
    if isinstance(document.get("tasks"), list):
        document["master"] = {"tasks": document.pop("tasks")}
    for name, value in document.items():
        if is_dict(value) and isinstance(value.get("tasks"), list):
            found.update(_tasks(value.pop("tasks"), name))
        found[f"about {name}"] = value
    return found


def _tasks(listed: list[dict[str, Any]], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in listed:
        key = f"{place}/{each['id']}"
        yield from _tasks(each.pop("subtasks", []), key)
        yield key, {name: value for name, value in each.items() if value not in ("", [], None)}


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


@needs_data
@pytest.mark.parametrize("path", first_of(FILES, 3), ids=lambda path: path.name)
def test_a_file_comes_back_as_it_was(
    database_url: str, other_url: str, export: Export, tmp_path: Path, path: Path
) -> None:
    before = said(path)
    # It says of each subtask where it stands.
    subtasks = {key: without(row, "parentTaskId") for key, row in before.items()}
    take(database_url, path)

    export(database_url, tmp_path / "one.json")
    take(other_url, tmp_path / "one.json")
    export(other_url, tmp_path / "two.json")

    assert said(tmp_path / "one.json") == subtasks
    assert (tmp_path / "two.json").read_text() == (tmp_path / "one.json").read_text()


def test_tags_whole_ids_cycles_and_unknown_words_come_back(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "tasks.json",
        {
            "version": "1.0",
            "master": {
                "metadata": {"description": "Main", "created": DONE},
                "tasks": [
                    task(1, dependencies=[2, "3"], details="How", testStrategy="Try", tags=["ui"]),
                    task(2, dependencies=[1, 9], priority="urgent", source="mine", frozen=True),
                    task("3", status="parked", priority="high", relations=["x"]),
                    task(
                        7,
                        status="in-progress",
                        subtasks=[
                            task("7.1", dependencies=["7.2", 3], acceptanceCriteria="Done"),
                            task(2, dependencies=[100], status="done", updatedAt=DONE),
                            task(3, subtasks=[task(1, dependencies=["7.3"])]),
                        ],
                    ),
                    task(100, assignee="ann", metadata={"points": 3}, complexity=8),
                ],
            },
            "side": {"tasks": [task(1, dependencies=[2]), task(2)]},
            "none": {"tasks": [], "metadata": {"description": "Nothing yet"}},
        },
    )
    before = said(path)
    take(database_url, path)

    export(database_url, path)

    before["master/7/2"]["updatedAt"] = "2026-01-04T12:00:00+00:00"
    assert said(path) == before


@pytest.mark.slow
def test_a_prefix_is_a_part_of_the_tag(
    database_url: str, other_url: str, export: Export, tmp_path: Path
) -> None:
    tagged = {"master": {"tasks": [task(1), task(2, dependencies=[1])], "metadata": {"a": "b"}}}
    path = write(tmp_path / "tasks.json", tagged)
    take(database_url, path, options=ReadOptions(prefix="web-"))
    take(database_url, write(tmp_path / "other.json", tagged))

    export(database_url, path)
    take(other_url, path)

    with connect(other_url) as conn:
        there = {row.key for row in tasks.list_tasks(conn)}
    assert there == {"master.1", "master.2", "web-master.1", "web-master.2"}
    assert said(path)["about web-master"] == {"metadata": {"a": "b"}}


@pytest.mark.slow
def test_changed_on_both_sides_it_is_imported_again_and_exported(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    path = tmp_path / "tasks.json"
    take(database_url, write(path, [task(n) for n in range(1, 6)]))
    with connect(database_url) as conn:
        tasks.update(conn, key="master.1", title="Ours", labels=["here"])
        tasks.update_status(
            conn, key="master.2", status=TaskStatus.BLOCKED, blocked_reason="ask ann"
        )
        assert claims.claim(conn, key="master.3", agent="bob") is not None
        dependencies.add_dependency(conn, task="master.4", depends_on="master.1")
        tasks.create(conn, key="new", title="Made here", parent_id=None, created_by="eve")
        tasks.update_status(conn, key="master.5", status=TaskStatus.CANCELLED)
    changed = [
        task(1, title="Theirs"),
        task(2, details="New"),
        task(3, priority="high"),
        task(4, status="done", dependencies=[2]),
        task(5),
        task(6, subtasks=[task(1)]),
    ]
    take(database_url, write(path, changed), on_conflict=OnConflict.OURS)

    wrote = export(database_url, path)

    back = said(path)
    assert (back["master/1"]["title"], back["master/1"]["tags"]) == ("Ours", ["here"])
    assert (back["master/2"]["details"], back["master/2"]["status"]) == ("New", "deferred")
    assert (back["master/3"]["priority"], back["master/3"]["assignee"]) == ("high", "bob")
    assert (back["master/3"]["status"], back["master/4"]["status"]) == ("in-progress", "done")
    assert back["master/4"]["dependencies"] == [2, 1]
    assert back["master/5"]["status"] == "cancelled"
    assert back["master/7"]["title"] == "Made here"
    assert "master/6/1" in back
    assert "not in the file: 1 keys that are no ids of task-master" in wrote.err


@pytest.mark.slow
def test_what_was_removed_or_moved_here_is_not_in_the_file(
    database_url: str, other_url: str, export: Export, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "tasks.json",
        [
            task(1, dependencies=[2, 3]),
            task(2, subtasks=[task(1), task(2, dependencies=[1])]),
            task(3),
        ],
    )
    take(database_url, path)
    with connect(database_url) as conn:
        dependencies.remove_dependency(conn, task="master.1", depends_on="master.2")
        # A subtask becomes a task, and a task a subtask.
        tasks.update(conn, key="master.2.1", parent_id=None)
        there = tasks.get_by_key(conn, key="master.2")
        tasks.update(conn, key="master.3", parent_id=there.id)

    export(database_url, path)
    take(other_url, path)

    back = said(path)
    assert back["master/1"]["dependencies"] == ["2.3"]
    assert back["master/2/3"]["title"] == "Task 3"
    assert back["master/2.1"]["title"] == "Task 1"
    with connect(other_url) as conn:
        waits = {
            key: {row.key for row in dependencies.dependencies_of(conn, key=key)}
            for key in ("master.1", "master.2.2")
        }
    assert waits == {"master.1": {"master.2.3"}, "master.2.2": {"master.2.1"}}


def test_a_task_with_the_number_of_a_subtask_cannot_be_named_beside_it(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    rows = [task(1), task(2, subtasks=[task(1), task(2)]), task(3)]
    path = write(tmp_path / "tasks.json", rows)
    take(database_url, path)
    with connect(database_url) as conn:
        for blocker in ("master.1", "master.3"):
            dependencies.add_dependency(conn, task="master.2.2", depends_on=blocker)

    wrote = export(database_url, path)

    assert said(path)["master/2/2"]["dependencies"] == [3]
    assert "1 dependencies of subtasks on tasks with the number of a subtask" in wrote.err


def test_a_hold_for_what_could_not_be_read_comes_back_as_one(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    path = write(tmp_path / "tasks.json", [task(1, status=["?"]), task(2, dependencies=[None])])
    take(database_url, path)

    wrote = export(database_url, path)

    assert "2 reasons of holds" in wrote.err
    assert [said(path)[key]["status"] for key in ("master/1", "master/2")] == ["deferred"] * 2


def test_a_task_does_not_wait_for_its_subtasks_in_the_file(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    path = write(tmp_path / "tasks.json", [task(1, subtasks=[task(1), task(2)])])
    take(database_url, path, options=ReadOptions(subtasks_first=True))

    export(database_url, path)

    assert "dependencies" not in said(path)["master/1"]


@pytest.mark.slow
def test_a_plan_made_here_becomes_numbers_and_what_it_cannot_hold_is_named(
    database_url: str, other_url: str, export: Export, tmp_path: Path
) -> None:
    path = tmp_path / "tasks.json"
    with connect(database_url) as conn:
        make_plan(conn)
        release = tasks.get_by_key(conn, key=PLAN.release)
        tasks.create(conn, key="part", title="Part", parent_id=release.id, priority=1)
        dependencies.add_dependency(conn, task="part", depends_on=PLAN.design)
        dependencies.add_dependency(
            conn, task=PLAN.chore, depends_on="part", dependency_type=DependencyType.BLOCKS
        )
        tasks.update(
            conn, PLAN.docs, requirements={"details": "How", "size": 3}, priority=6, labels=["api"]
        )
        tasks.update_status(conn, PLAN.design, status=TaskStatus.COMPLETED, force=True)
        tasks.update_status(conn, PLAN.chore, status=TaskStatus.BLOCKED, blocked_reason="ask")
        done_at = tasks.get_by_key(conn, key=PLAN.design).completed_at

    wrote = export(database_url, path)
    with connect(other_url) as conn:
        import_plan(conn, "taskmaster", path, strict=True)
        there = [tasks.get(conn, row.id) for row in tasks.list_tasks(conn)]
        rows = {row.title: row for row in there}
        chore, docs = rows[f"Task {PLAN.chore}"], rows[f"Task {PLAN.docs}"]
        blockers = {
            row.title
            for row in dependencies.dependencies_of(conn, key=rows[f"Task {PLAN.release}"].key)
        }

    named = {line.split(": ", 1)[1] for line in wrote.err.splitlines() if "not in the" in line}
    assert named >= {
        "7 keys that are no ids of task-master, which become numbers",
        "1 dependencies of subtasks on tasks with the number of a subtask",
        "1 blocks, which become requires",
        "1 suggestions",
        "5 features of tasks",
        "1 reasons of holds, which become deferred",
        "1 requirements beyond details, test strategy and acceptance criteria",
        "1 priorities, which become the nearest of critical, high, medium and low",
    }
    assert (chore.status, chore.blocked_reason) == (TaskStatus.BLOCKED, "deferred")
    assert (docs.requirements, docs.labels, docs.priority) == ({"details": "How"}, ["api"], 5)
    assert blockers == {f"Task {PLAN.test}", f"Task {PLAN.docs}"}
    assert rows["Part"].priority == 1
    assert rows[f"Task {PLAN.design}"].completed_at == done_at


@pytest.mark.slow
def test_any_depth_of_parents_is_written(
    database_url: str, other_url: str, export: Export, tmp_path: Path
) -> None:
    path = tmp_path / "tasks.json"
    with connect(database_url) as conn:
        above = None
        for number in range(70):
            above = tasks.create(conn, key=f"t{number}", title=f"T{number}", parent_id=above).id

    wrote = export(database_url, path)
    take(other_url, path)

    assert "not in the file: 61 parents below the eighth level" in wrote.err
    with connect(other_url) as conn:
        assert len(tasks.list_tasks(conn, limit=100)) == 70


def test_an_empty_workspace_is_an_empty_tag(
    database_url: str, export: Export, tmp_path: Path
) -> None:
    export(database_url, tmp_path / "tasks.json")

    assert json.loads((tmp_path / "tasks.json").read_text()) == {"master": {"tasks": []}}
