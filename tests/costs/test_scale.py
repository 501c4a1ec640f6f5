"""Calls that stay quick when a plan is large: at a twentieth in every run, whole by `-m large`."""

import hashlib
import random
import re
import statistics
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taskdb.admin import dataset, doctor
from taskdb.database import connect
from taskdb.errors import CircularDependencyError
from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, epics, features, planning, search, tasks
from taskdb.queries.admin import doctor as invariants
from taskdb.testing.databases import Databases
from tests.check.test_plan_check import fill
from tests.clocks import median_ms

SEED = 20261122

Connection = psycopg.Connection[Any]


@pytest.fixture
def session(database_url: str) -> Generator[Connection]:
    """Return a connection whose work is committed."""
    with connect(database_url) as conn:
        yield conn


def new_plan(prefix: str, count: int) -> tuple[list[NewTask], list[NewDependency]]:
    """Return tasks and twice as many edges, both in an order that has nothing to do with it."""
    dice = random.Random(SEED)
    keys = [f"{prefix}-{number}" for number in range(count)]
    topological = dice.sample(keys, count)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < 2 * count:
        waiting = dice.randrange(1, count)
        pairs.add((waiting, dice.randrange(max(0, waiting - 5_000), waiting)))
    edges = [
        NewDependency(topological[waiting], topological[awaited]) for waiting, awaited in pairs
    ]
    dice.shuffle(edges)
    new = [
        NewTask(key=key, title=f"The task named {key}", priority=dice.randint(1, 10))
        for key in keys
    ]
    return new, edges


