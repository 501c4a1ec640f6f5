"""Templates of projects, and their variables."""

from __future__ import annotations

import pytest

from taskdb.errors import ValidationError
from taskdb.models import Complexity, ProjectStatus, TemplateCategory
from taskdb.queries import projects, templates
from tests.sql.made_projects import CANARY, Connection


def test_templates_are_found_by_category_stack_tags_and_complexity(conn: Connection) -> None:
    made = templates.create(
        conn,
        name="FastAPI service",
        category=TemplateCategory.API,
        files={"main.py": "app"},
        tech_stack=["FastAPI", "PostgreSQL"],
        tags=["rest", "async"],
        complexity=Complexity.SIMPLE,
        estimated_setup_time=5,
    )
    templates.create(conn, name="Page", category=TemplateCategory.WEB, files={"index.html": ""})

    for wanted in (
        {"category": TemplateCategory.API},
        {"complexity": Complexity.SIMPLE},
        {"tech_stack": ["FastAPI"]},
        {"tags": ["async", "rest"]},
        {"category": TemplateCategory.API, "tech_stack": ["PostgreSQL"], "tags": ["rest"]},
    ):
        assert [found.id for found in templates.search(conn, **wanted)] == [made.id]
    assert templates.search(conn, tech_stack=["FastAPI", "Django"]) == []
    assert [found.id for found in templates.find_by_path(conn, "main.py")] == [made.id]
    assert len(templates.search(conn)) == 2


def test_variables_are_put_in_literally_and_once(conn: Connection) -> None:
    files = {
        "a": "{{NAME}}{{NAME}}-{{PORT}}.",
        "b": "{{ NAME }} ${{ secrets.X }} {{OTHER}} {NAME}",
        "c": "",
        "d": "{{{NAME}}}",
    }
    template = templates.create(
        conn,
        name="t",
        category=TemplateCategory.API,
        files=files,
        required_vars=["NAME"],
        optional_vars=["PORT"],
    )

    for value in ("x", "{{PORT}}", "{{NAME}}", r"\1\0\\", "a&b$1", ""):
        made = templates.instantiate(
            conn, template.id, name="p", owner_id="ann", variables={"NAME": value}
        )
        assert projects.get(conn, made.id).codebase == {
            "a": f"{value}{value}-.",
            "b": files["b"],
            "c": "",
            "d": f"{{{value}}}",
        }
        assert (made.type, made.status) == ("api", ProjectStatus.ACTIVE)


def test_missing_and_unknown_variables_are_named(conn: Connection) -> None:
    template = templates.create(
        conn,
        name="t",
        category=TemplateCategory.API,
        files={},
        required_vars=["NAME", "PORT"],
    )

    with pytest.raises(ValidationError) as refused, conn.transaction():
        templates.instantiate(
            conn, template.id, name="p", owner_id="a", variables={"PORT": "1", "HOST": CANARY}
        )

    assert refused.value.field == "variables"
    assert refused.value.rule == "must give NAME and must not give HOST"
    assert CANARY not in str(refused.value)
    assert projects.list_projects(conn) == []


def test_a_template_is_changed_and_deleted(conn: Connection) -> None:
    template = templates.create(conn, name="t", category=TemplateCategory.API, files={})

    changed = templates.update(conn, template.id, tags=["x"], description=None)

    assert (changed.tags, changed.name) == (["x"], "t")
    assert templates.get(conn, template.id) == changed
    with pytest.raises(ValidationError, match="must not hold"), conn.transaction():
        templates.update(conn, template.id, required_vars=["A"], optional_vars=["A"])
    assert templates.delete(conn, template.id) == template.id
