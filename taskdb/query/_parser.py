"""Files of named queries: what stands in them, and the text that is sent for each.

A file holds blocks. `-- name: list_tasks` opens one; the comment below it is the query's
documentation, lines `-- plan: ...` in it are kept apart; then comes one statement, which ends at
its `;`. A line that ends in `-- if :status`, or the lines from there to `-- end if`, are left out
when that argument is. Whatever is wrong raises QueryDefinitionError with file, line, column, the
line itself and a remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from taskdb.query._conditions import conditions_of, refuse_remains
from taskdb.query._lexer import Kind, LexicalError, Token, tokenize
from taskdb.query._statements import SourceFile, Statement
from taskdb.query.errors import QueryDefinitionError

__all__ = ["parse"]

_NAME: Final = re.compile(r"--[ \t]*name[ \t]*:(.*)", re.IGNORECASE)
_PLAN: Final = re.compile(r"--[ \t]*plan[ \t]*:(.*)", re.IGNORECASE)
_EVERY_ROW: Final = re.compile(r"--[ \t]*every row[ \t]*:(.*)", re.IGNORECASE)
_QUOTED_VARIABLE: Final = re.compile(r""":(['"])([^\W\d]\w*)\1""")
_COMMENTS: Final = frozenset({Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})
_BLANK: Final = _COMMENTS | {Kind.WHITESPACE}
_STRINGS: Final = frozenset(
    {
        Kind.STRING,
        Kind.ESCAPE_STRING,
        Kind.UNICODE_STRING,
        Kind.BIT_STRING,
        Kind.HEX_STRING,
        Kind.DOLLAR_STRING,
    }
)
_WORDS: Final = frozenset(
    {Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER, Kind.UNICODE_IDENTIFIER, Kind.NUMBER}
)
_CLOSED_BY: Final = {")": "(", "]": "["}


def parse(source: SourceFile) -> dict[str, Statement]:
    """Return the queries of *source* by name, in the file's order.

    Raises QueryDefinitionError.
    """
    statements: dict[str, Statement] = {}
    for name, block in _blocks(source, _tokens(source)):
        statement = _statement(source, name, block)
        if earlier := statements.get(statement.name):
            line, _ = source.place(earlier.at)
            raise source.error(
                f"the name {statement.name} is taken by line {line}",
                name.start,
                "Rename one of the two",
            )
        statements[statement.name] = statement
    return statements


def _tokens(source: SourceFile) -> list[Token]:
    tokens: list[Token] = []
    try:
        tokens.extend(tokenize(source.text))
    except LexicalError as exc:
        remedy = exc.remedy + _swallowed(source, tokens)
        raise source.error(str(exc), exc.position, remedy) from None
    return tokens


def _swallowed(source: SourceFile, tokens: Iterable[Token]) -> str:
    """Say which quote may be the open one: the first that runs over a `-- name:` line."""
    for token in tokens:
        name = re.search(r"^[ \t]*--[ \t]*name:", source.text[token.start : token.end], re.M)
        if name and "\n" in source.text[token.start : token.end]:
            line, column = source.place(token.start)
            over, _ = source.place(token.start + name.start())
            return (
                f"; or the {token.kind.value} that begins at {line}:{column} should end before "
                f"the name at line {over}"
            )
    return ""


def _blocks(source: SourceFile, tokens: list[Token]) -> Iterator[tuple[Token, list[Token]]]:
    """Cut the file at its `-- name:` lines."""
    block: list[Token] = []
    name: Token | None = None
    for token in tokens:
        if token.kind is Kind.LINE_COMMENT and _NAME.match(source.text, token.start):
            if source.text[source.line_start(token.start) : token.start].strip():
                raise source.error(
                    "a name does not begin its line", token.start, "Put it on a line of its own"
                )
            if name:
                yield name, block
            name, block = token, []
        elif name:
            block.append(token)
        elif token.kind not in _BLANK:
            raise source.error(
                "the statement has no name", token.start, "Write -- name: some_name above it"
            )
    if name:
        yield name, block


def _statement(source: SourceFile, name_token: Token, block: list[Token]) -> Statement:
    name = _name(source, name_token)
    tokens, rest = _divide(source, name, name_token, block)
    start = next(index for index, token in enumerate(tokens) if not _is_remark(token))
    body = tokens[start:]
    _refuse_strangers(source, body)
    _refuse_touching(source, body)
    _refuse_ambiguous_slices(source, body)
    conditions = conditions_of(source, [*tokens, *rest], body[0].start, body[-1].end)
    refuse_remains(source, name_token, body, conditions)
    parameters: dict[str, tuple[int, ...]] = {}
    for token in body:
        if token.kind is Kind.PARAMETER:
            parameter = source.text[token.start + 1 : token.end]
            parameters[parameter] = (*parameters.get(parameter, ()), token.start)
    doc, plans, every_row = _remarks(source, tokens[:start])
    return Statement(
        source=source,
        name=name,
        at=name_token.start,
        doc=doc,
        plans=plans,
        start=body[0].start,
        end=body[-1].end,
        tokens=tuple(body),
        conditions=conditions,
        parameters=parameters,
        copy_columns=_copy_columns(source, body),
        every_row=every_row,
    )


def _name(source: SourceFile, token: Token) -> str:
    match = _NAME.match(source.text, token.start, token.end)
    assert match
    name = match.group(1).strip()
    if not name.isidentifier():
        raise source.error(
            f"{name!r} cannot name a function" if name else "the name is missing",
            match.start(1) + len(match.group(1)) - len(match.group(1).lstrip()),
            "Write one word of letters, digits and underscores: -- name: list_tasks",
        )
    return name


def _divide(
    source: SourceFile, name: str, name_token: Token, block: list[Token]
) -> tuple[list[Token], list[Token]]:
    """Return the tokens up to the `;`, and those after it. As in psql, parentheses hide a `;`."""
    opened: list[Token] = []
    for index, token in enumerate(block):
        char = source.text[token.start] if token.kind is Kind.PUNCTUATION else ""
        if char == "(":
            opened.append(token)
        elif char == ")" and opened:
            opened.pop()
        elif char == ";" and not opened:
            return _one_statement(source, name, name_token, block, index)
    if opened:
        raise source.error(
            f"{name} has a parenthesis that is not closed", opened[-1].start, "Close it with )"
        )
    if all(token.kind in _BLANK for token in block):
        raise _empty(source, name, name_token)
    last = [token for token in block if token.kind not in _BLANK][-1]
    raise source.error(
        f"the statement of {name} has no end",
        last.end - 1,
        "End it with a semicolon" + _swallowed(source, block),
    )


def _one_statement(
    source: SourceFile, name: str, name_token: Token, block: list[Token], semicolon: int
) -> tuple[list[Token], list[Token]]:
    tokens, rest = block[:semicolon], block[semicolon + 1 :]
    if all(token.kind in _BLANK for token in tokens):
        raise _empty(source, name, name_token)
    for token in rest:
        if token.kind not in _BLANK:
            raise source.error(
                f"{name} has a second statement",
                token.start,
                "Give it a -- name: line of its own; a query is one statement"
                + _swallowed(source, block),
            )
    return tokens, rest


def _empty(source: SourceFile, name: str, name_token: Token) -> QueryDefinitionError:
    return source.error(
        f"{name} has no statement", name_token.start, "Write it below, or take the name out"
    )


def _is_remark(token: Token) -> bool:
    return token.kind in (Kind.WHITESPACE, Kind.LINE_COMMENT)


def _remarks(
    source: SourceFile, tokens: Iterable[Token]
) -> tuple[str, tuple[str, ...], str | None]:
    """Return the comment below the name, and apart from it `-- plan:` and `-- every row:` lines."""
    doc: list[str] = []
    plans: list[str] = []
    every_row: str | None = None
    for token in tokens:
        if token.kind is Kind.LINE_COMMENT:
            comment = source.text[token.start : token.end]
            plan = _PLAN.match(comment)
            if plan:
                plans.append(plan.group(1).strip())
            elif mark := _EVERY_ROW.match(comment):
                every_row = mark.group(1).strip()
                if not every_row:
                    raise source.error(
                        "the mark gives no reason", token.start, "Write -- every row: and why"
                    )
            else:
                doc.append(comment[2:].removeprefix(" ").rstrip())
    return "\n".join(doc).strip("\n"), tuple(plans), every_row


def _refuse_strangers(source: SourceFile, tokens: Iterable[Token]) -> None:
    """Refuse what SQL has no use for, psql's other ways to write a variable, and `$1`."""
    for token in tokens:
        text = source.text[token.start : token.end]
        if token.kind is Kind.POSITIONAL:
            raise source.error(
                f"{text} is a parameter without a name", token.start, "Write :name; it is numbered"
            )
        if token.kind is Kind.OTHER:
            remedy = "Take it out"
            if text == "\\":
                remedy = "psql's commands have no place inside a query"
            elif text == "$":
                remedy = "A dollar-quoted string begins and ends with the same $tag$"
            raise source.error(f"PostgreSQL has no use for {text!r}", token.start, remedy)
    for token in tokens:
        quoted = _QUOTED_VARIABLE.match(source.text, token.start)
        if quoted and token.end == token.start + 1:
            raise source.error(
                f"{quoted.group()} is psql's way to quote a variable",
                token.start,
                f"Write :{quoted.group(2)}; an argument is never pasted into the text",
            )


def _refuse_touching(source: SourceFile, tokens: Sequence[Token]) -> None:
    """Refuse a parameter that touches a word: psql, which pastes values, would glue the two."""
    glue = _WORDS | _STRINGS | {Kind.PARAMETER}
    for left, right in pairwise(tokens):
        if Kind.PARAMETER in (left.kind, right.kind) and {left.kind, right.kind} <= glue:
            parameter = right if right.kind is Kind.PARAMETER else left
            text = source.text[parameter.start : parameter.end]
            raise source.error(
                f"{text} touches the {'word' if parameter is right else 'text'} "
                f"{'before' if parameter is right else 'after'} it",
                right.start,
                "Put a space between; in a slice write [a : b], with a parameter [a : :b]",
            )


def _refuse_ambiguous_slices(source: SourceFile, tokens: Iterable[Token]) -> None:
    """Refuse `[1 :b]` and `[f(a):b]`: is it a slice up to the column b, or a parameter?"""
    opened: list[str] = []
    previous: Token | None = None
    for token in tokens:
        if token.kind in _BLANK:
            continue
        char = source.text[token.start] if token.kind is Kind.PUNCTUATION else ""
        if token.kind is Kind.PARAMETER and opened[-1:] == ["["] and previous:
            ends_value = previous.kind in (Kind.NUMBER, Kind.PARAMETER, *_STRINGS)
            if ends_value or source.text[previous.start : previous.end] in ("]", ")"):
                raise source.error(
                    f"{source.text[token.start : token.end]} may be a parameter or a slice's bound",
                    token.start,
                    "Write [a : b] with a space after the colon, and [a : :b] with a parameter",
                )
        if char in ("(", "["):
            opened.append(char)
        elif char in _CLOSED_BY and opened[-1:] == [_CLOSED_BY[char]]:
            opened.pop()
        previous = token


def _copy_columns(source: SourceFile, body: Iterable[Token]) -> tuple[str, ...] | None:
    """Return the columns of `copy t (a, b) from stdin`, or None for any other statement."""
    tokens = [token for token in body if token.kind not in _BLANK]
    words = [source.text[token.start : token.end] for token in tokens]
    if words[0].lower() != "copy":
        return None
    shape = [
        "name" if token.kind in _WORDS and token.kind is not Kind.NUMBER else word
        for token, word in zip(tokens, words, strict=True)
    ]
    pattern = r"name name(?: \. name)? \( name(?: , name)* \) name name"
    if not re.fullmatch(pattern, " ".join(shape)) or [w.lower() for w in words[-2:]] != [
        "from",
        "stdin",
    ]:
        raise source.error(
            "the copy statement is not of the form copy t (a, b) from stdin",
            tokens[0].start,
            "List the columns; the format is text, without options",
        )
    columns = words[words.index("(") + 1 : words.index(")") : 2]
    return tuple(_column(word) for word in columns)


def _column(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
