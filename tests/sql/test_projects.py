"""Projects, modifications and templates: the usage of document 3, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import IsolationLevel, sql
from psycopg.errors import SerializationFailure

from taskdb.database import connect
from taskdb.errors import (
    IntegrityError,
    NotFoundError,
    ValidationError,
    VersionConflictError,
    translate,
)
from taskdb.models import ModificationStatus, ProjectStatus, ProjectSummary
from taskdb.queries import epics, modifications, projects, templates
from taskdb.testing.databases import Databases
from tests.interleave import LEVELS, READ_COMMITTED, Session, wait_blocked
from tests.sql.made_projects import CANARY, Connection, make_approved, make_project

ODD_PATHS = ["", "0", "-1", "a/b.py", "a.b", "{a,b}", '"quoted"', "back\\slash", "ä\u2028", "$.x"]


def test_projects_of_an_owner_are_listed_by_status_and_found_by_file_content(
    conn: Connection,
) -> None:
    api = make_project(conn, codebase={"requirements.txt": "fastapi", "main.py": "1"})
    make_project(conn, "old", status=ProjectStatus.ARCHIVED, codebase={"requirements.txt": "flask"})

    active = projects.list_projects(conn, owner_id="ann", status=ProjectStatus.ACTIVE)
    with_fastapi = projects.find_by_files(conn, {"requirements.txt": "fastapi"})

    assert active == with_fastapi == [api]


# Projects


def test_a_project_is_read_changed_and_deleted_and_leaves_its_plans(conn: Connection) -> None:
    project = make_project(conn, test_coverage=Decimal("87.5"), dependencies=["fastapi", "psycopg"])
    epics.create(conn, key="E04", title="Build it", project_id=project.id)

    changed = projects.update(conn, project.id, version=1, name="store", test_coverage=None)

    assert (changed.name, changed.test_coverage, changed.version) == ("store", None, 2)
    assert changed.dependencies == ["fastapi", "psycopg"]
    assert changed.updated_at > project.updated_at
    assert [epic.key for epic in epics.list_epics(conn, project_id=project.id)] == ["E04"]
    assert projects.delete(conn, project.id) == project.id
    assert epics.get_by_key(conn, "E04").project_id is None
    with pytest.raises(NotFoundError):
        projects.get(conn, project.id)


def test_modifications_and_secrets_go_with_their_project(conn: Connection) -> None:
    project, other = make_project(conn), make_project(conn, "other")
    for each in (project, other):
        modifications.request(conn, project_id=each.id, request="Add it", requested_by="ann")
        projects.set_environment(conn, each.id, variables={"TOKEN": "x"})

    projects.delete(conn, project.id)

    assert [row.project_id for row in modifications.list_modifications(conn)] == [other.id]
    assert projects.find_by_variable(conn, "TOKEN") == [other.id]


def test_a_change_of_a_version_that_is_past_changes_nothing(conn: Connection) -> None:
    project = make_project(conn)
    projects.update(conn, project.id, version=1, name="first")

    with pytest.raises(VersionConflictError):
        projects.update(conn, project.id, version=1, name="second")

    assert projects.get(conn, project.id).name == "first"


def test_pages_follow_each_other_without_gap_or_overlap(conn: Connection) -> None:
    made = [make_project(conn, f"p{number}") for number in range(5)]

    first = projects.list_projects(conn, type="api", limit=3)
    last = first[-1]
    second = projects.list_projects(
        conn, type="api", limit=3, after_created_at=last.created_at, after_id=last.id
    )

    assert [*first, *second] == made[::-1]
    assert {one.id for one in projects.list_changed(conn)} == {one.id for one in made}


def test_projects_are_found_by_dependencies_and_by_path(conn: Connection) -> None:
    project = make_project(conn, dependencies=["a", "b"], codebase={"a/b.py": ""})

    assert projects.find_by_dependencies(conn, ["b", "a"]) == [project]
    assert projects.find_by_dependencies(conn, ["a", "c"]) == []
    assert projects.find_by_path(conn, "a/b.py") == [project]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_path_is_any_text_and_exact(conn: Connection, path: str) -> None:
    project = make_project(conn, codebase={"other": "kept"})

    assert projects.put_file(conn, project.id, path=path, content="x\\n") == 2
    assert projects.get_file(conn, project.id, path=path) == "x\\n"
    assert {file.path for file in projects.list_files(conn, project.id)} == {path, "other"}
    assert projects.delete_file(conn, project.id, path=path) == 3
    assert projects.get(conn, project.id).codebase == {"other": "kept"}
    with pytest.raises(NotFoundError):
        projects.get_file(conn, project.id, path=path)
    with pytest.raises(NotFoundError):
        projects.delete_file(conn, project.id, path=path)


def test_one_file_of_two_megabytes_travels_alone(conn: Connection, tmp_path: Path) -> None:
    codebase = {f"src/{number}.py": f"{number:05}" * 400 for number in range(1000)}
    project = make_project(conn, codebase=codebase)

    def single(conn: Connection) -> None:
        projects.put_file(conn, project.id, path="src/1.py", content="new")
        projects.get_file(conn, project.id, path="src/2.py")
        projects.delete_file(conn, project.id, path="src/3.py")

    assert traffic(conn, tmp_path, lambda conn: projects.get(conn, project.id)) > 2_000_000
    assert traffic(conn, tmp_path, single) < 8_000


def traffic(conn: Connection, folder: Path, act: Callable[[Connection], object]) -> int:
    """The bytes that *act* sends and receives, as libpq's trace tells: a line a message."""
    with (folder / "trace").open("w+b") as file:
        conn.pgconn.trace(file.fileno())
        act(conn)
        conn.pgconn.untrace()
        file.seek(0)
        return sum(map(int, re.findall(rb"(?m)^(?:[^\t]*\t)?[BF]\t(\d+)\t", file.read())))


