"""Time of `taskdb check` and `verify`: of the processor, here and in the server, not of a clock.

Measured alone on the machine of docs/benchmarks.md: see docs/checks.md.
"""

from __future__ import annotations

import time

import pytest

import taskdb
from taskdb import queries
from taskdb.cli import main
from taskdb.database import connect
from taskdb.testing.databases import Databases
from tests.clocks import median_ms, processor_clock, server_clock

CHECK_LIMIT_SECONDS = 20
VERIFY_LIMIT_MS = 200


@pytest.mark.timing
def test_the_whole_project_is_checked_in_twenty_seconds(
    databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    with databases.admin() as conn:
        server = server_clock(conn)
        began, began_there = time.process_time(), server()
        status = main(["--url", databases.admin_url, "check"])
        here, there = time.process_time() - began, server() - began_there

    found = capsys.readouterr()
    print(f"taskdb check: {here:.1f} s here, {there:.1f} s in the server")
    assert status == 0, found.out
    assert "looked at: " in found.out
    assert here + there < CHECK_LIMIT_SECONDS


@pytest.mark.timing
def test_a_service_verifies_its_queries_in_200_ms(shared_database_url: str) -> None:
    assert len(list(queries.query)) > 200  # Its modules are imported, as a service has done.
    with connect(shared_database_url) as conn:
        server = processor_clock(conn)

        taken = median_ms(lambda: taskdb.verify(conn), clock=lambda: time.process_time() + server())

    print(f"verify: {taken:.0f} ms, here and in the server")
    assert taken < VERIFY_LIMIT_MS
