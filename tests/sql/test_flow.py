"""Lead and cycle times, stays, throughput, age, reopenings, burn-up: by hand, and recomputed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from taskdb.errors import NotFoundError
from taskdb.exchange import detect, import_plan
from taskdb.models.tasks import NewTask
from taskdb.models.types import TaskStatus
from taskdb.queries import claims, epics, exchange, features, flow, tasks
from tests.exchange_files import DATA, needs_data, stats

Conn = psycopg.Connection[Any]

BASE = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHARK = [name for name in stats() if name.startswith("shark/db/")]
FINISHED = {"completed", "failed", "cancelled", "archived"}


def at(hours: float) -> datetime:
    return BASE + timedelta(hours=hours)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def live(
    conn: Conn,
    key: str,
    moves: Sequence[tuple[float, str]],
    *,
    came: float = 0,
    found: str | None = None,
    agent: str = "ann",
    **more: Any,
) -> None:
    """Make a task with a past: its transitions, each a status and hours after BASE.

    Where its history ends otherwise than an importer *found* it, that is given too.
    """
    last = TaskStatus(found or moves[-1][1])
    done = at(moves[-1][0]) if last is TaskStatus.COMPLETED else None
    task = NewTask(key=key, title=key, status=last, created_at=at(came), completed_at=done, **more)
    (task_id,) = tasks.create_many(conn, [task]).ids
    before = TaskStatus.PENDING
    statuses = [TaskStatus(status) for _, status in moves]
    exchange.import_history(
        conn,
        source="another",
        task_ids=[task_id] * len(moves),
        old_statuses=[before, *statuses[:-1]],
        new_statuses=statuses,
        agents=[agent] * len(moves),
        notes=[None] * len(moves),
        are_forced=[False] * len(moves),
        moments=[at(moment) for moment, _ in moves],
    )


# One task


def test_lead_and_cycle_time_are_as_worked_out_by_hand(conn: Conn) -> None:
    live(conn, "A", [(2, "in_progress"), (3, "in_review"), (7, "completed")])

    found = flow.of_task(conn, "A")

    assert (found.came_at, found.started_at, found.done_at) == (at(0), at(2), at(7))
    assert (found.lead_time, found.cycle_time) == (hours(7), hours(5))
    assert (found.done_by, found.reopened_count, found.skewed) == ("ann", 0, False)


def test_work_that_was_reopened_is_done_when_it_was_completed_last(conn: Conn) -> None:
    moves = [(1, "in_progress"), (2, "completed"), (5, "pending"), (6, "in_progress")]

    live(conn, "open", moves)
    live(conn, "done", [*moves, (9, "completed")])
    live(conn, "away", [*moves, (9, "completed"), (20, "archived")])

    unfinished = flow.of_task(conn, "open")
    assert (unfinished.done_at, unfinished.lead_time, unfinished.done_by) == (None, None, None)
    assert [flow.of_task(conn, key).reopened_count for key in ("open", "done", "away")] == [1, 1, 1]
    assert flow.of_task(conn, "done").cycle_time == hours(8)
    assert flow.of_task(conn, "away").cycle_time == hours(8)


def test_what_is_recorded_here_is_measured_alike(conn: Conn) -> None:
    tasks.create(conn, key="A", title="A")
    claim = claims.claim_next(conn, agent="ann")
    assert claim is not None
    claims.complete(conn, task_id=claim.task_id, token=claim.token)

    found = flow.of_task(conn, "A")
    stays = flow.stays_of_task(conn, "A")

    assert found.done_by == "ann"
    assert found.skewed is False
    assert found.lead_time is not None
    assert found.cycle_time is not None
    assert timedelta(0) <= found.cycle_time <= found.lead_time < hours(1)
    assert [stay.status for stay in stays] == ["pending", "in_progress", "completed"]
    assert [stay.is_transition for stay in stays] == [False, True, True]
    assert stays[0].left_at == stays[1].entered_at


def test_a_task_that_came_as_completed_was_completed_by_nobody(conn: Conn) -> None:
    tasks.create(conn, key="A", title="A", status=TaskStatus.COMPLETED)

    found = flow.of_task(conn, "A")

    assert (found.status, found.done_at, found.lead_time) == ("completed", None, None)
    assert flow.summary(conn).done_count == 0


def test_cycle_time_needs_a_beginning(conn: Conn) -> None:
    live(conn, "A", [(4, "completed")])

    found = flow.of_task(conn, "A")

    assert (found.lead_time, found.cycle_time) == (hours(4), None)


def test_what_an_importer_finds_is_no_move(conn: Conn) -> None:
    live(conn, "going", [(1, "blocked")], found="in_progress")
    live(conn, "done", [(1, "in_progress")], found="completed")

    going, done = flow.of_task(conn, "going"), flow.of_task(conn, "done")

    assert (going.status, going.started_at) == ("in_progress", None)
    assert (done.status, done.started_at, done.done_at) == ("completed", at(1), None)
    assert [(row.key, row.started_at) for row in flow.ageing(conn)] == [("going", at(1))]


def test_stays_add_up_to_the_life_of_a_task(conn: Conn) -> None:
    live(conn, "A", [(2, "in_progress"), (3, "blocked"), (7, "in_progress"), (8, "completed")])

    stays = flow.stays_of_task(conn, "A")

    assert [(stay.status, stay.stayed) for stay in stays[:3]] == [
        ("in_progress", hours(1)),
        ("blocked", hours(4)),
        ("in_progress", hours(1)),
    ]
    # The status that the import found, here and now, is no transition.
    assert [stay.is_transition for stay in stays] == [True, True, True, True, False]
    assert stays[-1].left_at is None
    assert sum((stay.stayed for stay in stays), timedelta(0)) >= stays[-1].entered_at - at(2)


def test_times_that_run_backwards_are_never_negative_and_say_so(conn: Conn) -> None:
    live(conn, "backwards", [(5, "in_progress"), (5, "completed")], came=6)

    found = flow.of_task(conn, "backwards")

    assert found.skewed
    assert (found.came_at, found.lead_time, found.cycle_time) == (at(5), hours(0), hours(0))
    figures = flow.summary(conn)
    assert (figures.done_count, figures.skewed_count, figures.lead_time_median) == (1, 1, None)


def test_a_recorded_row_earlier_than_one_before_it_counts_as_at_that_moment(conn: Conn) -> None:
    tasks.create(conn, key="A", title="A")
    tasks.update_status(conn, key="A", status=TaskStatus.IN_PROGRESS)
    conn.execute("alter table task_history disable trigger user")
    conn.execute("update task_history set created_at = created_at - interval '1 day' where seq = 2")
    conn.execute("alter table task_history enable trigger user")

    stays = flow.stays_of_task(conn, "A")

    assert [stay.skewed for stay in stays] == [False, True]
    assert stays[0].entered_at == stays[1].entered_at
    assert stays[0].stayed == timedelta(0)
    assert flow.of_task(conn, "A").skewed


def test_times_that_tie_are_no_skew(conn: Conn) -> None:
    live(conn, "A", [(0, "in_progress"), (0, "completed")])

    assert flow.of_task(conn, "A").skewed is False


def test_flow_of_an_unknown_task_is_refused(conn: Conn) -> None:
    with pytest.raises(NotFoundError):
        flow.of_task(conn, "nothing")
    assert flow.stays_of_task(conn, "nothing") == []


# Many tasks


@pytest.fixture
def past(conn: Conn) -> Conn:
    """Five tasks of two agents and types: cycles of 1, 2, 4 hours, one skewed, one going on."""
    live(conn, "A", [(1, "in_progress"), (2, "completed")], agent_type="coder")
    live(conn, "B", [(1, "in_progress"), (3, "completed")], agent_type="coder", agent="bob")
    moves = [(24, "in_progress"), (25, "completed"), (26, "in_progress"), (28, "completed")]
    live(conn, "C", moves, came=20)
    live(conn, "S", [(30, "in_progress"), (31, "completed")], came=40)
    live(conn, "G", [(50, "in_progress"), (51, "in_review")], agent="eve", came=49)
    return conn


def test_summary_leaves_out_the_times_of_skewed_tasks_and_says_how_many(past: Conn) -> None:
    figures = flow.summary(past)

    assert (figures.done_count, figures.skewed_count, figures.reopened_count) == (4, 1, 1)
    assert (figures.cycle_time_median, figures.lead_time_median) == (hours(2), hours(3))
    assert figures.cycle_time_p85 == hours(2) + 0.7 * hours(2)


def test_summary_is_of_a_time_an_agent_a_type(past: Conn) -> None:
    assert flow.summary(past, since=at(28)).done_count == 2
    assert flow.summary(past, agent="bob").cycle_time_median == hours(2)
    assert flow.summary(past, agent_type="coder").done_count == 2
    assert flow.summary(past, since=at(99)).lead_time_median is None


def test_figures_by_agent_and_by_type_add_up(past: Conn) -> None:
    agents = {row.name: (row.done_count, row.cycle_time_median) for row in flow.by_agent(past)}
    types = {row.name: (row.done_count, row.skewed_count) for row in flow.by_agent_type(past)}

    assert agents == {"ann": (3, hours(2.5)), "bob": (1, hours(2))}
    assert types == {"coder": (2, 0), None: (2, 1)}


def test_time_in_status_counts_what_came_before_the_completion(past: Conn) -> None:
    found = {row.status: (row.task_count, row.total) for row in flow.time_in_status(past)}

    assert found == {"in_progress": (3, hours(1 + 2 + 1 + 2)), "completed": (1, hours(1))}
    assert [row.median for row in flow.time_in_status(past, agent_type="coder")] == [hours(1.5)]


def test_throughput_counts_each_completion_and_has_empty_days(past: Conn) -> None:
    days = flow.throughput(past, since=at(-12), until=at(60))

    assert [(row.day, row.completed_count, row.reopened_count) for row in days] == [
        (date(2026, 3, 2), 2, 0),
        (date(2026, 3, 3), 3, 1),
        (date(2026, 3, 4), 0, 0),
    ]
    by_bob = flow.throughput(past, since=at(0), until=at(12), agent="bob")
    assert [row.completed_count for row in by_bob] == [1]
    coded = flow.throughput(past, since=at(0), until=at(36), agent_type="coder")
    assert [row.completed_count for row in coded] == [2, 0]


def test_days_are_those_of_the_zone_asked_for(past: Conn) -> None:
    days = flow.throughput(past, since=at(0), until=at(3.5), zone="Pacific/Kiritimati")

    assert [(row.day, row.completed_count) for row in days] == [(date(2026, 3, 3), 2)]


def test_an_hour_that_a_clock_runs_twice_belongs_to_its_day(conn: Conn) -> None:
    # Havana's clocks went back on 1 November 2026 at 1:00, to midnight: the day has 25 hours.
    start = datetime(2026, 11, 1, 4, tzinfo=UTC)
    for number, minutes in enumerate((-30, 30, 90, 1470, 1530)):
        moment = (start - BASE) / hours(1) + minutes / 60
        live(conn, f"T{number}", [(moment, "completed")], came=moment)

    days = flow.throughput(
        conn, since=start - hours(4), until=start + hours(29), zone="America/Havana"
    )

    assert [(row.day, row.completed_count) for row in days] == [
        (date(2026, 10, 31), 1),
        (date(2026, 11, 1), 3),
        (date(2026, 11, 2), 1),
    ]


def test_ageing_work_is_compared_with_completed_work(past: Conn) -> None:
    tasks.create(past, key="young", title="Young")
    tasks.update_status(past, key="young", status=TaskStatus.IN_PROGRESS, agent="bob")

    old, young = flow.ageing(past)

    assert (old.key, old.status, old.started_at, old.percentile) == ("G", "in_review", at(50), 100)
    assert (old.agent, old.changed_at) == ("eve", at(51))
    assert old.age > hours(24)
    assert (young.key, young.agent, young.percentile) == ("young", "bob", 0)
    assert [row.percentile for row in flow.ageing(past, since=datetime.now(UTC))] == [None, None]
    assert [row.key for row in flow.ageing(past, limit=1)] == ["G"]


def test_reopenings_are_listed(past: Conn) -> None:
    tasks.update_status(past, key="A", status=TaskStatus.PENDING, force=True, note="Wrong")

    newest, older = flow.reopenings(past, since=at(0))

    assert (newest.key, newest.old_status, newest.note) == ("A", "completed", "Wrong")
    assert (older.key, older.new_status, older.created_at) == ("C", "in_progress", at(26))
    assert [row.key for row in flow.reopenings(past, since=at(27))] == ["A"]


def test_burn_up_counts_scope_and_done_at_the_end_of_each_day(conn: Conn) -> None:
    epic = epics.create(conn, key="E01", title="E01")
    feature = features.create(conn, epic_id=epic.id, key="E01-F01", title="F").id
    live(conn, "A", [(1, "in_progress"), (30, "completed"), (54, "archived")], feature_id=feature)
    live(conn, "B", [(25, "cancelled"), (50, "pending")], feature_id=feature)
    moves = [(26, "completed"), (49, "in_progress"), (74, "completed")]
    live(conn, "C", moves, came=24, feature_id=feature)
    live(conn, "other", [(1, "in_progress")])

    days = flow.burn_up(conn, epic="E01")

    assert [(row.day.day, row.task_count, row.done_count) for row in days[:4]] == [
        (2, 2, 0),
        (3, 2, 2),
        (4, 3, 1),
        (5, 3, 2),
    ]
    assert days[-1].day == datetime.now(UTC).date()
    assert (days[-1].task_count, days[-1].done_count) == (3, 2)
    assert len(days) == (days[-1].day - days[0].day).days + 1
    assert flow.burn_up(conn, epic="E77") == []


async def test_flow_is_asynchronous_too(aconn: psycopg.AsyncConnection[Any]) -> None:
    assert (await flow.summary(aconn)).done_count == 0


# Recomputed


@dataclass
class Life:
    """Figures of a task's rows of history, computed in Python."""

    came: datetime
    started: datetime | None
    done: datetime | None
    done_by: str | None
    reopened: int
    skewed: bool
    stays: list[tuple[str, datetime, datetime | None]]