# Plans


@pytest.fixture(scope="module")
def many(databases: Databases, template: str) -> Generator[Connection]:
    """A database of 20,000 projects, analyzed."""
    url = databases.clone(template)
    with connect(url, autocommit=True) as connection:
        connection.execute(FILL)
        connection.execute("vacuum analyze project_contexts")
        yield connection
    databases.drop(url)


FILL = """
    insert into project_contexts (name, type, status, owner_id, codebase, dependencies)
    select
        'p' || n,
        't' || n % 50,
        (array['active', 'archived', 'deleted'])[1 + n % 3]::shared.project_status,
        'owner-' || n % 500,
        jsonb_build_object('main.py', 'v' || n % 5000, 'file-' || n % 4000, 'x'),
        array['base', 'dep-' || n % 4000]
    from generate_series(1, 20000) as n
"""

SEARCHES: list[tuple[Callable[[Connection], list[ProjectSummary]], str]] = [
    (lambda conn: projects.find_by_files(conn, {"main.py": "v7"}), "by_codebase"),
    (lambda conn: projects.find_by_path(conn, "file-7"), "by_codebase"),
    (lambda conn: projects.find_by_dependencies(conn, ["dep-7"]), "by_dependencies"),
    (lambda conn: projects.list_projects(conn, owner_id="owner-7"), "by_owner"),
    (lambda conn: projects.list_projects(conn, type="t7"), "by_type"),
    (projects.list_projects, "by_creation"),
    (projects.list_changed, "by_change"),
    (
        lambda conn: projects.list_projects(conn, owner_id="owner-7", status=ProjectStatus.ACTIVE),
        "by_owner_and_status",
    ),
]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(("search", "index"), SEARCHES)
def test_the_indexes_are_used_with_and_without_knowing_the_arguments(
    many: Connection,
    mode: str,
    search: Callable[[Connection], list[ProjectSummary]],
    index: str,
) -> None:
    with many.transaction(force_rollback=True):
        many.execute(f"set local plan_cache_mode = {mode}".encode())
        before = scans(many)
        assert search(many)
        after = scans(many)

    assert after["project_contexts"] == before["project_contexts"]
    # One owner's few projects: either index of owners will do.
    used = [name for name in after if after[name] > before[name]]
    assert [name.startswith(f"project_contexts_{index}") for name in used] == [True]


def scans(conn: Connection) -> dict[str, int]:
    """Count this transaction's scans of the table, and of each of its indexes."""
    rows = conn.execute(
        "select relname, pg_stat_get_xact_numscans(oid) from pg_class "
        "where relname like 'project_contexts%'"
    )
    return dict(rows.fetchall())


