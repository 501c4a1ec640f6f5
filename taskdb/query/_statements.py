"""A named statement: where it stands in its file, and the variants that are sent for it.

A statement has one text for each choice of its conditional lines. Each text remembers where in
the file every piece of it stands, so that the server's "position 214" becomes a line and column.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import Final

from taskdb.query._lexer import Kind, Token
from taskdb.query.errors import QueryDefinitionError

__all__ = ["Condition", "SourceFile", "Statement", "Term", "Variant"]

_BLANK: Final = frozenset({Kind.WHITESPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})
_WRITING: Final = frozenset({("insert", "into"), ("delete", "from"), ("merge", "into")})
_BEFORE_STAR: Final = frozenset({".", ",", "select", "distinct", "all", "returning"})
_NEWLINE: Final = re.compile(r"\r\n|\n|\r")


class SourceFile:
    """The text of one `.sql` file, and where each character of it stands.

    `label` is the short path that messages show, `path` the place it was read from.
    """

    def __init__(self, text: str, label: str, path: str | None = None) -> None:
        self.text = text
        self.label = label
        self.path = path or label
        self._lines = [0, *(newline.end() for newline in _NEWLINE.finditer(text))]

    @classmethod
    def from_bytes(cls, data: bytes, label: str, path: str | None = None) -> SourceFile:
        """Decode a file as psql does: UTF-8, a byte order mark left out, newlines as they are."""
        try:
            return cls(data.decode("utf-8-sig"), label, path)
        except UnicodeDecodeError as exc:
            readable = cls(data[: exc.start].decode("utf-8-sig"), label, path)
            raise readable.error(
                "the file is not UTF-8 here", len(readable.text), "Save the file as UTF-8"
            ) from exc

    def line_start(self, offset: int) -> int:
        """Return where the line begins that holds the character at *offset*."""
        return self._lines[bisect_right(self._lines, offset) - 1]

    def line_end(self, offset: int) -> int:
        """Return where the next line begins, or where the text ends."""
        following = bisect_right(self._lines, offset)
        return self._lines[following] if following < len(self._lines) else len(self.text)

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of the character at *offset*, both counted from 1."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def where(self, offset: int) -> str:
        """Return the place of a character as editors read it: `sql/queries/tasks.sql:7:15`."""
        line, column = self.place(offset)
        return f"{self.label}:{line}:{column}"

    def excerpt(self, offset: int) -> str:
        """Return the line that holds the character, and below it a caret under the character."""
        start = self.line_start(offset)
        line = self.text[start : self.line_end(offset)].rstrip("\r\n")
        indent = "".join("\t" if char == "\t" else " " for char in line[: offset - start])
        return f"    {line}\n    {indent}^"

    def error(self, message: str, offset: int, remedy: str) -> QueryDefinitionError:
        """Return the error that says *message* about the character at *offset*."""
        return QueryDefinitionError(
            message,
            where=self.where(offset),
            hint=f"{remedy}{'' if remedy.endswith('?') else '.'}\n{self.excerpt(offset)}",
        )


# The first words of statements that read and write data, and of those that change the session.
_DATA: Final = frozenset(
    {"select", "insert", "update", "delete", "merge", "with", "values", "copy"}
)
_OF_SESSION: Final = frozenset(
    {
        "set_config",
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
        "temp",
        "temporary",
    }
)


@dataclass(frozen=True, slots=True)
class Term:
    """One demand on an argument: that it is given, or left out (`not :a`), or a *value*."""

    name: str
    negated: bool = False
    value: str | None = None

    @property
    def fact(self) -> str:
        """Fact that it asks for, in the form of `Variant.present`: `a`, or `by=title`."""
        return self.name if self.value is None else f"{self.name}={self.value}"

    def holds(self, present: Collection[str]) -> bool:
        return (self.fact in present) is not self.negated


@dataclass(frozen=True, slots=True)
class Condition:
    """A line that ends in `-- if ...`, or the lines between one and `-- end if`.

    They are sent when all *terms* hold, and those of the blocks around it, *within*.
    """

    terms: tuple[Term, ...]
    at: int
    start: int
    end: int
    within: tuple[Term, ...] = ()

    def holds(self, present: Collection[str]) -> bool:
        return all(term.holds(present) for term in self.terms)

    def needs(self, name: str) -> bool:
        """Tell whether it is only sent when the argument *name* is given."""
        return any(term.name == name and not term.negated for term in self.terms)


@dataclass(frozen=True)
class Variant:
    """One text of a query, as it is sent, with the lines of *present* arguments in it.

    `present` has the name of each argument that is given and keeps lines, and of a choice
    its value too: `by=title`. `parameters` names what `$1`, `$2`, ... stand for.
    """

    statement: Statement
    present: frozenset[str]
    text: str
    parameters: tuple[str, ...]
    _sent: tuple[int, ...] = field(repr=False)
    _source: tuple[int, ...] = field(repr=False)

    def offset(self, position: int) -> int:
        """Return where in the file the character stands that is *position* (from 0) in `text`."""
        piece = max(bisect_right(self._sent, position) - 1, 0)
        end = self._sent[piece + 1] - 1 if piece + 1 < len(self._sent) else len(self.text)
        past = max(min(position, end) - self._sent[piece], 0)
        if self.statement.source.text[self._source[piece]] == ":" and self._replaced(piece):
            past = 0
        return self._source[piece] + past

    def _replaced(self, piece: int) -> bool:
        return self.text[self._sent[piece]] == "$"


@dataclass(frozen=True)
class Statement:
    """One named query of a file.

    `doc` is the comment below its name, `plans` the texts of its `-- plan:` lines, `parameters`
    each parameter with the offsets at which it stands in the file, `conditions` its `-- if`
    lines. `every_row` is why it may write to every row of a table, if it says so.
    `copy_columns` is None unless the statement is `copy t (a, b) from stdin`.
    """

    source: SourceFile
    name: str
    at: int
    doc: str
    plans: tuple[str, ...]
    start: int
    end: int
    tokens: tuple[Token, ...] = field(repr=False)
    conditions: tuple[Condition, ...]
    parameters: dict[str, tuple[int, ...]]
    copy_columns: tuple[str, ...] | None = None
    every_row: str | None = None

    @property
    def where(self) -> str:
        """The place of the query's name in its file."""
        return self.source.where(self.at)

    @property
    def names(self) -> Collection[str]:
        """Everything that takes an argument: parameters, conditions, columns of a copy."""
        return {*self.parameters, *self.conditional, *(self.copy_columns or ())}

    @property
    def copied_table(self) -> str:
        """The table that a copy writes to, as the statement has it."""
        text = self.source.text
        first = self.tokens[0]
        opened = next(each for each in self.tokens if text[each.start : each.end] == "(")
        return text[first.end : opened.start].strip()

    @cached_property
    def groups(self) -> tuple[frozenset[str], ...]:
        """The arguments that keep lines by being given, in groups that come and go together."""
        groups: list[frozenset[str]] = []
        for condition in self.conditions:
            merged = frozenset(term.name for term in condition.terms if term.value is None)
            if merged:
                touched = [group for group in groups if group & merged]
                groups = [group for group in groups if not group & merged]
                groups.append(merged.union(*touched))
        return tuple(groups)

    @cached_property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The arguments that keep lines by their value, and the values that have lines."""
        values: dict[str, dict[str, None]] = {}
        for condition in self.conditions:
            for term in condition.terms:
                if term.value is not None:
                    values.setdefault(term.name, {})[term.value] = None
        return {name: tuple(each) for name, each in values.items()}

    @cached_property
    def conditional(self) -> frozenset[str]:
        """The parameters that `-- if` lines name."""
        return frozenset(name for group in self.groups for name in group) | self.choices.keys()

    @cached_property
    def needs(self) -> dict[str, tuple[Term, ...]]:
        """Conditions on other arguments without which a fact has no effect.

        It is what the blocks around have in common, of all lines that the fact keeps, unless its
        parameter is sent elsewhere too.
        """
        needs: dict[str, tuple[Term, ...]] = {}
        if not any(condition.within for condition in self.conditions):
            return needs
        for condition in self.conditions:
            for term in condition.terms:
                if term.negated:
                    needs[term.fact] = ()
                elif self.unconditional_use(term.name) is None:
                    common = needs.get(term.fact, condition.within)
                    needs[term.fact] = tuple(each for each in common if each in condition.within)
        return {
            fact: tuple(each for each in terms if each.fact != fact)
            for fact, terms in needs.items()
        }

    def facts(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return the facts of *given* arguments; only those of choices are looked at.

        Raises ValueError for one that keeps no line.
        """
        facts = set[str]()
        for name, value in given.items():
            fact = name
            if name in self.choices:
                chosen = str(value.value if isinstance(value, Enum) else value)
                fact = Term(name, value=chosen).fact
                if chosen not in self.choices[name]:
                    raise ValueError(f"{self.name} has no line -- if :{name} = {chosen}")
            elif name not in self.conditional:
                raise ValueError(f"{self.name} has no line -- if :{name}")
            facts.add(fact)
        return frozenset(facts)

    @cached_property
    def has_star(self) -> bool:
        """Tell whether its columns may be named by a `*`, and so by a table that can change."""
        words = [
            self.source.text[token.start : token.end].lower()
            for token in self.tokens
            if token.kind not in _BLANK
        ]
        return "table" in words or any(
            word == "*" and before in _BEFORE_STAR for before, word in pairwise(words)
        )

    @cached_property
    def changes_session(self) -> bool:
        """Tell whether its connection may be another afterwards: a setting, a lock, a table.

        A column of such a name counts as well: a false positive only costs one extra reset.
        """
        first = self.source.text[self.start : self.end].split(None, 1)[0].lower()
        return first not in _DATA or not self._words.isdisjoint(_OF_SESSION)

    @cached_property
    def command(self) -> str:
        """Its command, such as SELECT; with CTEs, that of the statement they are for."""
        depth, words = 0, list[str]()
        for token in self.tokens:
            if token.kind in _BLANK:
                continue
            word = self.source.text[token.start : token.end].lower()
            depth += (word == "(") - (word == ")")
            if depth == 0 and token.kind is Kind.IDENTIFIER:
                words.append(word)
        if words and words[0] == "with":
            words = [word for word in words if word in _DATA - {"with"}]
        return (words or ["select"])[0].upper()

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(self.source.text[token.start : token.end].lower() for token in self.tokens)

    @cached_property
    def writes(self) -> bool:
        """Tell whether it, or a CTE of it, writes to a table."""
        words = [
            self.source.text[token.start : token.end].lower()
            for token in self.tokens
            if token.kind not in _BLANK
        ]
        return any(
            before == "("
            and ((word, after) in _WRITING or (word == "update" and after[0] not in ",).:;"))
            for before, word, after in zip(["(", *words], words, [*words[1:], ";"], strict=False)
        )

    def unconditional_use(self, name: str) -> int | None:
        """Return an offset at which *name* is sent although its own `-- if` lines are left out."""
        own = [line for line in self.conditions if line.needs(name)]
        for offset in self.parameters.get(name, ()):
            if not any(line.start <= offset < line.end for line in own):
                return offset
        return None

    def variants(
        self, tag: str = "", required: Collection[str] = (), most: int | None = None
    ) -> Iterator[Variant]:
        """Yield every text of the query: with no conditional line, with each, ..., with all.

        Arguments in *required* are never left out. Where there are more than *most*, yield
        those in which each pair of conditions is seen in all ways.
        """
        # Running a query needs none of it.
        from taskdb.query._combinations import combined
        from taskdb.query._switches import Switches

        states = [(frozenset[str](), group) for group in self.groups]
        for name, values in self.choices.items():
            chosen = tuple(frozenset({Term(name, value=value).fact}) for value in values)
            states.append(chosen if name in required else (frozenset(), *chosen))  # type: ignore[arg-type]
        needs = {
            fact: [(term.fact, not term.negated) for term in terms]
            for fact, terms in self.needs.items()
        }
        for present in combined(Switches(states, needs), most):
            yield self.variant(present, tag)

    def whole(self, tag: str = "") -> Variant:
        """Return the text with every line in it, as psql sends it."""
        facts = {term.fact for condition in self.conditions for term in condition.terms}
        return self._variant(facts, (), tag)

    def variant(self, present: Collection[str], tag: str = "") -> Variant:
        """Return the text with the lines of the *present* facts in it.

        The comment *tag* stands behind its first word: before it, PostgreSQL 18 would leave it
        out of pg_stat_statements, and at the end pg_stat_activity would cut it off.
        """
        dropped = [line for line in self.conditions if not line.holds(present)]
        return self._variant(present, dropped, tag)

    def _variant(self, present: Collection[str], dropped: Sequence[Condition], tag: str) -> Variant:
        text: list[str] = []
        length = 0
        numbers: dict[str, int] = {}
        sent: list[int] = []
        origin: list[int] = []
        source = self.source.text
        for token in self._kept(dropped):
            piece = source[token.start : token.end]
            if token.kind is Kind.PARAMETER:
                piece = f"${numbers.setdefault(piece[1:], len(numbers) + 1)}"
            if tag and token.kind not in _BLANK:
                piece, tag = f"{piece} {tag}", ""
            text.append(piece)
            sent.append(length)
            origin.append(token.start)
            length += len(piece)
        return Variant(
            self,
            frozenset(present),
            "".join(text).rstrip(),
            tuple(numbers),
            tuple(sent),
            tuple(origin),
        )

    def _kept(self, dropped: Sequence[Condition]) -> Iterator[Token]:
        """Yield the tokens outside the *dropped* lines; white space may begin or end in one."""
        if not dropped:
            yield from self.tokens
            return
        for token in self.tokens:
            start = token.start
            for line in dropped:
                if start < line.end and line.start < token.end:
                    if start < line.start:
                        yield Token(token.kind, start, line.start)
                    start = line.end
            if start < token.end:
                yield Token(token.kind, start, token.end)
