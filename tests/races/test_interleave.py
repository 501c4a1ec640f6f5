"""The helper of the race tests, on races whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.interleave import REPEATABLE_READ, Session, wait_blocked


@pytest.fixture
def counter_url(empty_database_url: str) -> str:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute("create table counter (n integer not null)")
        conn.execute("insert into counter values (0)")
    return empty_database_url


def session(url: str, name: str, **options: Any) -> Session:
    return Session(url, name=name, connect=psycopg.connect, **options)


def statement(text: str) -> Callable[[psycopg.Connection[Any]], Any]:
    return lambda conn: conn.execute(text.encode())


increment = statement("update counter set n = n + 1")


def test_a_step_that_waits_for_a_lock_is_seen_waiting_and_goes_on_when_it_is_free(
    counter_url: str,
) -> None:
    with session(counter_url, "first") as first, session(counter_url, "second") as second:
        first.run("increments", increment)
        step = second.start("increments", increment)
        wait_blocked(second, by=first)
        assert not step.done

        first.commit()

        assert step.result().rowcount == 1
        second.commit()
        assert first.run("reads", statement("table counter")).fetchone() == (2,)


def test_a_step_that_does_not_wait_fails_the_expectation_by_its_name(counter_url: str) -> None:
    with session(counter_url, "only") as only:
        only.start("increments", increment)

        with pytest.raises(AssertionError, match="'only: increments' ended without waiting"):
            wait_blocked(only)


def test_the_loser_of_a_race_gets_its_own_error(counter_url: str) -> None:
    with (
        session(counter_url, "first") as first,
        session(counter_url, "second", isolation=REPEATABLE_READ) as second,
    ):
        second.snapshot()
        first.run("increments", increment)
        step = second.start("increments", increment)
        wait_blocked(second)

        first.commit()

        assert isinstance(step.error(), errors.SerializationFailure)


def test_a_session_that_still_waits_is_cancelled_at_the_end(counter_url: str) -> None:
    with session(counter_url, "first") as first:
        first.run("increments", increment)
        with session(counter_url, "second") as second:
            step = second.start("increments", increment)
            wait_blocked(second)

        assert isinstance(step.error(), errors.QueryCanceled)
