"""The lexer against the manual's chapter 4.1, against libpg_query's scanner and against psql."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pglast.parser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskdb.embedded import Server
from taskdb.query._lexer import Kind, LexicalError, tokenize

# Snippets and the parameters in them. Each is a trap that a loader of SQL has fallen into.
SNIPPETS = [
    # strings
    ("select ':a', :b", ["b"]),
    ("select 'it''s :a', :b", ["b"]),
    (r"select 'back\', :b", ["b"]),
    (r"select E'it\'s :a', :b", ["b"]),
    (r"select e'back\\', :b", ["b"]),
    ("select E'two ''quotes'' :a', :b", ["b"]),
    ("select 'one'\n' :a two', :b", ["b"]),
    ("select 'one' -- it's a remark\n ' :a two', :b", ["b"]),
    ("select 'one'\r' :a two', :b", ["b"]),
    ("select E'one'\n'\\' :a two', :b", ["b"]),
    ("select U&'d\\0061t :a', :b", ["b"]),
    ("select U&'d!0061t :a' uescape '!', :b", ["b"]),
    ("select u&'\\', :b", ["b"]),
    ("select B'01' & :a", ["a"]),
    ("select X'1f:a', :b", ["b"]),
    ("select N'national :a', :b", ["b"]),
    ("select date':a', :b", ["b"]),
    ("select '''', :b", ["b"]),
    # dollar quotes
    ("select $$ :a $$, :b", ["b"]),
    ("select $tag$ :a $$ it's $tag$, :b", ["b"]),
    ("select $é$ :a $é$, :b", ["b"]),
    ("select $a$ $b$ :a $b$ $a$, :b", ["b"]),
    ("select $a$ $a :x $ab$ $a$, :b", ["b"]),
    ("select $_1$ :a $_1$, :b", ["b"]),
    ("select a$b$c, :d", ["d"]),
    # comments
    ("select 1 -- it's :a\n, :b", ["b"]),
    ("select 1 /* it's :a */, :b", ["b"]),
    ("select 1 /* a /* :nested */ :a */, :b", ["b"]),
    ("select 1 /* -- :a */, :b", ["b"]),
    ("select 1 /*/ :a */, :b", ["b"]),
    ("select 1 /**/, :b", ["b"]),
    ("select 1 +/* :a */ :b", ["b"]),
    ("select 1 ---1 :a\n, :b", ["b"]),
    ("select 2 */* :a */ :b", ["b"]),
    ("select 1 -- :a\r, :b", ["b"]),
    # identifiers
    ('select "a:b", :c', ["c"]),
    ('select "it""s :a", :b', ["b"]),
    ('select U&"d\\0061t :a", :b', ["b"]),
    ('select ":a" from "t""" where x = :b', ["b"]),
    ("select naïve, :été", ["été"]),
    ("select \u00a0x, :b", ["b"]),
    # casts, assignments, named arguments
    ("select :a::text", ["a"]),
    ("select x::text, :b", ["b"]),
    ("select :a :: text", ["a"]),
    ("select '1'::int, :b", ["b"]),
    ("select f(x := :a)", ["a"]),
    ("select f(x:=:a)", ["a"]),
    ("select f(x => :a, y=>:b)", ["a", "b"]),
    # slices
    ("select a[1:2], :b", ["b"]),
    ("select a[:a : :b]", ["a", "b"]),
    ("select a[lo : hi], :b", ["b"]),
    ("select a[:], a[1:], a[:2], :b", ["b"]),
    ("select a[1:2][:x], :b", ["x", "b"]),
    ("select a[0:'1'::int], :b", ["b"]),
    ("select array[1,:a,3]", ["a"]),
    # operators
    ("select j ->> :a", ["a"]),
    ("select j->:a", ["a"]),
    ("select j #>> '{a,:b}', j #- :c", ["c"]),
    ("select j ? :a, j ?| :b, j ?& :c", ["a", "b", "c"]),
    ("select j @? '$.a ? (@ > 1)', :b", ["b"]),
    ("select x % :a, '%s', 'a%', x %% :b", ["a", "b"]),
    ("select x = -:a, x=-:b", ["a", "b"]),
    ("select x @-:a", ["a"]),
    ("select x operator(pg_catalog.+) :x", ["x"]),
    ("select distinct on (a, b) :x, a", ["x"]),
    ("select x<:a, x>=:b, x!=:c, x<>:d", ["a", "b", "c", "d"]),
    ("select |/ :a, @ :b, :c !~~* :d", ["a", "b", "c", "d"]),
    # numbers and the rest
    ("select 1.5e-3, .5, 1., 0x1F, 0o17, 0b11, 1_000, :b", ["b"]),
    ("select x[1..2], :b", ["b"]),
    ("select (:a).field, :b.field", ["a", "b"]),
    ("select :a,:b,(:c)", ["a", "b", "c"]),
    ("select :_a1, :A_2", ["_a1", "A_2"]),
    ("select 'a;b', :c", ["c"]),
    ("limit :a\noffset :b", ["a", "b"]),
    ("select x -- :a", []),
    (":a", ["a"]),
]


