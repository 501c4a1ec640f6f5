"""Specifications: document 1's examples, what is refused, and what leaves the server."""

from __future__ import annotations

import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.errors import (
    CircularDependencyError,
    IntegrityError,
    InvalidTransitionError,
    NotFoundError,
    ValidationError,
)
from taskdb.models import NewImplementationTask, PhaseStatus, SpecStatus, SpecType
from taskdb.queries import claims, dependencies, implementation_tasks, specs, tasks

Connection = psycopg.Connection[Any]

MARKDOWN = """# SPEC-116: User Authentication

## Overview
Complete authentication system...
"""

AUTHENTICATION: dict[str, Any] = {
    "overview": "High-level system description...",
    "phases": [
        {
            "number": 1,
            "name": "database-layer",
            "description": "Create database models and migrations",
            "hours": 2.0,
            "content": "## Phase 1: Database Layer\n\n### Models\n...",
        },
        {
            "number": 2,
            "name": "api-layer",
            "description": "Implement REST API endpoints",
            "hours": 3.0,
            "content": "## Phase 2: API Layer\n\n### Endpoints\n...",
        },
    ],
    "architecture": "Overall architecture decisions...",
    "technology_stack": "Python, FastAPI, PostgreSQL...",
}


def make_spec(conn: Connection, number: int = 116, **more: Any) -> str:
    """A hierarchical specification; its key."""
    return specs.create(
        conn,
        spec_number=number,
        title="User Authentication",
        roadmap_item_id="US-116",
        spec_type=SpecType.HIERARCHICAL,
        structure=AUTHENTICATION,
        **more,
    ).key


def phases_of(*phases: dict[str, Any]) -> dict[str, Any]:
    return {"phases": list(phases)}


# Document 1's usage examples


def test_monolithic_specification_is_stored_whole(conn: Connection) -> None:
    made = specs.create(conn, spec_number=116, title="User Authentication", content=MARKDOWN)

    assert made.key == "SPEC-116"
    assert made.status is SpecStatus.DRAFT
    assert specs.get_by_key(conn, key="SPEC-116").content == MARKDOWN
    assert specs.get_by_number(conn, spec_number=116) == specs.get(conn, id=made.id)


def test_hierarchical_specification_is_read_phase_by_phase(conn: Connection) -> None:
    make_spec(conn)

    spec = specs.get_by_roadmap_item(conn, roadmap_item_id="US-116")
    assert spec.structure == AUTHENTICATION
    assert spec.content is None
    assert (spec.total_phases, spec.phase_files) == (2, ["database-layer", "api-layer"])
    first = specs.get_phase(conn, key=spec.key)
    assert first.content == "## Phase 1: Database Layer\n\n### Models\n..."
    assert specs.get_phase(conn, key=spec.key, name="api-layer").number == 2
    assert specs.get_phase(conn, key=spec.key, number=2).hours == Decimal("3.0")
    assert [phase.name for phase in specs.list_phases(conn, key=spec.key)] == spec.phase_files
    with pytest.raises(NotFoundError):
        specs.get_phase(conn, key=spec.key, name="frontend")


def test_an_architect_makes_tasks_and_a_developer_implements_them(conn: Connection) -> None:
    specs.create(
        conn,
        spec_number=116,
        title="User Authentication",
        spec_type=SpecType.HIERARCHICAL,
        structure=phases_of(
            {"name": "database-layer", "hours": 2, "content": "Models"},
            {"name": "api-layer", "hours": 3, "content": "Endpoints"},
        ),
    )
    for key, scope, files in (
        ("TASK-116-1", "database-layer", ["coffee_maker/models/user.py", "migrations/001.py"]),
        ("TASK-116-2", "api-layer", ["coffee_maker/api/auth.py", "tests/test_auth_api.py"]),
    ):
        implementation_tasks.create(
            conn, key=key, spec="SPEC-116", scope=scope, assigned_files=files
        )
    pending = implementation_tasks.list_ready(conn, spec="SPEC-116")
    claim = claims.claim(conn, key=pending[0].key, agent="code_developer")
    assert claim

    assert specs.get_phase_for_task(conn, key=claim.key).content == "Models"
    implementation_tasks.complete(
        conn, task_id=claim.task_id, token=claim.token, commit_sha="abc123", actual_hours=Decimal(1)
    )
    implementation_tasks.record_merge(conn, key=claim.key, merge_commit_sha="def456")

    done = implementation_tasks.get(conn, key="TASK-116-1")
    assert done.status == "completed"
    assert (done.commit_sha, done.merge_commit_sha) == ("abc123", "def456")
    assert done.branch_name == "roadmap-implementation_task-TASK-116-1"
    assert done.merged_at is not None
    progress = specs.progress(conn, key="SPEC-116")
    assert (progress.task_count, progress.completed_count, progress.merged_count) == (2, 1, 1)
    assert progress.progress_pct == 50
    assert (progress.phase_hours, progress.task_actual_hours) == (Decimal(5), Decimal(1))