# Races


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("first", ["apply", "put"])
def test_of_two_changes_at_once_the_second_is_refused(
    database_url: str, level: IsolationLevel, first: str
) -> None:
    with connect(database_url, autocommit=True) as conn:
        project = make_project(conn, codebase={"a": "0"})
        one, two = (make_approved(conn, project.id) for _ in range(2))

    def put(conn: Connection) -> None:
        projects.put_file(conn, project.id, path="a", content="1")

    def apply(conn: Connection, id: UUID, content: str) -> None:
        modifications.apply(conn, id, modified_files={"a": content})

    with (
        Session(database_url, isolation=level, name="first") as a,
        Session(database_url, isolation=level, name="second") as b,
    ):
        a.run("changes", put if first == "put" else lambda conn: apply(conn, one, "1"))
        step = b.start("applies", lambda conn: apply(conn, two, "2"))
        wait_blocked(b, by=a)
        a.commit()
        lost = step.error()
        b.rollback()
        again = b.start("applies again", lambda conn: apply(conn, two, "2")).error()
        b.rollback()

    expected = VersionConflictError if level == READ_COMMITTED else SerializationFailure
    assert isinstance(lost, expected)
    assert isinstance(again, VersionConflictError)
    with connect(database_url) as conn:
        assert projects.get(conn, project.id).codebase == {"a": "1"}
        assert modifications.get(conn, two).status == ModificationStatus.APPROVED


# Refusals


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"status": "gone"}, "status", "must be one of active, archived, deleted"),
        ({"test_coverage": Decimal(101)}, "test_coverage", "must be between 0 and 100"),
        ({"security_score": Decimal(-1)}, "security_score", "must be between 0 and 100"),
        ({"codebase": ["a"]}, "codebase", "must be a dict"),
        ({"codebase": {"a": 1}}, "codebase", "must be a JSON object of texts"),
        ({"deployment_config": [1]}, "deployment_config", "must be a dict"),
        ({"dependencies": ["a", ""]}, "dependencies", "must have no empty names"),
    ],
)
def test_a_project_that_breaks_a_rule_is_refused_by_name(
    conn: Connection, given: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule) as refused, conn.transaction():
        make_project(conn, **given)

    assert str(refused.value.field).startswith(field)
    assert projects.list_projects(conn) == []


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("codebase", '["a"]', "must be a JSON object of texts"),
        ("codebase", '{"a": ["b"]}', "must be a JSON object of texts"),
        ("performance_score", "101", "must be 0 to 100 inclusive"),
        ("deployment_config", "[]", "must be a JSON object"),
    ],
)
def test_the_server_has_the_same_rules(
    conn: Connection, column: str, value: str, rule: str
) -> None:
    make_project(conn)
    change = sql.SQL("update project_contexts set {} = {}")
    with pytest.raises(psycopg.errors.CheckViolation) as refused, conn.transaction():
        conn.execute(change.format(sql.Identifier(column), sql.Literal(value)))

    assert rule in str(translate(refused.value))


def test_what_names_no_project_is_refused(conn: Connection) -> None:
    with pytest.raises(IntegrityError) as refused, conn.transaction():
        modifications.request(conn, project_id=uuid4(), request="x", requested_by="ann")
    with pytest.raises(IntegrityError) as epic_refused, conn.transaction():
        epics.create(conn, key="E04", title="Epic", project_id=uuid4())

    assert (refused.value.field, epic_refused.value.field) == ("project_id", "project_id")
    for act in (
        lambda: projects.put_file(conn, uuid4(), path="a", content=""),
        lambda: projects.environment(conn, uuid4()),
        lambda: projects.set_environment(conn, uuid4(), variables={"A": CANARY}),
        lambda: modifications.approve(conn, uuid4()),
        lambda: modifications.apply(conn, uuid4(), modified_files={}),
        lambda: templates.instantiate(conn, uuid4(), name="x", owner_id="a", variables={}),
    ):
        with pytest.raises(NotFoundError) as missing:
            act()
        assert CANARY not in str(missing.value)