def parameters(text: str) -> list[str]:
    return [
        text[token.start + 1 : token.end]
        for token in tokenize(text)
        if token.kind is Kind.PARAMETER
    ]


def boundaries(text: str) -> list[tuple[int, int]] | None:
    """Return where taskdb's tokens begin and end, as the server counts them, or None."""
    found: list[tuple[int, int]] = []
    try:
        for token in tokenize(text):
            if token.kind is Kind.PARAMETER:
                found += [(token.start, token.start + 1), (token.start + 1, token.end)]
            elif token.kind is not Kind.WHITESPACE:
                found.append((token.start, token.end))
    except LexicalError:
        return None
    return found


def servers_boundaries(text: str) -> list[tuple[int, int]] | None:
    """Return where the server's tokens begin and end, or None for text that it refuses."""
    try:
        return [(token.start, token.end + 1) for token in pglast.parser.scan(text)]
    except pglast.parser.ParseError as exc:
        if "invalid byte sequence" in str(exc):
            pytest.skip("what the text says is no concern of the lexer")
        return None
    except UnicodeDecodeError:
        # libpg_query cuts the message of its error inside a character.
        return None


def test_the_table_of_traps_is_long_enough() -> None:
    assert len({text for text, _ in SNIPPETS}) >= 47


@pytest.mark.parametrize(("text", "expected"), SNIPPETS)
def test_only_parameters_are_parameters(text: str, expected: list[str]) -> None:
    assert parameters(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in SNIPPETS])
def test_a_trap_is_cut_where_the_server_cuts_it(text: str) -> None:
    assert boundaries(text) == servers_boundaries(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" \t\r\n\f\v", Kind.WHITESPACE),
        ("-- to the end", Kind.LINE_COMMENT),
        ("/* a /* b */ c */", Kind.BLOCK_COMMENT),
        ("'a'", Kind.STRING),
        ("'a'  \n  'b'", Kind.STRING),
        (r"E'\u00e9\U0001F600\ud83d\ude00\x41\101\n'", Kind.ESCAPE_STRING),
        (r"U&'\0061\+01F600'", Kind.UNICODE_STRING),
        ("b'01'", Kind.BIT_STRING),
        ("X'1F'\n'00'", Kind.HEX_STRING),
        ("$a$ $$ $a$", Kind.DOLLAR_STRING),
        ("_a$1é", Kind.IDENTIFIER),
        ('"a""b"', Kind.QUOTED_IDENTIFIER),
        (r'u&"\0061"', Kind.UNICODE_IDENTIFIER),
        ("1_000.5e-1_0", Kind.NUMBER),
        ("0xdead_BEEF", Kind.NUMBER),
        ("$12", Kind.POSITIONAL),
        (":name", Kind.PARAMETER),
        ("@#%&", Kind.OPERATOR),
        ("@-", Kind.OPERATOR),
        ("::", Kind.TYPECAST),
        (":=", Kind.ASSIGNMENT),
        ("..", Kind.DOT_DOT),
        (";", Kind.PUNCTUATION),
        (":", Kind.PUNCTUATION),
        ("\\", Kind.OTHER),
    ],
)
def test_each_kind_of_token_is_known(text: str, kind: Kind) -> None:
    assert [(token.kind, token.end) for token in tokenize(text)] == [(kind, len(text))]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a=-1", ["a", "=", "-", "1"]),
        ("+-+", ["+", "-", "+"]),
        ("a--b", ["a", "--b"]),
        ("a+--b", ["a", "+", "--b"]),
        ("@-/*c*/1", ["@-", "/*c*/", "1"]),
        ("1..2", ["1", "..", "2"]),
        ("B'01''10'", ["B'01'", "'10'"]),
        ("N'a'", ["N", "'a'"]),
        ("u&a", ["u", "&", "a"]),
        ("'a' 'b'", ["'a'", "'b'"]),
        ("$a", ["$", "a"]),
        ("a[:2]", ["a", "[", ":", "2", "]"]),
        ("a:::b", ["a", "::", ":b"]),
        ("--", ["--"]),
        ("", []),
    ],
)
def test_tokens_end_where_the_longest_match_ends(text: str, tokens: list[str]) -> None:
    found = [text[token.start : token.end] for token in tokenize(text)]

    assert [piece for piece in found if piece.strip()] == tokens


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a 'b", 2, "the string is not closed"),
        ("a E'b\\'", 2, "the escape string is not closed"),
        ("'a'\n'b", 0, "the string is not closed"),
        ("a U&'b", 2, "the string with Unicode escapes is not closed"),
        ('a "b', 2, "the quoted identifier is not closed"),
        ('a "" b', 2, "the quoted identifier is empty"),
        ("a $x$ b $$", 2, "the dollar-quoted string is not closed"),
        ("a /* b /* c */", 2, "the comment is not closed"),
        ("a 1b", 2, "letters are glued to the number"),
        ("a 0x", 2, "letters are glued to the number"),
        ("1e5$", 0, "letters are glued to the number"),
        ("a " + "@" * 64, 2, "the operator is too long"),
        (r"E'ab\u12'", 4, "the Unicode escape is not complete"),
        (r"E'\u0000'", 2, "the Unicode escape names no character"),
        (r"E'\U00110000'", 2, "the Unicode escape names no character"),
        (r"E'\ud83d'", 2, "the surrogate pair is not complete"),
        (r"E'\ud83dx\ude00'", 2, "the surrogate pair is not complete"),
        (r"E'\ude00'", 2, "the surrogate pair is not complete"),
        (r"E'\ud83d\n'", 2, "the surrogate pair is not complete"),
    ],
)
def test_text_that_is_no_sql_is_refused_where_it_goes_wrong(
    text: str, position: int, message: str
) -> None:
    with pytest.raises(LexicalError) as caught:
        list(tokenize(text))

    assert str(caught.value) == message
    assert caught.value.position == position
    assert caught.value.remedy


