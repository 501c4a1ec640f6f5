"""JSON files as they are found: broken, in other encodings, with numbers that nothing can hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskdb.errors import ValidationError
from taskdb.exchange.jsonfiles import read_document, read_lines
from taskdb.exchange.jsonvalues import JsonObject, parse_json
from taskdb.exchange.report import Findings
from tests.exchange_files import changed, refused, write_lines


def test_lines_know_their_numbers_and_blank_ones_count(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", {"a": 1}, b"", b"  \r", {"a": 2})

    rows = list(read_lines(path, Findings()))

    assert [(row.line, row["a"]) for row in rows] == [(1, 1), (4, 2)]


def test_a_line_that_is_not_json_is_refused_with_line_and_column(tmp_path: Path) -> None:
    findings = Findings()
    path = write_lines(tmp_path / "rows.jsonl", b"<<<<<<< HEAD", {"a": 1}, b'{"a": tru}', b"[1]")

    rows = list(read_lines(path, findings))

    assert rows == [{"a": 1}]
    assert refused(findings) == [
        "rows.jsonl:1:1: refused line: Expecting value",
        "rows.jsonl:3:7: refused line: Expecting value",
        "rows.jsonl:4: refused line: is JSON, but not an object",
    ]


def test_a_line_separator_of_unicode_ends_no_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", '{"a": "b\u2028c"}'.encode())

    assert list(read_lines(path, Findings())) == [{"a": "b\u2028c"}]


def test_invalid_utf_8_becomes_replacement_characters_and_is_reported(tmp_path: Path) -> None:
    findings = Findings()
    path = write_lines(tmp_path / "rows.jsonl", {"a": 1}, b'{"a": "caf\xe9"}')

    rows = list(read_lines(path, findings))

    assert rows[1] == {"a": "caf\ufffd"}
    assert changed(findings) == [
        "rows.jsonl:2:11: changed line: byte 0xe9 is not UTF-8; it, and any like it that follow, "
        "became U+FFFD"
    ]


def test_invalid_utf_8_in_a_document_is_reported_at_its_line(tmp_path: Path) -> None:
    findings = Findings()
    path = tmp_path / "plan.json"
    path.write_bytes(b'{\n "a": "caf\xe9"}')

    read_document(path, findings)

    assert changed(findings)[0].startswith("plan.json:2:11: ")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert read_document(path, Findings()) == {"a": 1}


def test_utf_16_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes('{"a": 1}'.encode("utf-16"))

    with pytest.raises(ValidationError, match=r"is in UTF-16 .*Save the file as UTF-8"):
        read_document(path, Findings())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"path cannot be read: No such file.*nowhere\.json"):
        read_document(tmp_path / "nowhere.json", Findings())


def test_a_document_that_is_not_json_is_refused_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"tasks": []}\n{"tasks": []}\n')

    with pytest.raises(ValidationError, match="line 2 column 1") as refusal:
        read_document(path, Findings())

    assert refusal.value.where == f"{path}:2:1"


def test_a_document_must_be_an_object(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("[]")

    with pytest.raises(ValidationError, match="must hold a JSON object"):
        read_document(path, Findings())


def test_each_object_of_a_document_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"tasks": [\n {"id": "a}{\\"", "subs": [{},\n {"id": 2}]},\n\n {"id": 3}]}')

    document = read_document(path, Findings())

    first, second = document["tasks"]
    assert (document.line, first.line, second.line) == (1, 2, 5)
    assert [sub.line for sub in first["subs"]] == [2, 3]


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.text() | st.integers(-(2**53), 2**53),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ),
    st.sampled_from([None, 1]),
)
def test_lines_of_any_document_point_at_a_brace(value: object, indent: int | None) -> None:
    text = json.dumps({"value": value}, indent=indent, ensure_ascii=False)

    def check(node: object) -> None:
        if isinstance(node, JsonObject):
            assert "{" in text.split("\n")[node.line - 1]
            list(map(check, node.values()))
        elif isinstance(node, list):
            list(map(check, node))

    read = parse_json(text, pytest.fail)
    assert read == {"value": value}
    check(read)


def test_a_name_that_comes_twice_counts_last_and_is_reported(tmp_path: Path) -> None:
    findings = Findings()
    path = write_lines(tmp_path / "rows.jsonl", b'{"a": 1, "b": 2, "a": 3}')

    assert list(read_lines(path, findings)) == [{"a": 3, "b": 2}]
    assert changed(findings) == [
        "rows.jsonl:1: changed line: names a more than once; the last one counts"
    ]


def test_numbers_that_nothing_can_hold_are_kept_as_text(tmp_path: Path) -> None:
    findings = Findings()
    nines = "9" * 5000
    line = f'{{"a": NaN, "b": -Infinity, "c": 1e999, "d": {nines}, "e": 9223372036854775808}}'
    path = write_lines(tmp_path / "rows.jsonl", line.encode())

    (row,) = read_lines(path, findings)

    assert row == {
        "a": "NaN",
        "b": "-Infinity",
        "c": "1e999",
        "d": nines,
        "e": "9223372036854775808",
    }
    assert len(changed(findings)) == 5


def test_what_a_document_holds_that_is_no_json_is_reported_at_its_line(tmp_path: Path) -> None:
    path, findings = tmp_path / "tasks.json", Findings()
    nines = "9" * 30
    path.write_text(f'{{"NaN": 1,\n"a": NaN, "b": "x NaN",\n"c": [{nines},\n-{nines}, NaN]}}')

    read_document(path, findings)

    assert [finding.where for finding in findings] == [
        "tasks.json:2",
        "tasks.json:3",
        "tasks.json:4",
        "tasks.json:4",
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_refused_as_well(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tasks.json"
    path.write_bytes('{"tasks": []}'.encode(encoding))

    with pytest.raises(ValidationError, match=r"plan is in UTF-16 \(at .*tasks.json:1\)"):
        read_document(path, Findings())


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    findings = Findings()
    path = write_lines(tmp_path / "rows.jsonl", b'{"a":' * 100_000 + b"1" + b"}" * 100_000)

    assert list(read_lines(path, findings)) == []
    assert refused(findings) == ["rows.jsonl:1:1: refused line: nested too deeply"]