def test_specification_and_tasks_are_made_in_one_statement(conn: Connection) -> None:
    wanted = [
        NewImplementationTask(scope="database-layer", assigned_files=["a.py"]),
        NewImplementationTask(scope="api-layer", key="API", estimated_hours=Decimal("1.5")),
    ]

    made = specs.create_with_tasks(
        conn,
        title="Login",
        spec_number=7,
        spec_type=SpecType.HIERARCHICAL,
        structure=AUTHENTICATION,
        tasks=wanted,
        chained=True,
    )

    assert made.task_keys == ["TASK-7-1", "API"]
    second = tasks.get_by_key(conn, key="API")
    assert (second.status, second.estimated_hours) == ("blocked", Decimal("1.5"))
    assert second.title == "Login: api-layer"


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (NewImplementationTask(scope="frontend"), "scope"),
        (NewImplementationTask(scope="api-layer", key="TASK-7-1"), "key"),
        (
            NewImplementationTask(
                scope="api-layer", branch_name="roadmap-implementation_task-TASK-7-1"
            ),
            "branch_name",
        ),
    ],
)
def test_a_failure_among_the_tasks_leaves_nothing(
    conn: Connection, broken: NewImplementationTask, field: str
) -> None:
    with pytest.raises(IntegrityError) as refused, conn.transaction():
        specs.create_with_tasks(
            conn,
            title="Login",
            spec_number=7,
            spec_type=SpecType.HIERARCHICAL,
            structure=AUTHENTICATION,
            tasks=[NewImplementationTask(scope="database-layer"), broken],
        )

    assert refused.value.field == field
    assert specs.list_specs(conn) == []
    assert tasks.list_tasks(conn) == []


def test_splitting_makes_a_task_a_phase_chained_if_asked(conn: Connection) -> None:
    key = make_spec(conn)

    made = implementation_tasks.split_into_tasks(conn, spec=key, chained=True)

    assert [(task.key, task.scope) for task in made] == [
        ("TASK-116-1", "database-layer"),
        ("TASK-116-2", "api-layer"),
    ]
    assert [task.key for task in implementation_tasks.list_ready(conn, spec=key)] == ["TASK-116-1"]
    (gate,) = dependencies.why_not_ready(conn, key="TASK-116-2")
    assert gate.blocker_key == "TASK-116-1"
    assert tasks.get_by_key(conn, key="TASK-116-2").estimated_hours == 3
    assert implementation_tasks.split_into_tasks(conn, spec=key) == []


def test_splitting_what_has_no_phases_is_refused(conn: Connection) -> None:
    specs.create(conn, spec_number=1, title="Whole", content="text")

    with pytest.raises(ValidationError) as refused:
        implementation_tasks.split_into_tasks(conn, spec="SPEC-1")
    assert refused.value.field == "spec"
    with pytest.raises(NotFoundError):
        implementation_tasks.split_into_tasks(conn, spec="SPEC-99")


def test_a_task_that_exists_becomes_part_of_a_specification(conn: Connection) -> None:
    key = make_spec(conn)
    tasks.create(conn, key="T", title="Models")

    implementation_tasks.adopt(conn, key="T", spec=key, scope="database-layer")

    assert implementation_tasks.get(conn, key="T").spec_key == key
    with pytest.raises(NotFoundError):
        implementation_tasks.adopt(conn, key="U", spec=key, scope="database-layer")


