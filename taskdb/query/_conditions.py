"""The `-- if` lines of a statement: what each keeps, and what is refused of them.

A condition stands at the end of its line, or alone on a line above several, which
`-- end if` closes. With every line in, the statement is plain SQL.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from taskdb.query._lexer import Kind, Token
from taskdb.query._statements import Condition, SourceFile, Term
from taskdb.query.errors import QueryDefinitionError

__all__ = ["conditions_of", "refuse_remains"]

_IF: Final = re.compile(r"--[ \t]*if\b(.*)", re.IGNORECASE)
_END_IF: Final = re.compile(r"--[ \t]*end[ \t]+if\b(.*)", re.IGNORECASE)
_NAME: Final = r":[^\W\d]\w*"
_FORM: Final = re.compile(
    rf"(?P<names>(?:[ \t]+{_NAME})+)[ \t]*"
    rf"|[ \t]+not[ \t]+(?P<absent>{_NAME})[ \t]*"
    rf"|[ \t]+(?P<choice>{_NAME})[ \t]*=[ \t]*(?P<value>[\w.-]+|'(?:[^']|'')+')[ \t]*",
    re.IGNORECASE,
)
_FORMS: Final = "Write -- if :a, -- if :a :b, -- if not :a or -- if :a = value"
_BLANK: Final = frozenset({Kind.WHITESPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})
_STEPS: Final = {"(": 1, "[": 1, ")": -1, "]": -1}

# Words that need something behind them, and words that can't be that: all of them reserved.
_WANTING: Final = frozenset({",", "where", "and", "or", "not", "having", "on", "when", "then"})
_SORTING: Final = frozenset({"order", "group", "partition"})
_CLAUSES: Final = """
and or as else end except fetch for from group having intersect limit offset on order returning
then union using when where window
"""
_ENDING: Final = frozenset({")", "]", ",", ";", *_CLAUSES.split()})
_OPENING: Final = frozenset({"(", "[", "select", "returning"})


def conditions_of(
    source: SourceFile, tokens: Sequence[Token], begin: int, end: int
) -> tuple[Condition, ...]:
    """Return the conditions among *tokens*, in their order, of the statement from *begin* to *end*.

    Raises QueryDefinitionError for one that is not well formed.
    """
    found = sorted(_Reader(source, tokens, begin, end).read(), key=lambda each: each.start)
    _refuse_mixed(source, found)
    return tuple(found)


def _refuse_mixed(source: SourceFile, conditions: Sequence[Condition]) -> None:
    """Refuse an argument that keeps some lines by its value and others by being given."""
    terms = [(condition, term) for condition in conditions for term in condition.terms]
    chosen = {term.name for _, term in terms if term.value is not None}
    for condition, term in terms:
        if term.value is None and term.name in chosen:
            raise source.error(
                f"{term.name} keeps lines by its value elsewhere",
                condition.at,
                f"Write -- if :{term.name} = value, or keep the lines by another parameter",
            )


class _Reader:
    """Reads the conditions of one statement; `opened` are the blocks around."""

    def __init__(self, source: SourceFile, tokens: Sequence[Token], begin: int, end: int) -> None:
        self.source = source
        self.tokens = tokens
        self.begin = begin
        self.end = end
        self.opened: list[Condition] = []

    def read(self) -> Iterator[Condition]:
        for index, token in enumerate(self.tokens):
            if token.kind is not Kind.LINE_COMMENT:
                continue
            if match := _END_IF.match(self.source.text, token.start, token.end):
                yield self._closed(token, index, match.group(1))
            elif match := _IF.match(self.source.text, token.start, token.end):
                yield from self._condition(token, index, match.group(1))
        self._refuse_open()

    def _refuse_open(self) -> None:
        if self.opened:
            raise self.source.error(
                "the block is not closed",
                self.opened[-1].at,
                "Write -- end if on a line of its own, before the semicolon",
            )

    def _condition(self, token: Token, index: int, written: str) -> Iterator[Condition]:
        on_line = self._before(token, index)
        alone = all(other.kind in _BLANK for other in on_line)
        form = _FORM.fullmatch(written)
        if form is None:
            if alone:
                return  # Prose.
            raise self.source.error(
                "the condition is not of the form -- if :name",
                token.start,
                f"{_FORMS}; a remark begins with another word",
            )
        within = tuple(term for block in self.opened for term in block.terms)
        start, end = self.source.line_start(token.start), self.source.line_end(token.start)
        condition = Condition(_terms(form), token.start, start, end, within)
        if not alone:
            self._refuse_cut(on_line, start)
            yield self._sound(condition)
        elif token.start < self.begin or token.start > self.end:
            raise self.source.error(
                "the block is outside of the statement",
                token.start,
                "Put it below the statement's first line and above its semicolon",
            )
        else:
            self.opened.append(condition)

    def _closed(self, token: Token, index: int, rest: str) -> Condition:
        if rest.strip() or any(other.kind not in _BLANK for other in self._before(token, index)):
            raise self.source.error(
                "the end of a block is not on a line of its own",
                token.start,
                "Write -- end if on a line of its own",
            )
        if token.start > self.end:
            self._refuse_open()
        if not self.opened:
            raise self.source.error(
                "the end of a block has no beginning",
                token.start,
                "Begin it with -- if :name on a line of its own",
            )
        block = self.opened.pop()
        if all(other.kind in _BLANK for other in self.tokens[:index] if other.start >= block.start):
            raise self.source.error("the block is empty", block.at, "Take it out, or fill it")
        end = self.source.line_end(token.start)
        return self._sound(Condition(block.terms, block.at, block.start, end, block.within))

    def _before(self, token: Token, index: int) -> list[Token]:
        """Return the tokens before a comment that stand on its line, wholly or in part."""
        start = self.source.line_start(token.start)
        before = takewhile(lambda other: other.end > start, reversed(self.tokens[:index]))
        return list(before)[::-1]

    def _refuse_cut(self, on_line: Sequence[Token], start: int) -> None:
        for other in on_line:
            if other.start < start and other.kind is not Kind.WHITESPACE:
                raise self.source.error(
                    f"leaving the line out would cut a {other.kind.value}",
                    other.start,
                    "Put it on one line, or on lines without a condition",
                )

    def _sound(self, condition: Condition) -> Condition:
        """Return *condition* if it can hold, and sends no argument that is left out."""
        for term in condition.terms:
            for other in condition.within:
                clash = term.value != other.value if term.value else term.negated != other.negated
                if term.name == other.name and clash:
                    raise self.source.error(
                        f"the condition on :{term.name} never holds in the block around it",
                        condition.at,
                        "Close the block before, or drop one of the two",
                    )
            for token in self.tokens if term.negated else ():
                text = self.source.text[token.start : token.end]
                inside = condition.start <= token.start < condition.end
                if inside and token.kind is Kind.PARAMETER and text == f":{term.name}":
                    raise self.source.error(
                        f"{text} is sent where it is left out",
                        token.start,
                        f"Send another value here, or end the line with -- if {text}",
                    )
        return condition


def _terms(form: re.Match[str]) -> tuple[Term, ...]:
    if form["absent"]:
        return (Term(form["absent"][1:], negated=True),)
    if form["choice"]:
        value = form["value"]
        value = value[1:-1].replace("''", "'") if value.startswith("'") else value
        return (Term(form["choice"][1:], value=value),)
    return tuple(Term(name[1:]) for name in form["names"].split())


def refuse_remains(
    source: SourceFile, name: Token, body: Sequence[Token], conditions: Sequence[Condition]
) -> None:
    """Refuse conditions that leave nothing, half a pair of parentheses, or a comma with no item."""
    if not conditions:
        return
    solid = [token for token in body if token.kind not in _BLANK]
    if all(any(line.start <= token.start < line.end for line in conditions) for token in solid):
        raise source.error(
            "every line is conditional", name.start, "Leave one line without a condition"
        )
    keys = {condition: _key(condition, conditions) for condition in conditions}
    _refuse_halves(source, solid, conditions, keys)
    _refuse_dangling(source, solid, conditions, keys)


def _refuse_halves(
    source: SourceFile,
    solid: Sequence[Token],
    conditions: Sequence[Condition],
    keys: Mapping[Condition, object],
) -> None:
    brackets = [
        token.start
        for token in solid
        if token.kind is Kind.PUNCTUATION and source.text[token.start] in _STEPS
    ]
    surplus: dict[object, int] = {}
    for line in conditions:
        inside = brackets[bisect_left(brackets, line.start) : bisect_left(brackets, line.end)]
        opened = sum(_STEPS[source.text[start]] for start in inside)
        surplus[keys[line]] = surplus.get(keys[line], 0) + opened
    for line in conditions:
        if surplus[keys[line]]:
            raise source.error(
                "leaving the line out would leave half a pair of parentheses",
                line.at,
                "Let the parenthesis open and close on lines with the same condition",
            )


def _key(condition: Condition, conditions: Sequence[Condition]) -> object:
    """Return what is the same of conditions that always hold together."""
    terms = condition.terms
    if terms[0].value is None and not terms[0].negated:
        names = {term.name for term in terms}
        grown = True
        while grown:
            linked = [
                {term.name for term in other.terms}
                for other in conditions
                if len(other.terms) > 1 and not names.isdisjoint({t.name for t in other.terms})
            ]
            grown = any(not each <= names for each in linked)
            names.update(*linked)
        return frozenset(names), condition.within
    return terms, condition.within


def _refuse_dangling(
    source: SourceFile,
    solid: Sequence[Token],
    conditions: Sequence[Condition],
    keys: Mapping[Condition, object],
) -> None:
    """Refuse lines without which two words would meet that can't: `, from`, `order by limit`."""
    starts = [token.start for token in solid]
    around: dict[int, list[Condition]] = {}
    for each in conditions:
        for index in range(bisect_left(starts, each.start), bisect_left(starts, each.end)):
            around.setdefault(index, []).append(each)
    for condition in conditions:
        before = bisect_left(starts, condition.start) - 1
        # Lines left out beside it, with the same condition or with others that follow on it.
        gone = {keys[condition]}
        dropped: Condition | None = condition
        while dropped and not any(keys[each] in gone for each in around.get(before, ())):
            after = bisect_left(starts, dropped.end)
            while same := [each for each in around.get(after, ()) if keys[each] in gone]:
                after = max(bisect_left(starts, each.end) for each in same)
            if _can_not_meet(source, solid, before, after):
                raise _dangling(source, solid, before, dropped)
            begins = [each for each in around.get(after, ()) if each.start > solid[after - 1].start]
            dropped = max(begins, key=lambda each: each.end, default=None)
            gone |= {keys[dropped]} if dropped else set()


def _word(source: SourceFile, solid: Sequence[Token], index: int) -> str:
    if 0 <= index < len(solid):
        token = solid[index]
        return source.text[token.start : token.end].lower()
    return "" if index < 0 else ";"


def _can_not_meet(source: SourceFile, solid: Sequence[Token], before: int, after: int) -> bool:
    left, right = _word(source, solid, before), _word(source, solid, after)
    if left == "by":
        return right in _ENDING and _word(source, solid, before - 1) in _SORTING
    if left in _WANTING:
        return right in _ENDING
    return left in _OPENING and right in (",", "and", "or")


def _dangling(
    source: SourceFile, solid: Sequence[Token], before: int, condition: Condition
) -> QueryDefinitionError:
    left = _word(source, solid, before)
    sorts = f"{_word(source, solid, before - 1)} by"
    what = f"{sorts if left == 'by' else left} with nothing behind it"
    what = "a comma with no item behind it" if left == "," else what
    return source.error(
        f"leaving the line out would leave {what}",
        condition.at,
        "Put the last item of the list on a line without a condition"
        if left in (",", "by")
        else "Begin with a line without a condition, such as true",
    )
