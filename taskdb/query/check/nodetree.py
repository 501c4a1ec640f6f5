"""PostgreSQL's own trees, as text: `{VAR :varno 1 :varattno 2 ...}` becomes a `Node`.

The format is the one of `nodeToString` (src/backend/nodes/outfuncs.c) and is internal to
PostgreSQL: it changes with every major version. So this parser knows its punctuation only,
and a reader asks for fields by name; a field or a shape it does not find is a `NodeTreeError`.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

Value: TypeAlias = "str | bytes | Node | list[Value] | None"

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BRACKETS = frozenset("({)")


class NodeTreeError(ValueError):
    """The text is not a tree of the shape that was asked for."""


class Node:
    """One node: its tag (`VAR`, `OPEXPR`) and its fields in the order they were printed."""

    __slots__ = ("fields", "tag")

    def __init__(self, tag: str, fields: dict[str, Value]) -> None:
        self.tag = tag
        self.fields = fields

    def __repr__(self) -> str:
        return f"<{self.tag} {self.fields!r}>"

    def has(self, field: str) -> bool:
        """Return whether the node has *field* at all, empty or not: older versions lack some."""
        return field in self.fields

    def _value(self, field: str) -> Value:
        try:
            return self.fields[field]
        except KeyError:
            raise NodeTreeError(f"a {self.tag} node has no field {field}") from None

    def _wrong(self, field: str, wanted: str) -> NodeTreeError:
        return NodeTreeError(f"field {field} of a {self.tag} node is not {wanted}")

    def node(self, field: str) -> Node:
        """The node in *field*; raises `NodeTreeError` when it is empty or something else."""
        value = self._value(field)
        if isinstance(value, Node):
            return value
        raise self._wrong(field, "a node")

    def maybe(self, field: str) -> Node | None:
        """The node in *field*, or None when it is empty or this version has no such field."""
        value = self.fields.get(field)
        if value is None or isinstance(value, Node):
            return value
        raise self._wrong(field, "a node")

    def items(self, field: str) -> list[Value]:
        """The list in *field*; an empty one when it is empty or this version has no such field."""
        value = self.fields.get(field)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self._wrong(field, "a list")

    def nodes(self, field: str) -> list[Node]:
        """As `items`, where every item must be a node."""
        found: list[Node] = []
        for item in self.items(field):
            if not isinstance(item, Node):
                raise self._wrong(field, "a list of nodes")
            found.append(item)
        return found

    def integers(self, field: str) -> list[int]:
        """The numbers of an integer list `(i 1 2)`, OID list `(o 1 2)` or bit set `(b 1 2)`."""
        items = self.items(field)
        if not items:
            return []
        try:
            return [int(item) for item in items[1:] if isinstance(item, str)]
        except ValueError:
            raise self._wrong(field, "a list of numbers") from None

    def integer(self, field: str) -> int:
        """The number in *field*."""
        value = self._value(field)
        try:
            return int(value) if isinstance(value, str) else self._no_integer(field)
        except ValueError:
            raise self._wrong(field, "a number") from None

    def _no_integer(self, field: str) -> int:
        raise self._wrong(field, "a number")

    def flag(self, field: str) -> bool:
        """Return whether *field* is true; false too where this version has no such field."""
        value = self.fields.get(field)
        if value is None:
            return False
        if value not in ("true", "false"):
            raise self._wrong(field, "true or false")
        return value == "true"

    def text(self, field: str) -> str:
        """The word in *field*, its escapes undone; empty when the field is."""
        value = self._value(field)
        if value is None:
            return ""
        if isinstance(value, str):
            return _ESCAPE.sub(r"\1", value)
        raise self._wrong(field, "a word")

    def data(self, field: str) -> bytes:
        """The bytes of a constant; raises `NodeTreeError` when there are none (a NULL)."""
        value = self._value(field)
        if isinstance(value, bytes):
            return value
        raise self._wrong(field, "a constant")


class Tree(NamedTuple):
    """Tree of a text: its nodes, and every query in them, subqueries included."""

    nodes: list[Node]
    queries: list[Node]


def parse(text: str) -> Tree:
    """Read *text*, a printed list of nodes such as the detail of "rewritten parse tree:".

    Raises `NodeTreeError` when it is anything else.
    """
    queries: list[Node] = []
    try:
        values = _read(_tokens(text), queries)
    except (IndexError, ValueError) as exc:
        raise NodeTreeError(f"the tree can't be read: {exc}") from exc
    nodes = values[0] if len(values) == 1 else None
    if not isinstance(nodes, list) or not all(isinstance(item, Node) for item in nodes):
        raise NodeTreeError("the tree is not a list of nodes")
    return Tree([item for item in nodes if isinstance(item, Node)], queries)


def _tokens(text: str) -> list[str]:
    """Split *text* as PostgreSQL's reader does: brackets stand alone, a backslash takes the next.

    Between tokens stand blanks, tabs and ends of lines; any other space belongs to a name. Escapes
    wait aside while `str` does the rest, several times as fast as a pattern.
    """
    aside = _ESCAPE.findall(text) if "\\" in text else []
    plain = _ESCAPE.sub(r"\\", text) if aside else text
    for bracket in "(){}":
        plain = plain.replace(bracket, f" {bracket} ")
    plain = plain.replace("\n", " ").replace("\t", " ")
    tokens = [token for token in plain.split(" ") if token]
    if not aside:
        return tokens
    aside.reverse()
    return [
        re.sub(r"\\", lambda _: f"\\{aside.pop()}", token) if "\\" in token else token
        for token in tokens
    ]


def _read(tokens: list[str], queries: list[Node]) -> list[Value]:  # noqa: PLR0912, PLR0915
    """The values that *tokens* spell; their queries are added to *queries*.

    One loop instead of a function a rule: a tree has thousands of tokens.
    """
    values: list[Value] = []
    items: list[Value] | None = values
    node = Node("", {})
    label = ""
    # The lists and nodes open around the current list (items) or node, each with its field.
    around: list[tuple[list[Value] | None, Node, str]] = []
    at, end = 0, len(tokens)
    while at < end:
        token = tokens[at]
        at += 1
        if items is None and not label:
            if token == "}":
                value: Value = node
                items, node, label = around.pop()
            elif token[0] == ":":
                label = token[1:]
                following = tokens[at]
                if following not in _BRACKETS and label != "constvalue":
                    # The most of a tree by far: a field with a word.
                    node.fields[label] = None if following == "<>" else following
                    label = ""
                    at += 1
                continue
            else:
                raise ValueError(f"expected a field of {node.tag} at token {at}, got {token}")
        elif token == "{":
            around.append((items, node, label))
            items, node, label = None, Node(tokens[at], {}), ""
            if node.tag == "QUERY":
                queries.append(node)
            at += 1
            continue
        elif token == "(":
            around.append((items, node, label))
            items = []
            continue
        elif token == ")":
            if items is None or not around:
                raise ValueError(f"unexpected ) at token {at}")
            value = items
            items, node, label = around.pop()
        elif label == "constvalue" and items is None and token != "<>":
            after = tokens.index("]", at)
            value = bytes(int(number) & 255 for number in tokens[at + 1 : after])
            at = after + 1
        else:
            value = None if token == "<>" else token
        if items is None:
            node.fields[label] = value
            label = ""
        else:
            items.append(value)
    if around:
        raise ValueError("it ends too early")
    return values


def strings(items: list[Value]) -> list[str]:
    """The words of a list of quoted strings, such as column names: `("id" "n")`."""
    return [
        _ESCAPE.sub(r"\1", item[1:-1])
        for item in items
        if isinstance(item, str) and item.startswith('"')
    ]
