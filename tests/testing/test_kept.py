"""Upkeep of the connection that the tests of `taskdb_conn` have in turn."""

from __future__ import annotations

import pytest

from taskdb.database.connections import open_connection
from taskdb.database.settings import Settings
from taskdb.testing import fixtures
from tests.plans import make_tasks


def test_rows_of_rolled_back_tests_are_vacuumed_now_and_then(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixtures, "TESTS_A_VACUUM", 2)
    kept = fixtures.KeptConnection()
    sizes = []
    conn = open_connection(Settings.read(database_url))
    for _ in range(2):
        with conn.transaction(force_rollback=True):
            make_tasks(conn, "a", "b")
        conn.reset()
        kept.put(conn)
        sizes += conn.execute("select pg_relation_size('tasks')").fetchall()
        conn.rollback()

    assert sizes == [(8192,), (0,)]
    conn.close()