def peak_memory_kib(conn: Connection) -> int:
    """Return how much memory the server's process for *conn* has held at most."""
    status = Path(f"/proc/{conn.info.backend_pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1])


def load_and_check(conn: Connection, count: int) -> float:
    """Load a plan, look for violated invariants, and return how long the load took."""
    is_superuser = conn.execute("select current_setting('is_superuser')").fetchone()
    assert is_superuser == ("off",)
    plan, edges = new_plan("first", count)
    started = time.monotonic()
    created = tasks.create_many(conn, plan, edges)
    conn.commit()
    seconds = time.monotonic() - started

    assert (created.task_count, created.dependency_count) == (count, 2 * count)
    conn.execute("analyze")
    assert doctor.run(conn) == []
    print(f"\n{count} tasks, {2 * count} edges: {seconds:.1f} s, {peak_memory_kib(conn)} KiB")
    return seconds


def test_bulk_load_in_random_order_is_checked_as_a_whole(session: Connection) -> None:
    load_and_check(session, 10_000)


@pytest.mark.large
def test_two_hundred_thousand_tasks_load_in_two_minutes_below_a_gibibyte(
    session: Connection,
) -> None:
    seconds = load_and_check(session, 200_000)
    more, edges = new_plan("second", 20_000)
    edges += [NewDependency(f"second-{number}", f"first-{number}") for number in range(20_000)]
    tasks.create_many(session, more, edges)
    session.commit()

    assert seconds < 120
    assert peak_memory_kib(session) < 1024 * 1024
    assert doctor.run(session) == []


def hide_a_cycle(edges: list[NewDependency]) -> None:
    """Add the edge that closes a cycle over a path of three."""
    by_task: dict[str, str] = {edge.task: edge.depends_on for edge in edges}
    start = next(key for key in by_task if by_task.get(by_task[key]) in by_task)
    end = by_task[by_task[by_task[start]]]
    edges.insert(len(edges) // 2, NewDependency(end, start))


def refuse_hidden_cycle(conn: Connection, count: int) -> None:
    plan, edges = new_plan("first", count)
    hide_a_cycle(edges)
    with pytest.raises(CircularDependencyError) as caught:
        tasks.create_many(conn, plan, edges)

    path = caught.value.path
    assert path[0] == path[-1]
    known = {(edge.task, edge.depends_on) for edge in edges}
    assert all(pair in known for pair in pairwise(path))
    conn.rollback()


def load_after_a_refusal(conn: Connection, count: int) -> float:
    """Load a plan into tables that statistics call empty, as a load was undone; how long it took.

    Without fresh statistics each look-up reads a whole index: a minute for 10,000 tasks, and
    hours for 200,000.
    """
    refuse_hidden_cycle(conn, count)
    conn.execute("analyze")
    conn.commit()
    return load_and_check(conn, count)


@pytest.mark.timing
def test_cycle_hidden_in_a_bulk_load_is_named_and_the_mended_plan_loads(
    session: Connection,
) -> None:
    assert load_after_a_refusal(session, 10_000) < 20


@pytest.mark.large
def test_cycle_hidden_in_four_hundred_thousand_edges_is_named(session: Connection) -> None:
    assert load_after_a_refusal(session, 200_000) < 240


# A third finished, a third blocked, a sixth due tomorrow and most urgent, a sixth reserved for
# another agent or type.
CROWD = """
insert into tasks (
    key, title, status, priority, effective_priority, scheduled_at, assigned_agent, agent_type,
    completed_at, blocked_at, blocked_reason, created_at
)
select
    'crowd-' || number,
    'One of many',
    kind.status::shared.task_status,
    kind.priority,
    kind.priority,
    case when number % 6 = 4 then now() + interval '1 day' end,
    case when number % 12 = 5 then 'someone-else' end,
    case when number % 12 = 11 then 'of-another-type' end,
    case when kind.status = 'completed' then now() end,
    case when kind.status = 'blocked' then now() end,
    case when kind.status = 'blocked' then 'held' end,
    now() - number * interval '1 second'
from generate_series(1, $1::int) as number
cross join lateral (
    select
        case when number % 6 < 2 then 'completed' when number % 6 < 4 then 'blocked'
            else 'pending' end as status,
        case when number % 6 = 4 then 1 when number % 6 = 5 then 1 + number % 3 else 5
            end as priority
) as kind
"""


def claim_in_a_crowd(conn: Connection, count: int) -> float:
    """Return the median of many claims, in milliseconds, where three tasks are claimable."""
    conn.execute("alter table tasks disable trigger user")
    conn.execute(CROWD, [count])
    conn.execute("alter table tasks enable trigger user")
    for number in range(3):
        tasks.create(conn, key=f"mine-{number}", title="One of few", priority=9)
    conn.commit()
    conn.execute("analyze")
    conn.commit()
    times: list[float] = []
    for _ in range(60):
        started = time.perf_counter()
        claim = claims.claim_next(conn, agent="me", agent_type="of-my-type")
        times.append((time.perf_counter() - started) * 1000)
        conn.rollback()
        assert claim is not None
        assert claim.key == "mine-0"
    print(f"\nclaim_next among {count} tasks: {statistics.median(times[20:]):.2f} ms")

    return statistics.median(times[20:])


@pytest.mark.large
def test_claim_among_a_million_tasks_takes_less_than_five_milliseconds(
    session: Connection,
) -> None:
    assert claim_in_a_crowd(session, 1_000_000) < 5


# Tasks that wait for three of the 5,000 before them, each; triggers off.
WEB_TASKS = """
with made as (
    insert into tasks (key, title, graph_rank, agent_type)
    select
        'web-' || number,
        'One of many',
        number,
        (array['coder', 'tester', 'writer'])[1 + number % 3]
    from generate_series(1, $1::int) as number
    returning id, graph_rank
)
insert into task_details (task_id, estimated_hours)
select id, case when graph_rank % 3 > 0 then graph_rank * 7919 % 97 / 4.0 end from made
"""
WEB_EDGES = """
insert into task_dependencies (task_id, depends_on_id)
select waiting.id, blocker.id
from (
    select distinct
        number,
        number - 1 - number * place::bigint * 7919 % least(number - 1, 5000) as before
    from generate_series(2, $1::int) as number, (values (1), (2), (7)) as edge (place)
) as edge
inner join tasks as waiting on waiting.graph_rank = edge.number
inner join tasks as blocker on blocker.graph_rank = edge.before
"""
CHAIN_EDGES = """
insert into task_dependencies (task_id, depends_on_id)
select waiting.id, blocker.id
from tasks as waiting
inner join tasks as blocker on blocker.graph_rank = waiting.graph_rank - 1
"""


def weave(conn: Connection, count: int, edges: str) -> int:
    """Make that many tasks with these edges, and return how many edges there are."""
    conn.execute("alter table tasks disable trigger user")
    conn.execute("alter table task_dependencies disable trigger user")
    psycopg.RawCursor(conn).execute(WEB_TASKS, [count])
    parameters = [count] if "$1" in edges else None
    made = psycopg.RawCursor(conn).execute(edges, parameters).rowcount
    conn.execute("alter table tasks enable trigger user")
    conn.execute("alter table task_dependencies enable trigger user")
    conn.commit()
    conn.execute("analyze")
    conn.commit()
    return made


def schedule_web(conn: Connection, count: int) -> float:
    """Return the seconds of the slowest of three questions about a plan of *count* tasks."""
    edge_count = weave(conn, count, WEB_EDGES)
    assert 2.9 * count < edge_count <= 3 * count
    asked: dict[str, float] = {}
    for name, ask in (
        ("critical_path", planning.critical_path),
        ("execution_waves", planning.execution_waves),
    ):
        started = time.perf_counter()
        found = len(ask(conn))
        asked[name] = time.perf_counter() - started
        print(f"\n{name} of {count} tasks, {edge_count} edges: {asked[name]:.2f} s, {found} rows")
        assert found
    started = time.perf_counter()
    held = planning.unblocks(conn, "web-1")
    asked["unblocks"] = time.perf_counter() - started
    print(f"\nunblocks of {held} tasks: {asked['unblocks']:.2f} s")
    assert held == count - 1
    return max(asked.values())


@pytest.mark.timing
def test_a_web_of_tasks_is_scheduled_in_linear_time(session: Connection) -> None:
    assert schedule_web(session, 5_000) < 2


@pytest.mark.large
def test_a_hundred_thousand_tasks_are_scheduled_in_five_seconds(session: Connection) -> None:
    assert schedule_web(session, 100_000) < 5


def hurry_chain(conn: Connection, count: int) -> float:
    """Return the seconds it takes to make all that a task waits for urgent, or to take it back."""
    weave(conn, count, CHAIN_EDGES)
    taken: list[float] = []
    for priority in (1, 5):
        started = time.perf_counter()
        tasks.update(conn, key=f"web-{count}", priority=priority)
        taken.append(time.perf_counter() - started)
        urgent = conn.execute(
            "select count(*) from tasks where effective_priority = 1"
        ).fetchone() or (0,)
        print(f"\n{count} tasks, one of priority {priority}: {taken[-1]:.2f} s, {urgent[0]} urgent")
        assert urgent[0] == (count if priority == 1 else 0)
    assert invariants.wrong_priority(conn) == []
    return max(taken)


@pytest.mark.timing
def test_inherited_priority_comes_and_goes_in_linear_time(session: Connection) -> None:
    assert hurry_chain(session, 5_000) < 5


@pytest.mark.large
def test_inherited_priority_of_a_hundred_thousand_tasks_comes_and_goes_in_half_a_minute(
    session: Connection,
) -> None:
    assert hurry_chain(session, 100_000) < 30


def layer(conn: Connection, count: int) -> None:
    """Make layers of twenty tasks, each waiting for three of the layer before and for one hub."""
    dice = random.Random(SEED)
    edges: list[NewDependency] = []
    for number in range(20, count):
        below = dice.sample(range(number // 20 * 20 - 20, number // 20 * 20), 3)
        edges += [NewDependency(f"task-{number}", f"task-{other}") for other in below]
        edges.append(NewDependency(f"task-{number}", "hub"))
    new = [NewTask(key=f"task-{number}", title="A task", priority=1) for number in range(count)]
    tasks.create_many(conn, [NewTask(key="hub", title="The hub", priority=10), *new], edges)
    conn.commit()


@pytest.mark.timing
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_one_statement_changes_the_priority_of_a_whole_plan(
    session: Connection, order: str
) -> None:
    layer(session, 1_000)
    # An update changes rows in the order in which they lie in the table.
    session.execute(f"create temporary table placed as select id from tasks order by id {order}")
    session.execute("analyze placed")
    session.execute("set local enable_hashjoin = off")
    session.execute("set local enable_mergejoin = off")
    for change, priority in (("least(10, priority + 1)", 2), ("7", 7), ("1", 1)):
        started = time.perf_counter()
        session.execute(
            f"update tasks set priority = {change} from placed where placed.id = tasks.id"
        )
        seconds = time.perf_counter() - started
        print(f"\npriority = {change}: {seconds:.2f} s")
        found = session.execute("select distinct effective_priority from tasks").fetchall()
        assert found == [(priority,)]
        assert seconds < 15
    assert invariants.wrong_priority(session) == []


def schedule_chain(conn: Connection, count: int) -> float:
    """Return the seconds it takes to find that a chain is its own critical path."""
    assert weave(conn, count, CHAIN_EDGES) == count - 1
    started = time.perf_counter()
    path = planning.critical_path(conn)
    seconds = time.perf_counter() - started
    print(f"\ncritical_path of a chain of {count}: {seconds:.2f} s")
    assert [row.key for row in path] == [f"web-{number}" for number in range(1, count + 1)]
    return seconds


@pytest.mark.timing
def test_a_chain_is_scheduled_in_linear_time(session: Connection) -> None:
    assert schedule_chain(session, 5_000) < 2


@pytest.mark.large
def test_a_chain_of_a_hundred_thousand_is_scheduled_in_five_seconds(session: Connection) -> None:
    assert schedule_chain(session, 100_000) < 5


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