# Pieces whose meaning depends on what stands before and after them.
FRAGMENTS = [
    *["'", "''", "E'", r"e'\'", "U&'", 'u&"', "B'", "x'", "N'", '"', '""'],
    *["$$", "$a$", "$é$", "$", "$1", "$1a", "/*", "*/", "--", "\n", "\r", " ", "\t", "\v", "\f"],
    *[":", ":=", "::", "=>", "..", ".", ",", ";", "(", ")", "[", "]", "{", "}"],
    *["1", "0x", "0x1f", "1_0", "1e", "1e5", "1.5", ".5", "0b1", "0b2", "0o7", "1_"],
    *["+", "-", "*", "/", "<", ">", "=", "~", "!", "@", "#", "%", "^", "&", "|", "`", "?"],
    *["abc", "é", "_x", "a$b", "e", "E", "x", "uescape", "\u00a0", "\x01", "😀"],
    *["\\", r"\u00e9", r"\ud83d", r"\ude00", r"\u12", r"\x41"],
]
SEQUENCES = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
# A colon before a letter is psql's, not the server's: next to it the two may cut differently.
SERVERS_ONLY = SEQUENCES.filter(lambda text: not re.search(r":[^\W\d]|:[\x80-\U0010ffff]", text))


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(SERVERS_ONLY)
@example("1e5$1")
@example("1_0$")
@example("'a'\n--b\n'c'")
@example(r"E'\'/0o7.5")
def test_random_text_is_cut_where_the_server_cuts_it(text: str) -> None:
    assert boundaries(text) == servers_boundaries(text)


@settings(max_examples=500, deadline=None)
@given(st.text().filter(lambda text: "\0" not in text) | SEQUENCES)
def test_tokens_leave_no_gap_and_lose_nothing(text: str) -> None:
    try:
        tokens = list(tokenize(text))
    except LexicalError:
        return

    assert "".join(text[token.start : token.end] for token in tokens) == text
    assert all(token.start < token.end for token in tokens)


def test_psql_pastes_a_value_exactly_where_the_lexer_sees_a_parameter(
    empty_database_url: str, tmp_path: Path
) -> None:
    names = sorted({name for _, found in SNIPPETS for name in found})
    # psql reads line by line, and forgets on the second that the string began with an E.
    texts = [text for text, _ in SNIPPETS if not text.startswith("select E'one'")]
    queries = [f"select 'q{number}',\n{text}\n" for number, text in enumerate(texts)]
    script = tmp_path / "snippets.sql"
    script.write_text("".join(f"{query};\n" for query in queries), newline="")

    psql = Server(tmp_path).binaries / "psql"
    echoed = subprocess.run(
        [str(psql), "-X", "-e", "-o", "/dev/null", "-d", empty_database_url, "-f", str(script)]
        + [f"--set={name}=<{name}>" for name in names],
        capture_output=True,
        check=False,
    ).stdout.decode()

    for query in queries:
        assert pasted(query) in echoed


def pasted(text: str) -> str:
    """Return *text* with `<name>` in place of each parameter."""
    return "".join(
        f"<{text[token.start + 1 : token.end]}>"
        if token.kind is Kind.PARAMETER
        else text[token.start : token.end]
        for token in tokenize(text)
    )
