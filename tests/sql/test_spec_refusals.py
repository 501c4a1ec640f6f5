"""Specifications: what is refused, and by which name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from taskdb.errors import IntegrityError, TaskdbError, ValidationError
from taskdb.models import SpecType
from taskdb.queries import implementation_tasks, specs, tasks
from tests.sql.test_specs import AUTHENTICATION, Connection, make_spec, phases_of

# Refusals, and the names in them


@pytest.mark.parametrize(
    ("structure", "field", "rule"),
    [
        ({}, "structure.phases", "must be a list of at least one phase"),
        ({"phases": {}}, "structure.phases", "must be a list of at least one phase"),
        ({"phases": []}, "structure.phases", "must be a list of at least one phase"),
        ({"overview": 1, "phases": [{"name": "a"}]}, "structure.overview", "must be text"),
        ({"phases": ["a"]}, "structure.phases[0]", "must be an object"),
        (
            phases_of({"hours": 1}),
            "structure.phases[0].name",
            "must be text of 1 to 200 characters",
        ),
        (
            phases_of({"name": "a"}, {"name": ""}),
            "structure.phases[1].name",
            "must be text of 1 to 200 characters",
        ),
        (
            phases_of({"name": "a"}, {"name": "a"}),
            "structure.phases[1].name",
            "must be unique among the phases",
        ),
        (
            phases_of({"name": "a", "number": 2}, {"name": "b"}),
            "structure.phases[1].number",
            "must be unique among the phases",
        ),
        (
            phases_of({"name": "a", "number": 1.5}),
            "structure.phases[0].number",
            "must be a whole number from 0 to 9999",
        ),
        (
            phases_of({"name": "a", "number": -1}),
            "structure.phases[0].number",
            "must be a whole number from 0 to 9999",
        ),
        (phases_of({"name": "a", "hours": "2"}), "structure.phases[0].hours", "must be a number"),
        (
            phases_of({"name": "a", "hours": -1}),
            "structure.phases[0].hours",
            "must be from 0 to 999999",
        ),
        (phases_of({"name": "a", "content": []}), "structure.phases[0].content", "must be text"),
        (
            phases_of({"name": "a", "files": "a.py"}),
            "structure.phases[0].files",
            "must be a list of texts",
        ),
    ],
)
def test_structure_that_is_not_as_it_should_be_is_refused_by_its_place(
    conn: Connection, structure: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(ValidationError) as refused, conn.transaction():
        specs.create(conn, title="Broken", spec_type=SpecType.HIERARCHICAL, structure=structure)

    assert (refused.value.field, refused.value.rule) == (field, rule)
    assert specs.list_specs(conn) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"content": "text", "structure": AUTHENTICATION}, "structure"),
        ({}, "content"),
        ({"spec_type": "hierarchical", "content": "text"}, "content"),
        ({"spec_type": "hierarchical"}, "structure"),
        ({"spec_type": "modular", "content": "text"}, "spec_type"),
        ({"status": "done", "content": "text"}, "status"),
        ({"content": "text", "phase": 1}, "phase"),
        ({"content": "nul\0"}, "content"),
        ({"content": "text", "spec_number": 0}, "spec_number"),
        ({"content": "text", "estimated_hours": Decimal(-1)}, "estimated_hours"),
        ({"content": "text", "current_phase_status": "in_progress"}, "current_phase_status"),
    ],
)
def test_bad_input_is_refused_by_its_field(
    conn: Connection, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refused, conn.transaction():
        specs.create(conn, title="Broken", **given)

    assert refused.value.field == field


def test_a_number_is_taken_once_and_the_next_free_one_is_given(conn: Connection) -> None:
    conn.execute("alter sequence technical_spec_number restart")
    specs.create(conn, spec_number=1, title="By hand", content="text")

    with pytest.raises(IntegrityError) as refused, conn.transaction():
        specs.create(conn, spec_number=1, title="Again", content="text")

    assert refused.value.field == "spec_number"
    assert specs.create(conn, title="Numbered", content="text").key == "SPEC-2"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scope": "frontend"}, "scope"),
        ({"scope": "api-layer", "assigned_files": ["src/../a.py"]}, "assigned_files"),
        ({"scope": "api-layer", "assigned_files": ["./a.py"]}, "assigned_files"),
        ({"scope": "api-layer", "assigned_files": [""]}, "assigned_files"),
        ({"scope": "api-layer", "branch_name": "taken"}, "branch_name"),
        ({"scope": "api-layer", "key": "T"}, "key"),
    ],
)
def test_bad_task_is_refused_by_its_field(
    conn: Connection, given: dict[str, Any], field: str
) -> None:
    key = make_spec(conn)
    implementation_tasks.create(
        conn, spec=key, key="T", scope="database-layer", branch_name="taken"
    )

    with pytest.raises(TaskdbError) as refused, conn.transaction():
        implementation_tasks.create(conn, spec=key, **given)

    assert isinstance(refused.value, ValidationError | IntegrityError)
    assert refused.value.field == field
    assert [task.key for task in tasks.list_tasks(conn)] == ["T"]


def test_a_commit_is_hexadecimal(conn: Connection) -> None:
    key = make_spec(conn)
    implementation_tasks.create(conn, spec=key, key="T", scope="api-layer")

    with pytest.raises(ValidationError) as refused:
        implementation_tasks.record_merge(conn, key="T", merge_commit_sha="HEAD")

    assert refused.value.field == "merge_commit_sha"
