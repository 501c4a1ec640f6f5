"""The fields at the head of a Markdown file, in YAML; faults have their places."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from taskdb.errors import needing

with needing("cli"):
    import yaml


__all__ = ["FieldsError", "parse_fields"]

INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
NULL: Final = "tag:yaml.org,2002:null"
TRUTHS: Final = {"true": True, "false": False}


class FieldsError(ValueError):
    """The fields are not what they should be, at this line and column, counted from 1."""

    def __init__(self, rule: str, line: int, column: int) -> None:
        super().__init__(rule)
        self.rule = rule
        self.line = line
        self.column = column


def parse_fields(text: str, changed: Callable[[str], None]) -> dict[str, Any]:
    """Return the fields of a YAML mapping.

    Whole numbers, true and false, and null are taken as such; whatever else YAML would make
    something of (dates, 27.10, yes, 0x1F) stays the text that it is. *changed* is called with names
    that come twice.

    Raises FieldsError for what is no YAML or no mapping, and for an alias, which could make a
    few lines a gigabyte.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        rule = f"is not YAML: {error.problem or error.context}"
        raise FieldsError(rule, *_place(mark)) from error
    except yaml.YAMLError as error:
        raise FieldsError(f"is not YAML: {str(error).splitlines()[0]}", 1, 1) from error
    except RecursionError as error:
        raise FieldsError("is nested too deeply", 1, 1) from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise FieldsError("must be fields, name: value", *_place(root.start_mark))
    return _Values(changed).mapping(root)


class _Values:
    """Makes values of nodes, each once: a node that is met again is an alias."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self.changed = changed
        self.met: set[int] = set()

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise FieldsError("has a name that is no text", *_place(name.start_mark))
            if name.value in values:
                self.changed(f"names {name.value} more than once; the last one counts")
            values[name.value] = self.value(value)
        return values

    def value(self, node: yaml.Node) -> Any:
        if id(node) in self.met:
            raise FieldsError("uses an alias; write the value out", *_place(node.start_mark))
        self.met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        text = str(node.value)
        if node.tag == NULL:
            return None
        if node.tag.endswith(":int") and INTEGER.fullmatch(text):
            return int(text)
        return TRUTHS.get(text, text) if node.tag.endswith(":bool") else text


def _place(mark: yaml.Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
