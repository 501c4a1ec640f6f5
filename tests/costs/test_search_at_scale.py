"""Searches, filters and trees of many tasks are read by index."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from taskdb.admin import dataset
from taskdb.database import connect
from taskdb.models.types import TaskStatus
from taskdb.queries import epics, features, search, tasks
from taskdb.testing.databases import Databases
from tests.check.test_plan_check import fill
from tests.clocks import median_ms
from tests.costs.scale import Connection


def made_up(rank: int) -> str:
    """Return the word of the made-up plan that is this common, from 1 on."""
    digest = hashlib.md5(str(rank).encode()).hexdigest()[:7]
    return digest.translate(str.maketrans("0123456789abcdef", "aeioubdkmnprstlv"))


# Common, less common and rare words; conjunctions, alternatives, exclusions, beginnings.
SEARCHES = [
    "fix",
    "release",
    *map(made_up, (1, 2, 5, 10, 20, 50, 100, 200, 500, 5000)),
    f"fix {made_up(1)}",
    f"{made_up(1)} {made_up(2)}",
    "fix or add or test",
    f"document -{made_up(1)}",
    "re*",
    "nothing like it",
]


# Few have the words side by side, but many have both, and all of these are read.
RARE_PHRASE = f'"fix the {made_up(1)}"'


def filters(conn: Connection) -> dict[str, dict[str, Any]]:
    """Return each filter of list_tasks with something that is frequent, rare, or not there."""
    (epic, *_) = epics.list_epics(conn)
    (feature, *_) = features.list_features(conn, epic_id=epic.id)
    parent = next(row.parent_id for row in tasks.list_tasks(conn, limit=1000) if row.parent_id)
    now = datetime.now(UTC)
    return {
        "pending": {"status": TaskStatus.PENDING},
        "failed": {"status": TaskStatus.FAILED},
        "coder": {"agent_type": "coder"},
        "no such type": {"agent_type": "nobody"},
        "agent-7": {"assigned_agent": "agent-7"},
        "no such agent": {"assigned_agent": "nobody"},
        "priority 1": {"priority": 1},
        "at least 2": {"at_least": 2},
        "feature": {"feature_id": feature.id},
        "epic": {"epic_id": epic.id},
        "parent": {"parent_id": parent},
        "due": {"due_by": now},
        "due long ago": {"due_by": now - timedelta(days=9000)},
        "creator": {"created_by": "nobody"},
        "combined": {"epic_id": epic.id, "status": TaskStatus.PENDING, "agent_type": "coder"},
    }


def ask_much(conn: Connection) -> tuple[float, float]:
    """Return the milliseconds of the slowest search and of the slowest filter, first page."""
    searched = {
        words: median_ms(lambda words=words: search.find_tasks(conn, words=words))  # type: ignore[misc]
        for words in SEARCHES
    }
    listed = {
        name: median_ms(lambda given=given: tasks.list_tasks(conn, **given))  # type: ignore[misc]
        for name, given in filters(conn).items()
    }
    for name, taken in (searched | listed).items():
        print(f"\n{name}: {taken:.1f} ms")
    assert search.find_tasks(conn, words="fix")
    return max(searched.values()), max(listed.values())


@pytest.mark.timing
def test_searches_and_filters_are_quick(databases: Databases, template: str) -> None:
    url = databases.clone(databases.template("much_data", fill, base=template))
    with connect(url) as conn:
        slowest_search, slowest_filter = ask_much(conn)
    databases.drop(url)

    assert slowest_search < 200
    assert slowest_filter < 50


@pytest.mark.large
def test_a_million_tasks_are_searched_in_200_ms_and_filtered_in_50(databases: Databases) -> None:
    url = dataset.prepare(databases.admin_url, tasks=1_000_000, prefix=f"{databases.run}_plans")
    with connect(url) as conn:
        slowest_search, slowest_filter = ask_much(conn)
        phrase = median_ms(lambda: search.find_tasks(conn, words=RARE_PHRASE))
    print(f"\n{RARE_PHRASE}: {phrase:.1f} ms")

    assert slowest_search < 200
    assert slowest_filter < 50
    assert phrase < 1000


# Trees of 1,001 tasks: a root, and ten levels of a hundred below it.
TREES = """
with made as (
    insert into tasks (id, key, title, details_follow)
    select
        ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
        'tree-' || number,
        'One of a tree',
        true
    from generate_series(0, $1::int - 1) as number
)
insert into task_details (task_id, parent_id)
select
    ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
    case
        when place > 0 then (
            '00000000-0000-7000-8000-'
            || lpad(to_hex(number - case when place > 100 then 100 else place end), 12, '0')
        )::uuid
    end
from generate_series(0, $1::int - 1) as number
cross join lateral (select number % 1001 as place) as tree
"""


def descend(conn: Connection, count: int) -> float:
    """Return the milliseconds it takes to list the last root with all that is under it."""
    conn.execute("alter table tasks disable trigger user")
    psycopg.RawCursor(conn).execute(TREES, [count])
    conn.execute("alter table tasks enable trigger user")
    conn.commit()
    conn.execute("analyze")
    root = f"tree-{count - 1001}"
    nodes = tasks.hierarchy(conn, root)
    taken = median_ms(lambda: tasks.hierarchy(conn, root))
    print(f"\nhierarchy among {count} tasks: {taken:.1f} ms")

    assert (nodes[0].key, len(nodes), max(node.depth for node in nodes)) == (root, 1001, 10)
    return taken


@pytest.mark.timing
def test_a_thousand_descendants_on_ten_levels_are_listed_by_index(session: Connection) -> None:
    assert descend(session, 5_005) < 100


@pytest.mark.large
def test_a_thousand_descendants_among_a_hundred_thousand_are_listed_in_100_ms(
    session: Connection,
) -> None:
    assert descend(session, 100_100) < 100
