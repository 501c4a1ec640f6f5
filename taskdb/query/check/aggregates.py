"""Can an aggregate or a window function give NULL?"""

from __future__ import annotations

from taskdb.query.check.nodetree import Node, NodeTreeError
from taskdb.query.check.nullfree import Aggregation, aggregation, numbers_rows
from taskdb.query.check.scopes import Context, Scope
from taskdb.query.check.verdicts import Judge, Verdict, may, never

__all__ = ["Aggregates"]

# Bits of frameOptions (src/include/nodes/parsenodes.h) that can leave a row out of its own frame,
# or that make the frame depend on a distance between values.
_RANGE, _START_OFFSETS, _END_OFFSETS = 0x2, 0x2800, 0x5000
_START_UNBOUNDED_FOLLOWING, _END_UNBOUNDED_PRECEDING = 0x80, 0x40
_START_FOLLOWING, _END_PRECEDING = 0x2000, 0x1000
_EXCLUDE_CURRENT_ROW, _EXCLUDE_GROUP = 0x8000, 0x10000


class Aggregates(Judge):
    """Judges calls of aggregates and of window functions."""

    def aggregate(self, place: Context, node: Node) -> Verdict:
        """An aggregate of a group: NULL of no row, unless it counts."""
        function = self.catalogue.function(node.integer("aggfnoid"))
        kind = aggregation(function) if function else None
        if function is None or kind is None:
            return may("it is an aggregate of which nothing is known")
        if kind is Aggregation.NEVER_NULL:
            return never(f"{function.name} {kind.value}")
        if node.integer("agglevelsup") > 0:
            return may(f"{function.name} belongs to a query further out")
        if node.maybe("aggfilter"):
            return may(f"{function.name} is NULL where its filter leaves no row")
        if not place.scope.groups_have_rows:
            return may(f"{function.name} of no rows is NULL")
        return self._aggregated(place.scope.row, function.name, kind, node)

    def _aggregated(self, place: Context, name: str, kind: Aggregation, node: Node) -> Verdict:
        """The verdict on an aggregate of one row at least."""
        if kind is Aggregation.WITH_A_ROW:
            return never(f"{name} {kind.value}")
        arguments = [
            entry.node("expr") if entry.tag == "TARGETENTRY" else entry
            for entry in node.nodes("args")
            if not (entry.tag == "TARGETENTRY" and entry.flag("resjunk"))
        ]
        return self._all(place, [*arguments, *node.nodes("aggdirectargs")], f"{name} {kind.value}")

    def window(self, place: Context, node: Node) -> Verdict:
        """A window function: numbers rows, looks at other rows, or aggregates a frame."""
        function = self.catalogue.function(node.integer("winfnoid"))
        if function is None:
            return may("it is a window function that is not in the catalogue")
        if numbers_rows(function):
            return never(f"{function.name} gives every row a number")
        # Other rows: what a CASE knows of this one is not known of them.
        others = place.scope.output
        if function.kind == "w" and function.built_in:
            return self._other_row(others, function.name, node)
        kind = aggregation(function)
        if kind is Aggregation.NEVER_NULL:
            return never(f"{function.name} {kind.value}")
        if kind is None:
            return may(f"{function.name} is not known never to give NULL")
        if node.maybe("aggfilter") or not _holds_its_row(place.scope, node):
            return may(f"{function.name} of an empty frame is NULL")
        return self._aggregated(others, function.name, kind, node)

    def _other_row(self, place: Context, name: str, node: Node) -> Verdict:
        arguments = node.nodes("args")
        if name == "ntile":
            return self._all(place, arguments, "ntile gives every row a number")
        if name in ("lag", "lead"):
            if len(arguments) < 3:
                return may(f"{name} without a default")
            return self._all(place, arguments, f"{name} has a default")
        if name in ("first_value", "last_value") and _holds_its_row(place.scope, node):
            return self._all(place, arguments, f"{name} of a frame that holds its own row")
        return may(f"{name} of a frame that may have no such row")


def _holds_its_row(scope: Scope, call: Node) -> bool:
    """Return whether the frame of the window function *call* always holds its current row."""
    number = call.integer("winref")
    windows = scope.query.nodes("windowClause")
    window = next((one for one in windows if one.integer("winref") == number), None)
    if window is None:
        raise NodeTreeError(f"there is no window {number}")
    options = window.integer("frameOptions")
    if options & (_START_FOLLOWING | _END_PRECEDING | _EXCLUDE_CURRENT_ROW | _EXCLUDE_GROUP):
        return False
    return not (options & _RANGE and options & (_START_OFFSETS | _END_OFFSETS))
