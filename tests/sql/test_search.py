"""Tasks that a search ranks: all that match, or, of very many, about the newest."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from taskdb.queries import search, specs
from tests.tiers import first_of

Conn = psycopg.Connection[Any]

# Their words are written as the triggers do, without all else that these do.
MAKE = """
with made as (
    insert into tasks (key, title)
    select $1 || '-' || number, $2 from generate_series(1, $3::int) as number
    returning id, title
),
details as (
    insert into task_details (task_id)
    select id from made
)
insert into task_search (task_id, title, document)
select id, title, task_document(title, null) from made
"""


@pytest.fixture
def quiet(conn: Conn) -> Conn:
    """A connection on which tasks are made without triggers; it is rolled back."""
    conn.execute("alter table tasks disable trigger user")
    conn.execute("alter table task_details disable trigger user")
    return conn


def make_many(conn: Conn, key: str, title: str, count: int = 1) -> None:
    psycopg.RawCursor(conn).execute(MAKE, [key, title, count])


def keys(conn: Conn, words: str, **more: Any) -> list[str]:
    return [row.key for row in search.find_tasks(conn, words=words, **more)]


def test_up_to_a_thousand_matches_are_all_ranked(quiet: Conn) -> None:
    make_many(quiet, "best", "alpha alpha alpha")
    make_many(quiet, "more", "alpha", 999)

    assert keys(quiet, "alpha")[0] == "best-1"
    assert len(keys(quiet, "alpha", limit=5000)) == 1000


def test_of_more_the_newest_are_ranked(quiet: Conn) -> None:
    make_many(quiet, "old", "alpha alpha alpha")
    make_many(quiet, "more", "alpha", 1200)
    make_many(quiet, "new", "alpha alpha")

    found = keys(quiet, "alpha", limit=1000)

    assert found[0] == "new-1"
    assert "old-1" not in found
    assert len(found) == 1000


def test_a_higher_limit_ranks_more(quiet: Conn) -> None:
    make_many(quiet, "old", "alpha alpha alpha")
    make_many(quiet, "more", "alpha", 1200)

    found = keys(quiet, "alpha", limit=2000)

    assert found[0] == "old-1"
    assert len(found) == 1201


def test_of_many_old_matches_the_newest_are_ranked(quiet: Conn) -> None:
    """The index finds the matches where the newest tasks have none."""
    make_many(quiet, "oldest", "beta beta beta", 100)
    make_many(quiet, "old", "beta", 1000)
    make_many(quiet, "new", "alpha", 1001)

    found = keys(quiet, "beta", limit=1000)

    assert {key.split("-")[0] for key in found} == {"old"}
    assert len(found) == 1000


def test_where_the_newest_run_out_of_matches_all_are_found(quiet: Conn) -> None:
    """One in ten of the newest has the word, and few before them."""
    make_many(quiet, "old", "beta beta")
    make_many(quiet, "new", "beta", 100)
    make_many(quiet, "other", "alpha", 900)

    found = keys(quiet, "beta", limit=500)

    assert found[0] == "old-1"
    assert len(found) == 101


@pytest.mark.slow
def test_where_the_newest_have_too_few_the_index_is_asked(quiet: Conn) -> None:
    """The word is frequent among the newest 1,000, and not among those that are walked through."""
    make_many(quiet, "many", "beta", 60)
    make_many(quiet, "other", "alpha", 935)
    make_many(quiet, "few", "beta", 5)

    row = quiet.execute("select count(*) from search_candidates('beta', 10)").fetchone()

    assert row == (10,)


def test_rare_words_and_phrases_of_common_words_are_found_wherever_they_are(quiet: Conn) -> None:
    make_many(quiet, "rare", "gamma alpha beta")
    make_many(quiet, "common", "beta alpha", 1500)

    assert keys(quiet, "gamma") == ["rare-1"]
    assert keys(quiet, '"alpha beta"') == ["rare-1"]
    assert keys(quiet, "alpha gamma") == ["rare-1"]
    assert keys(quiet, "alpha -gamma", limit=1)[0].startswith("common-")


@pytest.mark.parametrize("mode", first_of(["force_generic_plan", "force_custom_plan"]))
@pytest.mark.parametrize("words", ["alpha", "gamma", "alpha <-> beta", "al:*", "nothing", "al | x"])
def test_candidates_are_found_by_index(quiet: Conn, mode: str, words: str) -> None:
    """Counters of this transaction show the inside of the function, which is in no plan."""
    make_many(quiet, "rare", "gamma alpha beta")
    make_many(quiet, "common", "beta alpha", 3000)
    quiet.execute("analyze task_search")
    quiet.execute(f"set local plan_cache_mode = {mode}")
    before = sequential_scans(quiet)

    quiet.execute("select search_candidates(to_tsquery('english', $1), 500)", [words])

    assert sequential_scans(quiet) == before


def sequential_scans(conn: Conn) -> int:
    row = conn.execute("select pg_stat_get_xact_numscans('task_search'::regclass)").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("words", ["- " * 33, "-- " * 40 + "schema", "-" * 500])
def test_hyphens_that_negate_nothing_are_passed_over_in_specifications_too(
    conn: psycopg.Connection, words: str
) -> None:
    specs.create(conn, title="The schema of the plan", content="Tables.")

    found = specs.find_specs(conn, words=words)

    assert [row.title for row in found] == (["The schema of the plan"] if "schema" in words else [])
