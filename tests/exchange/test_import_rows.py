"""Fields are taken out of rows; what can't be taken is recorded and kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from taskdb.exchange.report import Findings
from taskdb.exchange.rows import Row, key_fault
from tests.exchange_files import changed, refused


def make_row(**values: Any) -> Row:
    row = Row(values, "rows.jsonl:7", "task", Findings())
    row.key = "T-1"
    return row


@pytest.mark.parametrize("empty", ["", None, [], {}])
def test_what_is_empty_counts_as_absent(empty: object) -> None:
    row = make_row(a=empty, b=empty)

    assert row.take("a") is None
    assert row.rest() == {}


@pytest.mark.parametrize("value", [0, False, 0.0, " "])
def test_what_is_false_but_not_empty_is_kept(value: object) -> None:
    assert make_row(a=value).rest() == {"a": value}


def test_what_nobody_took_is_left_over() -> None:
    row = make_row(a=1, b=2, c=3)
    row.take("b")

    assert row.rest() == {"a": 1, "c": 3}
    assert row.rest() == {}


def test_a_number_where_a_text_belongs_becomes_its_digits() -> None:
    assert make_row(a=12).text("a") == "12"


@pytest.mark.parametrize("value", [True, ["x"], {"x": 1}])
def test_anything_else_where_a_text_belongs_stays_readable(value: object) -> None:
    row = make_row(a=value)

    assert row.text("a") is None
    assert row.odd == {"a": value}
    assert "is not a text; left out" in changed(row.findings)[0]


def test_nul_characters_and_halves_of_surrogates_are_replaced_at_any_depth() -> None:
    row = make_row(a=[{"b\x00": "c\x00\x00"}, "\ud800!"])

    assert row.take("a") == [{"b\ufffd": "c\ufffd\ufffd"}, "\ufffd!"]
    assert [line.split("T-1: ")[1] for line in changed(row.findings)] == [
        "a holds 1 NUL characters; each became U+FFFD",
        "a holds 2 NUL characters; each became U+FFFD",
        "a holds 1 halves of a surrogate pair; each became U+FFFD",
    ]


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: object = "x"
    for _ in range(200):
        deep = [deep]
    row = make_row(a=deep)

    assert row.take("a") is None
    assert refused(row.findings) == [
        "rows.jsonl:7: refused field T-1: a is nested more than 100 deep"
    ]


def test_a_long_title_stands_whole_at_the_head_of_the_description() -> None:
    whole = "x" * 501
    row = make_row(title=whole)

    title, head = row.title("title", "T-1")

    assert title == "x" * 499 + "\u2026"
    assert head == whole
    assert "its title has 501 characters, 500 are allowed" in changed(row.findings)[0]


def test_a_title_of_500_characters_is_taken_as_it_is() -> None:
    row = make_row(title="\U0001f600" * 500)

    assert row.title("title", "T-1") == ("\U0001f600" * 500, None)
    assert not len(row.findings)


@pytest.mark.parametrize("given", [{}, {"title": " \n"}])
def test_a_row_without_a_title_is_named_by_its_key(given: dict[str, str]) -> None:
    row = make_row(**given)

    assert row.title("title", "T-1") == ("T-1", None)
    assert "has no title" in changed(row.findings)[0]


def test_a_bad_time_is_left_out_and_kept() -> None:
    row = make_row(a="0001-01-01T00:00:00Z", b=1734716704)

    assert row.time("a") is None
    assert row.time("b") is None
    assert row.odd == {"a": "0001-01-01T00:00:00Z", "b": 1734716704}
    assert len(changed(row.findings)) == 2


@pytest.mark.parametrize("value", [0, 11, True, "5", 2.5])
def test_a_number_out_of_bounds_is_left_out_and_kept(value: object) -> None:
    row = make_row(priority=value)

    assert row.integer("priority", 1, 10) is None
    assert row.odd == {"priority": value}


def test_minutes_become_hours() -> None:
    assert make_row(a=50).hours("a") == Decimal("0.83")


def test_a_name_of_more_than_200_characters_is_left_out() -> None:
    row = make_row(agent="x" * 201, other="x" * 200)

    assert row.name("agent") is None
    assert row.name("other") == "x" * 200


def test_json_in_a_text_is_read_and_what_is_not_json_is_kept() -> None:
    row = make_row(a='["x\\u0000"]', b="[", c='{"x": 1}', d=["y"])

    assert row.json("a", list, "is not a list") == ["x\ufffd"]
    assert row.json("b", list, "is not a list") is None
    assert row.json("c", list, "is not a list") is None
    assert row.json("d", list, "is not a list") == ["y"]
    assert row.odd == {"b": "[", "c": {"x": 1}}


def test_objects_are_taken_only_as_a_list_of_them() -> None:
    row = make_row(a=[{"x": 1}], b=[1], c="x")

    assert row.objects("a") == [{"x": 1}]
    assert row.objects("b") == []
    assert row.objects("c") == []
    assert row.odd == {"b": [1], "c": "x"}


@pytest.mark.parametrize("key", ["E04", "T-E04-F01-001", "haxe.ocaml-yvp.5", "x" * 100, "\u00e9"])
def test_other_trackers_keys_are_keys(key: str) -> None:
    assert key_fault(key) is None


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "no key"),
        (None, "no key"),
        (7, "key 7 is not a text"),
        ("x" * 101, "101 characters"),
        ("a\nb", "control"),
        ("a\x00", "control"),
        ("a\x85", "control"),
        ("\udc80", "Unicode"),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(key: object, reason: str) -> None:
    fault = key_fault(key)

    assert fault is not None
    assert reason in fault