def lives(conn: Conn) -> dict[str, Life]:
    """Read the history of every task, and walk through it."""
    rows: dict[UUID, list[Any]] = defaultdict(list)
    for row in conn.execute(
        "select task_id, seq, old_status::text, new_status::text, agent, created_at"
        " from task_history"
    ):
        rows[row[0]].append(row[1:])
    found = {}
    for key, task_id, created in conn.execute("select key, id, created_at from tasks"):
        # Imported rows count downwards from 0, and come first, in the order of their times.
        own = sorted(rows[task_id], key=lambda row: (max(row[0], 0), row[4], -row[0]))
        found[key] = walk(created, own)
    return found


def walk(created: datetime, rows: list[Any]) -> Life:
    clock, status = rows[0][4], None
    done: datetime | None = None
    life = Life(min(created, rows[0][4]), None, None, None, 0, False, [])
    was_done = False
    for number, (_, old, new, agent, stated) in enumerate(rows):
        life.skewed = life.skewed or stated < clock or (old is not None and stated < created)
        clock = max(clock, stated)
        if life.stays:
            life.stays[-1] = (*life.stays[-1][:2], clock)
        life.stays.append((new, clock, None))
        if new == "in_progress" and (old is not None or number == 0):
            life.started = life.started or clock
        if new == "completed" and old is not None and status != "completed":
            done, life.done_by = clock, agent
        if old is not None and status in FINISHED and new not in FINISHED:
            life.reopened += 1
        was_done = was_done if new == "archived" else new == "completed"
        status = new
    life.done = done if was_done else None
    return life


