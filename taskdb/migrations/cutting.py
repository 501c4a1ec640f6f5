"""Statements of an SQL file: cut as the server cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from taskdb.query._lexer import Kind, tokenize

__all__ = ["ScriptStatement", "split"]

_BLANK = frozenset({Kind.WHITESPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})


@dataclass(frozen=True, slots=True)
class ScriptStatement:
    """One statement, from its first word on, and the line that word stands on."""

    text: str
    line: int

    def line_at(self, position: int) -> int:
        """The file's line for a position in the statement, counted from 1 as the server does."""
        return self.line + self.text.count("\n", 0, position - 1)


# The same files are read by each check of a migration, and for each workspace.
@lru_cache(maxsize=512)
def split(text: str) -> tuple[ScriptStatement, ...]:
    """The statements of *text*: semicolons in strings, bodies and rules do not end one.

    Raises `LexicalError` where the server could not read it either.
    """
    statements: list[ScriptStatement] = []
    start: int | None = None
    line = 1
    counted = end = 0
    blocks = _Blocks()
    for token in tokenize(text):
        if token.kind in _BLANK:
            continue
        word = text[token.start : token.end]
        if word == ";" and not blocks.open:
            if start is not None:
                statements.append(ScriptStatement(text[start : token.end], line))
            start = None
            continue
        if start is None:
            start = token.start
            line += text.count("\n", counted, start)
            counted = start
            blocks = _Blocks()
        blocks.see(word.lower() if token.kind is Kind.IDENTIFIER else word)
        end = token.end
    if start is not None:
        statements.append(ScriptStatement(text[start:end], line))
    return tuple(statements)


class _Blocks:
    """Counts what a semicolon may stand within: parentheses, and ``begin atomic ... end``."""

    def __init__(self) -> None:
        self.parentheses = 0
        self.bodies = 0
        self.last = ""

    @property
    def open(self) -> bool:
        return self.parentheses > 0 or self.bodies > 0

    def see(self, word: str) -> None:
        if word in "()":
            self.parentheses += 1 if word == "(" else -1
        elif (word == "atomic" and self.last == "begin") or (word == "case" and self.bodies):
            self.bodies += 1
        elif word == "end" and self.bodies:
            self.bodies -= 1
        self.last = word
