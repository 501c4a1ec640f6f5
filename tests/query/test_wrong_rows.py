"""Functions that take dataclasses: what is none, or holds something else, is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from taskdb.errors import ValidationError
from taskdb.models.dependencies import NewDependency
from taskdb.models.implementation_tasks import NewImplementationTask
from taskdb.models.tasks import NewTask
from taskdb.models.workflows import NewStep, NewWorkflow
from taskdb.queries import dependencies, specs, tasks, workflows


def _edges(conn: psycopg.Connection, rows: Any) -> object:
    return tasks.create_many(conn, [], rows)


def _steps_of_new(conn: psycopg.Connection, rows: Any) -> object:
    return workflows.create(conn, NewWorkflow(name="W"), rows)


def _steps(conn: psycopg.Connection, rows: Any) -> object:
    return workflows.add_steps(conn, uuid4(), rows)


def _spec_tasks(conn: psycopg.Connection, rows: Any) -> object:
    return specs.create_with_tasks(conn, title="S", content="All", tasks=rows)


TAKES_ROWS: dict[str, Callable[[psycopg.Connection, Any], object]] = {
    "create_many.tasks": tasks.create_many,
    "create_many.dependencies": _edges,
    "add_dependencies.dependencies": dependencies.add_dependencies,
    "create.steps": _steps_of_new,
    "add_steps.steps": _steps,
    "create_with_tasks.tasks": _spec_tasks,
}
# Rows of the wrong class, each in its own way.
OTHERS = ["ab", None, {"title": "T"}, NewWorkflow(name="W"), 7, b"ab"]


@pytest.mark.parametrize("name", TAKES_ROWS)
@pytest.mark.parametrize("rows", ["ab", "", b"ab", None, 7, {"a": 1}, object(), NewTask])
def test_what_is_no_list_of_rows_is_refused_by_name(
    conn: psycopg.Connection, name: str, rows: Any
) -> None:
    field = name.partition(".")[2]

    with pytest.raises(
        ValidationError, match=rf"(?m)^{field} must (be a list, not \w+|not be None)$"
    ):
        TAKES_ROWS[name](conn, rows)


@pytest.mark.parametrize("name", TAKES_ROWS)
@pytest.mark.parametrize("row", OTHERS)
def test_row_of_another_class_is_refused_by_its_index(
    conn: psycopg.Connection, name: str, row: Any
) -> None:
    field = name.partition(".")[2]

    with pytest.raises(
        ValidationError, match=rf"(?m)^{field}\[0\] must (be a New\w+, not \w+|not be None)$"
    ):
        TAKES_ROWS[name](conn, [row])


@pytest.mark.parametrize("workflow", OTHERS[:3])
def test_workflow_of_another_class_is_refused(conn: psycopg.Connection, workflow: Any) -> None:
    with pytest.raises(
        ValidationError, match=r"(?m)^workflow must (be a NewWorkflow, not \w+|not be None)$"
    ):
        workflows.create(conn, workflow)


@pytest.mark.parametrize("needs", ["ab", None, 7, [None], [["a"]], ["\0"], [7]])
def test_needs_are_a_list_of_keys(conn: psycopg.Connection, needs: Any) -> None:
    """A text was taken for a list of its letters: 'ab' for a and b."""
    steps = [
        NewStep(key="a", step_type="x"),
        NewStep(key="b", step_type="x"),
        NewStep(key="c", step_type="x", needs=needs),
    ]

    with pytest.raises(ValidationError, match=r"^steps\[2\]\.needs"):
        workflows.create(conn, NewWorkflow(name="W"), steps)


@pytest.mark.parametrize("key", [["a"], 7, b"a", "a\0", "\ud800", "x" * 101])
def test_keys_of_rows_are_refused_by_name(conn: psycopg.Connection, key: Any) -> None:
    edge = NewDependency("a", key)
    calls: dict[str, Callable[[], Any]] = {
        "tasks[0].key": lambda: tasks.create_many(conn, [NewTask(title="T", key=key)]),
        "tasks[0].parent": lambda: tasks.create_many(conn, [NewTask(title="T", parent=key)]),
        "dependencies[0].depends_on": lambda: dependencies.add_dependencies(conn, [edge]),
        "steps[0].key": lambda: workflows.create(
            conn, NewWorkflow(name="W"), [NewStep(key=key, step_type="x")]
        ),
    }

    for field, call in calls.items():
        with pytest.raises(ValidationError) as refused:
            call()
        assert refused.value.field == field


def test_rows_may_come_from_a_generator(conn: psycopg.Connection) -> None:
    made = tasks.create_many(conn, (NewTask(title=title) for title in "ab"))
    spec = specs.create_with_tasks(
        conn,
        title="S",
        content="All",
        tasks=(NewImplementationTask(scope=scope) for scope in ["whole"]),
    )

    assert (made.task_count, len(spec.task_keys)) == (2, 1)