def percentile(values: list[timedelta], share: float) -> timedelta | None:
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@needs_data
@pytest.mark.parametrize("name", SHARK)
def test_flow_of_a_real_tracker_agrees_with_a_walk_through_its_history(
    conn: Conn, name: str
) -> None:
    import_plan(conn, detect(DATA / name), DATA / name)
    # The importer's own row comes last, and is no transition.
    known = lives(conn)
    done = {key: life for key, life in known.items() if life.done}
    straight = [life for life in done.values() if not life.skewed]
    leads = [life.done - life.came for life in straight if life.done]
    cycles = [life.done - life.started for life in straight if life.done and life.started]

    for key, life in known.items():
        row = flow.of_task(conn, key)
        assert (row.came_at, row.started_at, row.done_at) == (life.came, life.started, life.done)
        assert (row.reopened_count, row.skewed) == (life.reopened, life.skewed)
    figures = flow.summary(conn)
    assert len(done) > 100
    assert figures.done_count == len(done)
    assert figures.skewed_count == len(done) - len(straight)
    for found, values, share in (
        (figures.lead_time_median, leads, 0.5),
        (figures.lead_time_p85, leads, 0.85),
        (figures.cycle_time_median, cycles, 0.5),
        (figures.cycle_time_p85, cycles, 0.85),
    ):
        expected = percentile(values, share)
        assert found is not None
        assert expected is not None
        assert abs(found - expected) < timedelta(milliseconds=1)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("name", SHARK)
