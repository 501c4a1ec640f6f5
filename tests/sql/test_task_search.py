"""Tasks are found by their words, and by a title that is misspelt."""

from __future__ import annotations

import psycopg
import pytest

from taskdb.models.search import MATCH_BEGINS, MATCH_ENDS
from taskdb.queries import search, tasks
from tests.plans import Plan


def test_find_similar_forgives_misspelling_and_ranks(conn: psycopg.Connection) -> None:
    tasks.create(conn, key="near", title="Migrate the database schema")
    tasks.create(conn, key="nearer", title="Migrate the databse schema")
    tasks.create(conn, key="far", title="Write a poem")

    found = tasks.find_similar(conn, title="Migrate the databse schema")

    assert [task.key for task in found] == ["nearer", "near"]
    assert found[0].similarity == 1.0
    assert 0.3 <= found[1].similarity < 1.0
    assert [task.key for task in tasks.find_similar(conn, title=found[0].title, limit=1)] == [
        "nearer"
    ]


def test_find_similar_follows_a_changed_title(conn: psycopg.Connection, plan: Plan) -> None:
    tasks.update(conn, key=plan.chore, title="Sweep the chimney")

    assert [task.key for task in tasks.find_similar(conn, title="Sweep chimneys")] == ["chore"]
    assert tasks.find_similar(conn, title="zzz qqq") == []


def found(conn: psycopg.Connection, words: str) -> list[str]:
    return [match.key for match in search.find_tasks(conn, words=words)]


@pytest.fixture
def texts(conn: psycopg.Connection) -> psycopg.Connection:
    tasks.create(conn, key="lexer", title="Lexer", description="Nested comments, dollar quotes.")
    tasks.create(conn, key="quotes", title="Dollar quotes", description="In the lexer.")
    tasks.create(conn, key="bill", title="Bill", description="Quotes of a dollar are not nested.")
    return conn


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dollar", {"lexer", "quotes", "bill"}),
        ('"dollar quotes"', {"lexer", "quotes"}),
        ("dollar -nested", {"quotes"}),
        ("bill or lexer", {"bill", "lexer", "quotes"}),
        ("lex*", {"lexer", "quotes"}),
        ("lex* doll*", {"lexer", "quotes"}),
        ("lex* nested", {"lexer"}),
        ("quote", {"lexer", "quotes", "bill"}),
        ("unheard", set()),
        ("the", set()),
        ("*", set()),
        ("' & | ! ( :* <->", set()),
    ],
)
def test_search_follows_words_phrases_and_beginnings(
    texts: psycopg.Connection, words: str, expected: set[str]
) -> None:
    assert set(found(texts, words)) == expected


def test_search_ranks_a_title_above_a_description(texts: psycopg.Connection) -> None:
    assert found(texts, "dollar quotes")[0] == "quotes"
    assert len(search.find_tasks(texts, words="dollar", limit=2)) == 2


def test_search_sees_a_changed_text_at_once(texts: psycopg.Connection) -> None:
    tasks.update(texts, key="bill", title="Invoice", description=None)

    assert found(texts, "invoice") == ["bill"]
    assert "bill" not in found(texts, "dollar")


def test_marks_of_an_excerpt_are_never_part_of_the_text(conn: psycopg.Connection) -> None:
    text = f"{MATCH_BEGINS}forged{MATCH_ENDS} <b>dollar</b> quotes"
    tasks.create(conn, key="forged", title="Marks", description=text)
    tasks.create(conn, key="bare", title="A dollar without description")

    excerpts = {match.key: match.excerpt for match in search.find_tasks(conn, words="dollar")}

    assert excerpts["bare"] is None
    excerpt = excerpts["forged"] or ""
    assert f"{MATCH_BEGINS}dollar{MATCH_ENDS}" in excerpt
    assert excerpt.count(MATCH_BEGINS) == excerpt.count(MATCH_ENDS) == 1
    stored = tasks.get_by_key(conn, key="forged").description
    assert stored == text
