"""The parser of PostgreSQL's printed trees, on texts as outfuncs.c writes them."""

from __future__ import annotations

import pytest

from taskdb.query.check.nodetree import Node, NodeTreeError, parse, strings


def only(text: str) -> Node:
    (node,) = parse(f"({text})").nodes
    return node


def test_fields_are_read_by_name() -> None:
    node = only(
        "{VAR :varno 1 :varattno -6 :lateral true :alias <> :args ({CONST :constisnull false})"
        " :refs (i 3 -1) :relkind r}"
    )

    assert node.tag == "VAR"
    assert (node.integer("varno"), node.integer("varattno")) == (1, -6)
    assert node.flag("lateral")
    assert node.maybe("alias") is None
    assert [one.tag for one in node.nodes("args")] == ["CONST"]
    assert node.integers("refs") == [3, -1]
    assert node.text("relkind") == "r"


def test_field_of_another_version_is_empty_where_that_is_asked_for() -> None:
    node = only("{QUERY :commandType 1}")

    assert node.maybe("limitCount") is None
    assert node.items("cteList") == []
    assert not node.flag("hasGroupRTE")
    assert not node.has("rteperminfos")


@pytest.mark.parametrize(
    "ask",
    [
        lambda node: node.integer("missing"),
        lambda node: node.node("missing"),
        lambda node: node.text("missing"),
        lambda node: node.data("missing"),
        lambda node: node.integer("word"),
        lambda node: node.integer("list"),
        lambda node: node.flag("word"),
        lambda node: node.node("word"),
        lambda node: node.maybe("word"),
        lambda node: node.items("word"),
        lambda node: node.nodes("list"),
        lambda node: node.integers("words"),
        lambda node: node.text("list"),
        lambda node: node.data("word"),
    ],
)
def test_field_that_is_not_there_or_not_of_that_kind_is_an_error(ask: object) -> None:
    node = only("{T :word r :list (i 1 2) :words (i x)}")
    assert callable(ask)

    with pytest.raises(NodeTreeError, match="T node"):
        ask(node)


def test_backslash_takes_brackets_spaces_and_line_ends_into_a_name() -> None:
    node = only(r'{ALIAS :aliasname a\ b\}\{\(\)\\ :colnames ("id" "x\ \"y" "" ":z")}')

    assert node.text("aliasname") == "a b}{()\\"
    assert strings(node.items("colnames")) == ["id", 'x "y', "", ":z"]


def test_space_that_is_no_blank_is_part_of_a_name() -> None:
    (node,) = parse("({TARGETENTRY :resname a\u00a0b\u2003c :resno 1})").nodes

    assert (node.text("resname"), node.integer("resno")) == ("a\u00a0b\u2003c", 1)


def test_value_that_looks_like_a_field_is_a_value() -> None:
    node = only("{ALIAS :aliasname :aliasname :next 1}")

    assert node.text("aliasname") == ":aliasname"
    assert node.integer("next") == 1


def test_constant_is_bytes_with_negative_ones_as_printed() -> None:
    node = only("{CONST :constisnull false :constvalue 5 [ 20 0 0 0 -61 ] :location 7}")

    assert node.data("constvalue") == b"\x14\0\0\0\xc3"
    assert node.integer("location") == 7
    assert only("{CONST :constvalue <>}").maybe("constvalue") is None


def test_queries_of_all_levels_are_listed() -> None:
    tree = parse("({QUERY :a ({X :b {QUERY :c 1}}) :d {QUERY :e 2}})")

    assert len(tree.nodes) == 1
    assert [sorted(query.fields) for query in tree.queries] == [["a", "d"], ["c"], ["e"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{A}",
        "({A :b 1)",
        "({A :b 1",
        "({A b})",
        "({A :b})",
        "({A :b 1}) extra",
        "(1 2)",
        ")",
        "({A :constvalue 4 [ 1 2 })",
        "({A :constvalue 4 [ x ]})",
    ],
)
def test_text_that_is_no_list_of_nodes_is_an_error(text: str) -> None:
    with pytest.raises(NodeTreeError):
        parse(text)
