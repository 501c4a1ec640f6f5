"""A strict import takes all of a plan or nothing, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskdb.exchange import Action, ImportRefusedError, import_plan
from taskdb.queries import tasks
from tests.exchange.loading import Conn, dump, on


def test_strict_refuses_the_whole_and_lists_every_reason(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    path = beads({"id": "bd-1", "status": "odd"}, {"id": "bd-2", "dependencies": on("bd-9")})
    before = dump(conn)

    with pytest.raises(ImportRefusedError) as refusal:
        import_plan(conn, "beads", path, strict=True)

    assert dump(conn) == before
    report = refusal.value.report
    assert [finding.action for finding in report.findings] == [Action.CHANGED, Action.REFUSED]
    assert (report.taken, report.remarks) == ({}, ["strict: nothing was imported"])
    assert "1 rows to change and 1 to refuse" in str(refusal.value)
    for finding in report.findings:
        assert finding.as_text() in str(refusal.value)


def test_the_error_of_a_strict_import_lists_the_first_findings_and_counts_the_rest(
    conn: Conn, beads: Callable[..., Path]
) -> None:
    path = beads(*({"id": f"bd-{number}", "status": "odd"} for number in range(60)))

    with pytest.raises(ImportRefusedError, match="and 10 more") as refusal:
        import_plan(conn, "beads", path, strict=True)

    assert len(refusal.value.report.findings) == 60


def test_strict_counts_what_the_database_holds(conn: Conn, beads: Callable[..., Path]) -> None:
    tasks.create(conn, key="bd-1", title="Mine")

    with pytest.raises(ImportRefusedError, match="its key is taken"):
        import_plan(conn, "beads", beads({"id": "bd-1"}), strict=True)


def test_strict_takes_a_clean_plan(conn: Conn, shark: Path) -> None:
    assert import_plan(conn, "shark", shark, strict=True).taken["tasks"] == 4
