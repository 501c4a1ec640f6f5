"""Workflows and their steps: creation, changes, transitions and clones, and what is refused.

The real CI job graphs beside the repository go in through the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import yaml

from taskdb.admin import doctor
from taskdb.errors import (
    CircularDependencyError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
    ValidationError,
)
from taskdb.models import (
    ErrorPolicy,
    NewStep,
    NewTask,
    NewWorkflow,
    TriggerType,
    Workflow,
    WorkflowStatus,
    WorkflowStep,
)
from taskdb.queries import executions, tasks, workflows
from tests.exchange_files import DATA, needs_data, stats

Connection = psycopg.Connection[Any]
Status = WorkflowStatus

PIPELINE = [
    NewStep(key="build", step_type="job", timeout=timedelta(minutes=10)),
    NewStep(key="lint", step_type="job", on_error=ErrorPolicy.CONTINUE),
    NewStep(
        key="test",
        step_type="job",
        needs=["build"],
        on_error=ErrorPolicy.RETRY,
        max_attempts=3,
        retry_delay=timedelta(seconds=5),
    ),
    NewStep(
        key="deploy",
        step_type="job",
        title="Deploy to production",
        needs=["test", "lint"],
        condition='$.branch == "main"',
        configuration={"environment": "production"},
    ),
]


def make_workflow(conn: Connection, name: str = "CI", **fields: Any) -> Workflow:
    return workflows.create(conn, NewWorkflow(name=name, **fields), PIPELINE)


def graph(conn: Connection, id: UUID) -> dict[str, list[str]]:
    return {step.key: step.needs for step in workflows.list_steps(conn, id)}


def by_key(conn: Connection, id: UUID) -> dict[str, WorkflowStep]:
    return {step.key: step for step in workflows.list_steps(conn, id)}


# Workflows


def test_workflow_is_made_with_its_steps_in_one_call(conn: Connection) -> None:
    made = make_workflow(
        conn,
        github_repo_url="https://github.com/org/repo",
        linear_issue_id="ENG-123",
        trigger_type=TriggerType.WEBHOOK,
        configuration={"timeout": 3600},
    )

    steps = workflows.list_steps(conn, made.id)

    assert workflows.get(conn, made.id) == made
    assert (made.status, made.trigger_type) == (Status.DRAFT, TriggerType.WEBHOOK)
    assert [(step.key, step.position) for step in steps] == [
        ("build", 1),
        ("lint", 2),
        ("test", 3),
        ("deploy", 4),
    ]
    assert graph(conn, made.id)["deploy"] == ["lint", "test"]
    test = steps[2]
    assert (test.on_error, test.max_attempts) == (ErrorPolicy.RETRY, 3)
    assert (test.retry_delay, steps[0].timeout) == (timedelta(seconds=5), timedelta(minutes=10))
    assert steps[3].condition == '($."branch" == "main")'
    assert steps[3].configuration == {"environment": "production"}
    assert doctor.run(conn) == []


async def test_the_same_on_an_asynchronous_connection(aconn: psycopg.AsyncConnection[Any]) -> None:
    made = await workflows.create(aconn, NewWorkflow(name="CI"), PIPELINE)
    added = await workflows.add_steps(
        aconn, made.id, [NewStep(key="notify", step_type="mail", needs=["deploy"])]
    )

    steps = await workflows.list_steps(aconn, made.id)

    assert added == 1
    assert {step.key for step in steps if "deploy" in step.needs} == {"notify"}


def test_workflow_is_read_changed_and_deleted(conn: Connection) -> None:
    made = make_workflow(conn, description="as it was")

    changed = workflows.update(conn, made.id, name="CD", description=None)

    assert (changed.name, changed.description) == ("CD", None)
    assert changed.updated_at > made.updated_at
    assert workflows.delete(conn, made.id) == made.id
    with pytest.raises(NotFoundError):
        workflows.get(conn, made.id)
    with pytest.raises(NotFoundError):
        workflows.delete(conn, made.id)


def test_workflows_are_listed_newest_first_by_each_filter_and_in_pages(conn: Connection) -> None:
    made = [
        make_workflow(conn, f"w{number}", github_repo_url=f"r{number % 2}") for number in range(5)
    ]
    workflows.activate(conn, made[0].id)
    workflows.update(conn, made[1].id, trigger_type=TriggerType.SCHEDULE)

    first = workflows.list_workflows(conn, limit=2)
    rest = workflows.list_workflows(
        conn, after_created_at=first[-1].created_at, after_id=first[-1].id
    )

    assert [row.name for row in first + rest] == ["w4", "w3", "w2", "w1", "w0"]
    found = {
        "active": workflows.list_workflows(conn, status=Status.ACTIVE),
        "scheduled": workflows.list_workflows(conn, trigger_type=TriggerType.SCHEDULE),
        "of r1": workflows.list_workflows(conn, github_repo_url="r1"),
    }
    assert {what: [row.name for row in rows] for what, rows in found.items()} == {
        "active": ["w0"],
        "scheduled": ["w1"],
        "of r1": ["w3", "w1"],
    }


def test_workflows_of_a_linear_issue_are_found(conn: Connection) -> None:
    make_workflow(conn, "old", linear_issue_id="ENG-1")
    make_workflow(conn, "other", linear_issue_id="ENG-10")
    make_workflow(conn, "new", linear_issue_id="ENG-1")

    assert [row.name for row in workflows.find_by_linear_issue(conn, "ENG-1")] == ["new", "old"]
    assert workflows.find_by_linear_issue(conn, "eng-1") == []


def test_a_workflow_moves_as_the_table_of_moves_says_and_not_otherwise(conn: Connection) -> None:
    allowed = set(
        conn.execute(b"select old_status, new_status from workflow_status_transitions").fetchall()
    )
    made = make_workflow(conn)
    assert len(allowed) == 9

    for old in Status:
        for new in Status:
            with conn.transaction(force_rollback=True):
                conn.execute(b"alter table workflows disable trigger user")
                conn.execute(b"update workflows set status = $1", [old])
                conn.execute(b"alter table workflows enable trigger user")
                refused = (old.value, new.value) not in allowed and old is not new
                with pytest.raises(InvalidTransitionError) if refused else nullcontext():
                    workflows.update_status(conn, made.id, status=new)


def test_activate_and_pause_take_turns(conn: Connection) -> None:
    made = make_workflow(conn)
    with pytest.raises(InvalidTransitionError), conn.transaction():
        workflows.pause(conn, made.id)

    statuses = [
        workflows.activate(conn, made.id).status,
        workflows.pause(conn, made.id).status,
        workflows.activate(conn, made.id).status,
    ]

    assert statuses == [Status.ACTIVE, Status.PAUSED, Status.ACTIVE]


def test_a_clone_is_a_draft_with_the_same_graph(conn: Connection) -> None:
    made = make_workflow(conn, configuration={"a": 1}, linear_issue_id="ENG-1", created_by="ann")
    workflows.activate(conn, made.id)

    copy = workflows.clone(conn, made.id, name="CI, again", created_by="ben")

    assert (copy.name, copy.status, copy.created_by) == ("CI, again", Status.DRAFT, "ben")
    assert (copy.configuration, copy.linear_issue_id) == ({"a": 1}, "ENG-1")
    assert graph(conn, copy.id) == graph(conn, made.id)
    theirs, ours = by_key(conn, made.id), by_key(conn, copy.id)
    for key, step in ours.items():
        assert step.id != theirs[key].id
        assert (step.condition, step.on_error, step.timeout, step.position) == (
            theirs[key].condition,
            theirs[key].on_error,
            theirs[key].timeout,
            theirs[key].position,
        )
    with pytest.raises(NotFoundError):
        workflows.clone(conn, uuid4(), name="nothing")


def test_a_workflow_leaves_its_tasks(conn: Connection) -> None:
    made = make_workflow(conn)
    workflows.activate(conn, made.id)
    run = executions.start_execution(conn, made.id)
    tasks.create(conn, key="A", title="A", workflow_id=made.id, workflow_execution_id=run.id)
    tasks.create_many(conn, [NewTask(key="B", title="B", workflow_id=made.id)])
    listed = tasks.list_tasks(conn, workflow_id=made.id)

    workflows.delete(conn, made.id)

    assert [(row.key, row.workflow_id) for row in listed] == [("B", made.id), ("A", made.id)]
    left = [tasks.get_by_key(conn, key) for key in "AB"]
    assert [(row.workflow_id, row.workflow_execution_id) for row in left] == [(None, None)] * 2
    assert doctor.run(conn) == []


def test_a_task_names_a_workflow_that_exists_and_one_of_its_executions(conn: Connection) -> None:
    made, other = make_workflow(conn), make_workflow(conn, "other")
    workflows.activate(conn, other.id)
    run = executions.start_execution(conn, other.id)
    tasks.create(conn, key="A", title="A")

    with pytest.raises(IntegrityError) as missing, conn.transaction():
        tasks.update(conn, "A", workflow_id=uuid4())
    with pytest.raises(IntegrityError) as foreign, conn.transaction():
        tasks.update(conn, "A", workflow_id=made.id, workflow_execution_id=run.id)
    moved = tasks.update(conn, "A", workflow_id=other.id, workflow_execution_id=run.id)

    assert (missing.value.field, foreign.value.field) == ("workflow_id", "workflow_execution_id")
    assert moved.workflow_execution_id == run.id
    assert [row.key for row in tasks.list_tasks(conn, workflow_execution_id=run.id)] == ["A"]


# Steps


@pytest.mark.parametrize(
    ("steps", "error", "field"),
    [
        ([NewStep(key="a", step_type="job", condition="$.a ==")], ValidationError, "condition"),
        ([NewStep(key="a", step_type="job", condition="")], ValidationError, "condition"),
        (
            [NewStep(key="a", step_type="job", condition='$.a like_regex "("')],
            ValidationError,
            "condition",
        ),
        ([NewStep(key="", step_type="job")], ValidationError, "key"),
        ([NewStep(key="a", step_type="")], ValidationError, "step_type"),
        ([NewStep(key="a", step_type="job", max_attempts=2)], ValidationError, "max_attempts"),
        ([NewStep(key="a", step_type="job", position=0)], ValidationError, "position"),
        (
            [NewStep(key="a", step_type="job", retry_delay=timedelta(seconds=-1))],
            ValidationError,
            "retry_delay",
        ),
        ([NewStep(key="a", step_type="job")] * 2, IntegrityError, "key"),
    ],
)
def test_a_step_that_breaks_a_rule_is_refused_by_name(
    conn: Connection, steps: list[NewStep], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as caught:
        workflows.create(conn, NewWorkflow(name="CI"), steps)

    assert field in str(caught.value)


def test_a_condition_that_is_no_jsonpath_is_refused_in_an_update_too(conn: Connection) -> None:
    made = make_workflow(conn)

    with pytest.raises(ValidationError) as caught, conn.transaction():
        workflows.update_step(conn, workflow_id=made.id, key="deploy", condition="$.x = 1 or")
    workflows.update_step(conn, workflow_id=made.id, key="deploy", condition="exists($.x)")

    assert (caught.value.field, caught.value.rule) == ("condition", "must be a valid jsonpath")
    assert by_key(conn, made.id)["deploy"].condition == 'exists ($."x")'


def test_a_step_needs_one_that_is_there(conn: Connection) -> None:
    steps = [NewStep(key="a", step_type="job", needs=["b", "c"])]

    with pytest.raises(NotFoundError, match="no step of the workflow has the key b, c"):
        workflows.create(conn, NewWorkflow(name="CI"), steps)


def test_steps_that_need_each_other_are_refused_with_the_path(conn: Connection) -> None:
    keys = ["a", "b", "c", "d"]
    steps = [
        NewStep(key=key, step_type="job", needs=[keys[place - 1]]) for place, key in enumerate(keys)
    ]

    with pytest.raises(CircularDependencyError) as caught:
        workflows.create(conn, NewWorkflow(name="CI"), steps)

    path = caught.value.path
    assert path[0] == path[-1]
    assert set(path) == set(keys)
    assert all(keys[keys.index(step) - 1] == need for step, need in pairwise(path))


@pytest.mark.parametrize(
    ("step", "needs", "path"),
    [
        ("build", "deploy", {"build", "test", "deploy"}),
        ("build", "test", {"build", "test"}),
        ("lint", "lint", {"lint"}),
    ],
)
def test_a_need_that_closes_a_circle_is_refused(
    conn: Connection, step: str, needs: str, path: set[str]
) -> None:
    made = make_workflow(conn)

    with pytest.raises(CircularDependencyError) as caught, conn.transaction():
        workflows.add_need(conn, workflow_id=made.id, step=step, needs=needs)

    assert set(caught.value.path) == path
    assert doctor.run(conn) == []


def test_needs_are_added_and_removed(conn: Connection) -> None:
    made = make_workflow(conn)

    workflows.add_need(conn, workflow_id=made.id, step="lint", needs="build")
    with pytest.raises(IntegrityError), conn.transaction():
        workflows.add_need(conn, workflow_id=made.id, step="lint", needs="build")
    workflows.remove_need(conn, workflow_id=made.id, step="deploy", needs="test")

    assert graph(conn, made.id) == {
        "build": [],
        "lint": ["build"],
        "test": ["build"],
        "deploy": ["lint"],
    }
    with pytest.raises(NotFoundError):
        workflows.remove_need(conn, workflow_id=made.id, step="deploy", needs="test")
    with pytest.raises(NotFoundError):
        workflows.add_need(conn, workflow_id=made.id, step="deploy", needs="nothing")


def test_a_need_stays_within_its_workflow(conn: Connection) -> None:
    made, other = make_workflow(conn), make_workflow(conn, "other")
    ours, theirs = by_key(conn, made.id)["lint"], by_key(conn, other.id)["build"]
    statement = (
        b"insert into workflow_step_needs (workflow_id, step_id, needs_id) values ($1, $2, $3)"
    )

    for workflow in (made, other):
        with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
            conn.execute(statement, [workflow.id, ours.id, theirs.id])
    with pytest.raises(psycopg.DatabaseError, match="cannot be changed"), conn.transaction():
        conn.execute(b"update workflow_step_needs set needs_id = step_id")
    assert graph(conn, made.id) == graph(conn, other.id)


def test_a_step_is_deleted_and_no_longer_needed(conn: Connection) -> None:
    made = make_workflow(conn)

    workflows.delete_step(conn, workflow_id=made.id, key="test")

    assert graph(conn, made.id) == {"build": [], "lint": [], "deploy": ["lint"]}
    with pytest.raises(NotFoundError):
        workflows.delete_step(conn, workflow_id=made.id, key="test")


def test_update_of_a_step_with_none_empties_a_field_and_without_it_leaves_it(
    conn: Connection,
) -> None:
    made = make_workflow(conn)

    workflows.update_step(conn, workflow_id=made.id, key="deploy", title=None, position=1)

    step = by_key(conn, made.id)["deploy"]
    assert (step.title, step.position) == (None, 1)
    assert step.configuration == {"environment": "production"}
    with pytest.raises(NotFoundError):
        workflows.update_step(conn, workflow_id=made.id, key="nothing", position=1)


@pytest.mark.slow
@pytest.mark.parametrize("closes", [False, True])
def test_a_chain_and_a_lattice_of_steps_are_checked_in_linear_time(
    conn: Connection, closes: bool
) -> None:
    """Two thousand steps in a chain, and forty layers of diamonds: paths without number."""
    chain = [
        NewStep(key=f"c{n}", step_type="job", needs=[f"c{n - 1}"] if n else []) for n in range(2000)
    ]
    lattice = [
        NewStep(
            key=f"l{n}-{side}",
            step_type="job",
            needs=[f"l{n - 1}-{other}" for other in (0, 1)] if n else [],
        )
        for n in range(40)
        for side in (0, 1)
    ]
    if closes:
        lattice[0].needs.append("l39-1")
    conn.execute(b"set local statement_timeout = '5s'")

    if closes:
        with pytest.raises(CircularDependencyError):
            workflows.create(conn, NewWorkflow(name="large"), chain + lattice)
    else:
        made = workflows.create(conn, NewWorkflow(name="large"), chain + lattice)
        assert len(workflows.list_steps(conn, made.id)) == 2080


# The CI job graphs of real repositories


def ci_files() -> list[Path]:
    return sorted((DATA / "gha").rglob("*.yml"))


def ci_steps(document: dict[str, Any]) -> Iterator[NewStep]:
    """The jobs of a GitHub Actions file; what they run stays in their configuration."""
    for key, job in document["jobs"].items():
        needs = job.get("needs", [])
        yield NewStep(
            key=key,
            step_type="job",
            title=job.get("name"),
            needs=[needs] if isinstance(needs, str) else needs,
            configuration={"runs-on": str(job.get("runs-on")), "if": str(job.get("if"))},
            on_error=ErrorPolicy.CONTINUE
            if job.get("continue-on-error") is True
            else ErrorPolicy.STOP,
            timeout=timedelta(minutes=job.get("timeout-minutes", 360)),
        )


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("file", ci_files(), ids=lambda file: str(file.relative_to(DATA)))
def test_a_real_ci_job_graph_goes_in_and_runs_wave_by_wave(conn: Connection, file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    steps = list(ci_steps(document))
    made = workflows.create(conn, NewWorkflow(name=document["name"]), steps)
    workflows.activate(conn, made.id)
    run = executions.start_execution(conn, made.id)

    waves = 0
    while ready := executions.next_steps(conn, run.id):
        waves += 1
        for step in ready:
            begun = executions.start_step(conn, execution_id=run.id, step=step.key)
            executions.complete_step(
                conn, execution_id=run.id, step=step.key, attempt=begun.attempt
            )
    executions.complete_execution(conn, run.id)

    assert graph(conn, made.id) == {step.key: sorted(step.needs) for step in steps}
    figures = stats()[str(file.relative_to(DATA))]
    assert (len(steps), sum(len(step.needs) for step in steps)) == (
        figures["jobs"],
        figures["needs"],
    )
    assert waves == figures["graph"]["chain"]
    assert {step.status for step in executions.list_steps(conn, run.id)} == {"completed"}
    assert doctor.run(conn) == []
