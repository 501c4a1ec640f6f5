"""Calls that stay quick when a plan is large: at a twentieth in every run, whole by `-m large`."""

import random
import statistics
import time

import psycopg
import pytest

from taskdb.models.dependencies import NewDependency
from taskdb.models.tasks import NewTask
from taskdb.queries import claims, planning, tasks
from taskdb.queries.admin import doctor as invariants
from tests.costs.scale import SEED, Connection

# A third finished, a third blocked, a sixth due tomorrow and most urgent, a sixth reserved for
# another agent or type. Triggers are off, so the columns that they keep are given.
CROWD = """
insert into tasks (
    key, title, status, priority, effective_priority, scheduled_at, is_due, assigned_agent,
    reserved_for, agent_type, for_type, is_ready, completed_at, blocked_at, blocked_reason,
    created_at
)
select
    'crowd-' || number,
    'One of many',
    kind.status::shared.task_status,
    kind.priority,
    kind.priority,
    case when number % 6 = 4 then now() + interval '1 day' end,
    number % 6 <> 4,
    case when number % 12 = 5 then 'someone-else' end,
    case when number % 12 = 5 then 'someone-else' else '' end,
    case when number % 12 = 11 then 'of-another-type' end,
    case when number % 12 = 11 then 'of-another-type' else '' end,
    number % 6 = 5,
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


@pytest.mark.timing
def test_claim_among_fifty_thousand_tasks_takes_less_than_five_milliseconds(
    session: Connection,
) -> None:
    assert claim_in_a_crowd(session, 50_000) < 5


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