async def test_the_same_functions_serve_async_code(aconn: psycopg.AsyncConnection[Any]) -> None:
    made = await specs.create_with_tasks(
        aconn, title="Login", content="text", tasks=[NewImplementationTask(scope="all")]
    )

    assert made.task_keys == [f"TASK-{made.spec_number}-1"]
    with pytest.raises(ValidationError):
        await implementation_tasks.split_into_tasks(aconn, spec=made.key)


# Changes


def test_update_changes_what_is_given(conn: Connection) -> None:
    key = make_spec(conn)

    changed = specs.update(
        conn,
        key=key,
        title="Login",
        phase=2,
        current_phase_status=PhaseStatus.IN_PROGRESS,
        updated_by="ada",
    )

    assert (changed.title, changed.phase, changed.updated_by) == ("Login", 2, "ada")
    assert changed.roadmap_item_id == "US-116"
    with pytest.raises(ValidationError) as refused:
        specs.update(conn, key=key, phase=3)
    assert refused.value.field == "phase"


def test_a_monolithic_specification_becomes_hierarchical(conn: Connection) -> None:
    key = specs.create(conn, title="Login", content="text").key

    changed = specs.update(
        conn, key=key, spec_type=SpecType.HIERARCHICAL, content=None, structure=AUTHENTICATION
    )

    assert changed.total_phases == 2


def test_a_phase_with_tasks_stays_and_so_does_the_type(conn: Connection) -> None:
    key = make_spec(conn)
    implementation_tasks.create(conn, spec=key, key="T", scope="api-layer")
    only_api = phases_of({"number": 2, "name": "api-layer"})

    specs.update(conn, key=key, structure=only_api)
    with pytest.raises(IntegrityError) as refused, conn.transaction():
        specs.update(conn, key=key, structure=phases_of({"name": "rest-layer"}))
    assert refused.value.field == "scope"
    with pytest.raises(IntegrityError), conn.transaction():
        specs.update(conn, key=key, spec_type=SpecType.MONOLITHIC, content="text", structure=None)

    assert specs.get_by_key(conn, key=key).structure == only_api
    assert [phase.name for phase in specs.list_phases(conn, key=key)] == ["api-layer"]


def test_statuses_move_as_the_table_says(conn: Connection) -> None:
    key = make_spec(conn)

    specs.update_status(conn, key=key, status=SpecStatus.APPROVED, updated_by="ada")
    started = specs.update_status(conn, key=key, status=SpecStatus.IN_PROGRESS)
    assert started.started_at is not None
    assert started.updated_by == "ada"
    with pytest.raises(InvalidTransitionError) as refused:
        specs.update_status(conn, key=key, status=SpecStatus.DRAFT)
    assert "approved, completed, archived" in str(refused.value)


def test_deleting_a_specification_deletes_its_tasks_and_the_other_way_round(
    conn: Connection,
) -> None:
    key = make_spec(conn)
    implementation_tasks.split_into_tasks(conn, spec=key)
    other = tasks.create(conn, key="other", title="Not of it")
    conn.execute(
        "delete from implementation_tasks where task_id = "
        "(select id from tasks where key = 'TASK-116-1')"
    )
    assert {task.key for task in tasks.list_tasks(conn)} == {"other", "TASK-116-2"}

    specs.delete(conn, key=key)

    assert [task.id for task in tasks.list_tasks(conn)] == [other.id]
    with pytest.raises(NotFoundError):
        specs.delete(conn, key=key)


def test_deleting_a_task_leaves_the_specification(conn: Connection) -> None:
    key = make_spec(conn)
    implementation_tasks.split_into_tasks(conn, spec=key)

    tasks.delete(conn, key="TASK-116-1")

    assert [task.key for task in implementation_tasks.list_tasks(conn, spec=key)] == ["TASK-116-2"]


def test_an_implementation_task_stays_with_its_task(conn: Connection) -> None:
    key = make_spec(conn)
    implementation_tasks.create(conn, spec=key, key="T", scope="api-layer")
    other = tasks.create(conn, title="Other")

    with pytest.raises(psycopg.Error, match="keeps its task"):
        conn.execute("update implementation_tasks set task_id = $1", (other.id,))


