"""The kind of a plan: found in its files, or refused with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskdb.errors import ValidationError
from taskdb.exchange import detect, import_plan
from tests.exchange.loading import Conn


def test_an_unknown_kind_is_refused(conn: Conn, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="kind must be one of shark, shark-plan, "):
        import_plan(conn, "trello", tmp_path)


def test_a_path_that_is_no_text_is_refused(conn: Conn, tmp_path: Path) -> None:
    path = tmp_path / "\udcff.jsonl"
    path.write_text('{"id": "bd-1", "title": "x"}')

    with pytest.raises(ValidationError, match="path must be UTF-8"):
        import_plan(conn, "beads", path)


def test_the_kind_of_a_plan_shows_in_its_files(shark: Path, beads: Callable[..., Path]) -> None:
    tasks_json = shark / "tasks.json"
    tasks_json.write_text("{")

    assert detect(shark) == "shark"
    assert detect(beads({"id": "bd-1"})) == "beads"
    assert detect(str(tasks_json)) == "taskmaster"


@pytest.mark.parametrize(
    ("name", "reason"), [("", "folder without"), ("gone.json", "exist"), ("plan.md", "neither")]
)
def test_what_is_no_plan_is_refused_with_the_remedy(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "plan.md").write_text("# Plan")

    with pytest.raises(ValidationError, match=rf"{reason}.*Name a shark folder"):
        detect(tmp_path / name)
