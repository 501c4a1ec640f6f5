"""Cost of edges, in rows read: near linear, whatever the statistics say."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from taskdb.admin import doctor
from taskdb.database import connect
from taskdb.models import NewTask
from taskdb.queries import tasks
from tests.rows_read import rows_read

Connection = psycopg.Connection[Any]


def load(conn: Connection, names: list[str], edges: set[tuple[str, str]]) -> int:
    """Load a plan in its own transaction; return what that read."""
    with conn.transaction():
        tasks.create_many(
            conn,
            [
                NewTask(key=name, title=name, priority=1 + number % 10)
                for number, name in enumerate(names)
            ],
        )
        ids = {row.key: row.id for row in tasks.ids_by_key(conn, keys=names)}
        before = rows_read(conn)
        conn.execute(
            b"insert into task_dependencies (task_id, depends_on_id)"
            b" select * from unnest(cast($1 as uuid[]), cast($2 as uuid[]))",
            ([ids[task] for task, _ in edges], [ids[blocker] for _, blocker in edges]),
        )
        return rows_read(conn) - before


def random_plan(size: int) -> tuple[list[str], set[tuple[str, str]]]:
    """Twice as many edges as tasks, in an order that is not the order of work."""
    chance = random.Random(size)
    order = [f"n{number}" for number in range(size)]
    names = sorted(order)
    chance.shuffle(order)
    edges = {
        (order[later], order[chance.randrange(later)])
        for later in (chance.randrange(1, size) for _ in range(2 * size))
    }
    return names, edges


def deep_plan(size: int) -> tuple[list[str], set[tuple[str, str]]]:
    names = [f"n{number}" for number in range(size)]
    return names, {
        (names[number], names[number - distance])
        for number in range(size)
        for distance in (1, 7, 150)
        if number >= distance
    }


@pytest.mark.slow
@pytest.mark.parametrize("plan", [random_plan, deep_plan])
def test_a_load_reads_as_much_as_it_brings_even_with_statistics_of_another_plan(
    database_url: str, plan: Any
) -> None:
    """A milestone waits for 2,000 tasks when the statistics are taken; then comes another plan."""
    with connect(database_url) as conn:
        conn.autocommit = True
        blockers = [f"b{number}" for number in range(2000)]
        load(conn, ["milestone", *blockers], {("milestone", blocker) for blocker in blockers})
        conn.execute(b"analyze tasks")
        conn.execute(b"analyze task_dependencies")
        read = {}
        for size in (500, 2000):
            conn.execute(b"delete from tasks")
            names, edges = plan(size)
            read[size] = load(conn, names, edges) / (len(names) + len(edges))
        assert read[2000] < 1.5 * read[500]
        assert read[2000] < 60
        assert doctor.run(conn) == []