# Dependencies between specifications


def test_dependencies_are_listed_both_ways_and_have_no_cycle(conn: Connection) -> None:
    for number in (1, 2, 3):
        make_spec(conn, number)
    specs.add_dependency(conn, spec="SPEC-2", depends_on="SPEC-1")
    specs.add_dependency(conn, spec="SPEC-3", depends_on="SPEC-2")
    specs.add_dependency(conn, spec="SPEC-3", depends_on="SPEC-2")

    assert [spec.key for spec in specs.list_dependencies(conn, key="SPEC-2")] == ["SPEC-1"]
    assert [spec.key for spec in specs.list_dependents(conn, key="SPEC-2")] == ["SPEC-3"]
    with pytest.raises(CircularDependencyError) as refused, conn.transaction():
        specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-3")
    assert refused.value.path == ("SPEC-1", "SPEC-3", "SPEC-2", "SPEC-1")
    with pytest.raises(CircularDependencyError), conn.transaction():
        specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-1")

    specs.remove_dependency(conn, spec="SPEC-2", depends_on="SPEC-1")
    specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-3")
    with pytest.raises(NotFoundError):
        specs.remove_dependency(conn, spec="SPEC-2", depends_on="SPEC-1")
    with pytest.raises(NotFoundError):
        specs.add_dependency(conn, spec="SPEC-1", depends_on="SPEC-99")


# Search, and what leaves the server


def test_words_are_found_in_titles_and_phases(conn: Connection) -> None:
    make_spec(conn, 1)
    specs.create(conn, spec_number=2, title="Other endpoints", content="nothing of the kind")

    found = specs.find_specs(conn, words="endpoints")
    assert [match.key for match in found] == ["SPEC-2", "SPEC-1"]

    specs.update(conn, key="SPEC-1", structure=phases_of({"name": "a", "content": "pigeon"}))
    assert [match.key for match in specs.find_specs(conn, words="endpoints")] == ["SPEC-2"]
    assert [match.key for match in specs.find_specs(conn, words="pigeons")] == ["SPEC-1"]


@pytest.mark.slow
def test_five_megabytes_of_distinct_words_are_stored(conn: Connection) -> None:
    words = " ".join(f"w{number:x}" for number in range(800_000))
    assert len(words) > 5_000_000

    specs.create(conn, spec_number=1, title="Long", content=words)

    assert [match.key for match in specs.find_specs(conn, words="w1a2b")] == ["SPEC-1"]


def bytes_received(conn: Connection, work: Any) -> int:
    """Count the bytes that the server sends while *work* runs, by libpq's own trace."""
    conn.execute("select")
    with tempfile.NamedTemporaryFile() as log:
        conn.pgconn.trace(os.open(log.name, os.O_WRONLY))
        try:
            work()
        finally:
            conn.pgconn.untrace()
        lines = Path(log.name).read_text("utf-8", errors="replace").splitlines()
    parts = [line.split("\t") for line in lines]
    return sum(int(part[2]) for part in parts if len(part) > 3 and part[1] == "B")


def test_one_phase_leaves_the_server_and_no_more(conn: Connection) -> None:
    """Of a specification of 170 KB in 20 phases, one phase is about 8.5 KB."""
    content = "All work and no play. " * 386
    structure = phases_of(*({"name": f"p{n}", "content": content} for n in range(20)))
    specs.create(
        conn, spec_number=1, title="Big", spec_type=SpecType.HIERARCHICAL, structure=structure
    )
    implementation_tasks.create(conn, spec="SPEC-1", key="T", scope="p7")

    whole = bytes_received(conn, lambda: specs.get_by_key(conn, key="SPEC-1"))
    one = bytes_received(conn, lambda: specs.get_phase(conn, key="SPEC-1", name="p7"))
    of_task = bytes_received(conn, lambda: specs.get_phase_for_task(conn, key="T"))
    listed = bytes_received(conn, lambda: specs.list_specs(conn))

    assert whole > 170_000
    assert len(content) < one < len(content) + 1_000
    assert len(content) < of_task < len(content) + 1_000
    assert listed < 2_000