def test_days_and_statuses_of_a_real_tracker_agree_with_a_walk_through_its_history(
    conn: Conn, name: str
) -> None:
    import_plan(conn, detect(DATA / name), DATA / name)
    known = lives(conn)
    first = min(life.came for life in known.values())
    completions: dict[date, int] = defaultdict(int)
    for old, moment in conn.execute(
        "select old_status::text, created_at from task_history where new_status = 'completed'"
    ):
        if old is not None and old != "completed":
            completions[moment.astimezone(UTC).date()] += 1
    stood: dict[str, timedelta] = defaultdict(timedelta)
    for life in known.values():
        if life.done and not life.skewed:
            for status, entered, left in life.stays:
                if left is not None and left <= life.done:
                    stood[status] += left - entered

    days = flow.throughput(conn, since=first, until=datetime.now(UTC) + timedelta(days=1))
    statuses = {row.status: row.total for row in flow.time_in_status(conn)}

    assert {row.day: row.completed_count for row in days if row.completed_count} == completions
    assert statuses == stood


@pytest.mark.slow
@needs_data
def test_burn_up_of_real_epics_agrees_with_a_walk_through_their_history(conn: Conn) -> None:
    import_plan(conn, detect(DATA / SHARK[-1]), DATA / SHARK[-1])
    known = lives(conn)
    members: dict[str, list[str]] = defaultdict(list)
    for epic, key in conn.execute(
        "select epics.key, tasks.key from tasks join task_details on task_id = tasks.id"
        " join features on features.id = feature_id"
        " join epics on epics.id = epic_id"
    ):
        members[epic].append(key)

    for epic, keys in members.items():
        for row in flow.burn_up(conn, epic=epic):
            end = datetime.combine(row.day, datetime.min.time(), UTC) + timedelta(days=1)
            states = [state_at(known[key], end) for key in keys if known[key].came < end]
            assert row.task_count == sum(state != "cancelled" for state in states)
            assert row.done_count == sum(state == "done" for state in states)
    assert len(members) > 4


def state_at(life: Life, moment: datetime) -> str:
    state = "come"
    for status, entered, _ in life.stays:
        if entered < moment and not (status == "archived" and state == "done"):
            state = "done" if status == "completed" else status
    return state
