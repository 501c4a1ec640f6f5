"""PostgreSQL's lexical rules, and psql's `:name`, in Python.

`tokenize` cuts SQL text exactly where the server's scanner cuts it (the manual's chapter 4.1;
the tests compare it with libpg_query's scanner), with `standard_conforming_strings` on, as it
has been by default since PostgreSQL 9.1. The one addition is psql's: a colon directly followed
by a letter or an underscore begins a parameter, unless the colon belongs to `::` or `:=`.
Inside strings, quoted identifiers and comments a colon means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

__all__ = ["Kind", "LexicalError", "Token", "tokenize"]


class Kind(Enum):
    """Kind of a token. Whitespace and comments are tokens too: nothing of the text is lost."""

    WHITESPACE = "whitespace"
    LINE_COMMENT = "line comment"
    BLOCK_COMMENT = "block comment"
    STRING = "string"
    ESCAPE_STRING = "escape string"
    UNICODE_STRING = "string with Unicode escapes"
    BIT_STRING = "bit string"
    HEX_STRING = "hexadecimal string"
    DOLLAR_STRING = "dollar-quoted string"
    IDENTIFIER = "identifier"
    QUOTED_IDENTIFIER = "quoted identifier"
    UNICODE_IDENTIFIER = "quoted identifier with Unicode escapes"
    NUMBER = "number"
    POSITIONAL = "positional parameter"
    PARAMETER = "parameter"
    OPERATOR = "operator"
    TYPECAST = "::"
    ASSIGNMENT = ":="
    DOT_DOT = ".."
    PUNCTUATION = "punctuation"
    OTHER = "character that SQL has no use for"


class Token(NamedTuple):
    """One token: `text[start:end]`, counted in characters."""

    kind: Kind
    start: int
    end: int


class LexicalError(Exception):
    """The text is no SQL: what is wrong, where (a character offset), and what to do about it."""

    def __init__(self, message: str, position: int, remedy: str) -> None:
        super().__init__(message)
        self.position = position
        self.remedy = remedy


# The server works on bytes and takes every byte above 127 as a letter; so does this pattern.
# The letters are ASCII's, _ and all from U+0080 on. Classes that name what is no letter compile
# forty times as fast as those that name the rest of Unicode.
_LETTER: Final = r"[^\x00-@\[-^`{-\x7f]"
_LETTER_OR_DIGIT: Final = r"[^\x00-/:-@\[-^`{-\x7f]"
_IDENTIFIER: Final = rf"{_LETTER}[^\x00-#%-/:-@\[-^`{{-\x7f]*"
_INTEGER: Final = r"[0-9](?:_?[0-9])*"
_DECIMAL: Final = rf"(?:{_INTEGER}\.(?!\.)(?:{_INTEGER})?|\.{_INTEGER})"
_BASED: Final = r"0(?:[xX](?:_?[0-9A-Fa-f])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)"
_NUMBER: Final = rf"(?:{_BASED}|(?:{_DECIMAL}|{_INTEGER})(?:[eE][-+]?{_INTEGER})?)"

# Strings on several lines are one string if nothing but white space with a newline divides them.
_CONTINUATION: Final = r"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'"

# Where two rules match, the server takes the longer match; the order of these says the same.
_TOKEN: Final = re.compile(
    rf"""
      (?P<whitespace>[ \t\n\r\f\v]+)
    | (?P<line_comment>--[^\n\r]*)
    | (?P<block_comment>/\*)
    | (?P<string>'|[eE]'|[uU]&'|[bB]'|[xX]')
    | (?P<quoted>"|[uU]&")
    | (?P<identifier>{_IDENTIFIER})
    | (?P<number>{_NUMBER})
    | (?P<dollar>\$(?:{_LETTER}{_LETTER_OR_DIGIT}*)?\$)
    | (?P<positional>\$[0-9]+)
    | (?P<typecast>::)
    | (?P<assignment>:=)
    | (?P<parameter>:{_LETTER}{_LETTER_OR_DIGIT}*)
    | (?P<dot_dot>\.\.)
    | (?P<punctuation>[,()\[\].;:])
    | (?P<operator>[~!@\#^&|`?+\-*/%<>=]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_JUNK: Final = tuple(re.compile(digits + _IDENTIFIER) for digits in (_NUMBER, _DECIMAL, _INTEGER))
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_CONTINUED: Final = re.compile(_CONTINUATION)
_IDENTIFIER_END: Final = re.compile(r'(?:[^"]|"")*+"')
_STRING_KINDS: Final = {
    "'": (Kind.STRING, re.compile(r"(?:[^']|'')*+'")),
    "e'": (Kind.ESCAPE_STRING, re.compile(r"(?:[^'\\]|''|\\.)*+'", re.DOTALL)),
    "u&'": (Kind.UNICODE_STRING, re.compile(r"(?:[^']|'')*+'")),
    "b'": (Kind.BIT_STRING, re.compile(r"[^']*+'")),
    "x'": (Kind.HEX_STRING, re.compile(r"[^']*+'")),
}
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|.)", re.DOTALL)
_MAX_OPERATOR_BYTES: Final = 63


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of *text*, in order and without a gap.

    Raises LexicalError where the server's scanner would: a quote or comment that is not closed,
    an empty quoted identifier, letters glued to a number, a bad Unicode escape.
    """
    position = 0
    while match := _TOKEN.match(text, position):
        group = match.lastgroup
        assert group is not None
        finish = _FINISH.get(group)
        if finish is None:
            token = Token(_SIMPLE[group], position, match.end())
        else:
            token = finish(text, match)
        yield token
        position = token.end


def _block_comment(text: str, match: re.Match[str]) -> Token:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, match.end()):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return Token(Kind.BLOCK_COMMENT, match.start(), edge.end())
    raise LexicalError(
        "the comment is not closed", match.start(), "Close it with */; comments nest"
    )


def _string(text: str, match: re.Match[str]) -> Token:
    kind, body = _STRING_KINDS[match.group().lower()]
    opened: re.Match[str] | None = match
    end = match.end()
    while opened:
        closed = body.match(text, opened.end())
        if closed is None:
            raise LexicalError(
                f"the {kind.value} is not closed", match.start(), "Close it with a single quote"
            )
        if kind is Kind.ESCAPE_STRING:
            _check_unicode_escapes(text, opened.end(), closed.end())
        end = closed.end()
        opened = _CONTINUED.match(text, end)
    return Token(kind, match.start(), end)


def _check_unicode_escapes(text: str, start: int, end: int) -> None:
    """Refuse the `\\u` escapes that the scanner itself refuses; it leaves the rest for later."""
    high: re.Match[str] | None = None
    for escape in _ESCAPE.finditer(text, start, end):
        digits = escape.group(1) or escape.group(2)
        code = int(digits, 16) if digits else None
        if code is None and escape.group()[1] in "uU":
            raise LexicalError(
                "the Unicode escape is not complete",
                escape.start(),
                r"Write \uXXXX or \UXXXXXXXX",
            )
        pairs = code is not None and 0xDC00 <= code <= 0xDFFF
        if pairs != (high is not None) or (high and high.end() != escape.start()):
            raise LexicalError(
                "the surrogate pair is not complete",
                (high or escape).start(),
                r"Write the character itself, or \U and its eight digits",
            )
        if code is not None and not 0 < code <= 0x10FFFF:
            raise LexicalError(
                "the Unicode escape names no character", escape.start(), r"Text cannot hold \u0000"
            )
        high = escape if code is not None and 0xD800 <= code <= 0xDBFF else None
    if high:
        raise LexicalError(
            "the surrogate pair is not complete",
            high.start(),
            r"Write the character itself, or \U and its eight digits",
        )


def _quoted_identifier(text: str, match: re.Match[str]) -> Token:
    closed = _IDENTIFIER_END.match(text, match.end())
    if closed is None:
        raise LexicalError(
            "the quoted identifier is not closed", match.start(), "Close it with a double quote"
        )
    if closed.end() - match.end() == 1:
        raise LexicalError(
            "the quoted identifier is empty", match.start(), "Strings take single quotes"
        )
    kind = Kind.QUOTED_IDENTIFIER if match.group() == '"' else Kind.UNICODE_IDENTIFIER
    return Token(kind, match.start(), closed.end())


def _dollar_string(text: str, match: re.Match[str]) -> Token:
    delimiter = match.group()
    closing = text.find(delimiter, match.end())
    if closing < 0:
        raise LexicalError(
            "the dollar-quoted string is not closed", match.start(), f"Close it with {delimiter}"
        )
    return Token(Kind.DOLLAR_STRING, match.start(), closing + len(delimiter))


def _number(text: str, match: re.Match[str]) -> Token:
    # The longest reading counts: `1e5$` is a 1 with `e5$` glued to it.
    glued = (junk.match(text, match.start()) for junk in _JUNK)
    if any(reading and reading.end() > match.end() for reading in glued):
        raise LexicalError(
            "letters are glued to the number", match.start(), "Put a space or an operator between"
        )
    return Token(Kind.NUMBER, match.start(), match.end())


def _operator(text: str, match: re.Match[str]) -> Token:
    operator = re.split(r"/\*|--", match.group(), maxsplit=1)[0]
    if operator[-1] in "+-" and not re.search(r"[~!@#^&|`?%]", operator):
        # `a=-1` is two operators, as the standard has it; `@-` may end in a minus.
        operator = operator.rstrip("+-") or operator[0]
    if len(operator) > _MAX_OPERATOR_BYTES:
        raise LexicalError("the operator is too long", match.start(), "Divide it with spaces")
    return Token(Kind.OPERATOR, match.start(), match.start() + len(operator))


_FINISH: Final[dict[str, Callable[[str, re.Match[str]], Token]]] = {
    "block_comment": _block_comment,
    "string": _string,
    "quoted": _quoted_identifier,
    "dollar": _dollar_string,
    "number": _number,
    "operator": _operator,
}
_SIMPLE: Final = {name: Kind[name.upper()] for name in _TOKEN.groupindex if name not in _FINISH}
