"""PostgreSQL's functions that never give NULL, and their conditions for that.

A strict function gives NULL for a NULL argument, but also where it likes: `to_char` of an
infinite time, `lower` of a range without bound, `substring` by a pattern that isn't found. So
a function is only trusted when it is listed here. Each of them, with every type it takes, is
called with the edge values of its types by tests/check/test_nullfree.py. What is not built in, or
not listed, "may be NULL".

Source: each was looked up in PostgreSQL's manual, chapter "Functions and Operators", and
tried on 15 to 18.
"""

from __future__ import annotations

from enum import Enum

from taskdb.query.catalogue.checks import Function


class Promise(Enum):
    """Condition under which a function's result is not NULL."""

    NEVER_NULL = "whatever its arguments are"
    ALL_ARGUMENTS = "if no argument is NULL"
    FIRST_ARGUMENT = "if the first argument is not NULL"
    FIRST_TWO = "if the first two arguments are not NULL"
    ANY_ARGUMENT = "if one of the arguments is not NULL"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Types as format_type prints them. All values of these are scalars.
_PLAIN = frozenset(
    {
        '"char"',
        "bigint",
        "boolean",
        "bytea",
        "character varying",
        "character",
        "date",
        "double precision",
        "integer",
        "interval",
        "name",
        "numeric",
        "oid",
        "real",
        "smallint",
        "text",
        "time with time zone",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    }
)

# Documents, arrays, ranges and full text, which share operators that look inside.
_COMPOUND = _PLAIN | {
    "anyarray",
    "anycompatiblearray",
    "anyelement",
    "anyenum",
    "anymultirange",
    "anynonarray",
    "anyrange",
    "json",
    "jsonb",
    "text[]",
    "tsquery",
    "tsvector",
}

_COMPARED = _COMPOUND | {"cidr", "inet", "macaddr", "pg_lsn", "record", "tid", "xid", "xid8"}

# Operators whose functions never give NULL for arguments that are not, by the types they take.
_OPERATORS = (
    (_COMPARED, _words("= <> < <= > >=")),
    (_PLAIN, _words("+ - * / % ^ & | # ~ << >> @ |/ ||/ || ~~ !~~ ~~* !~~* !~ ~* !~* ^@")),
    (_COMPOUND, _words("@> <@ && || - #- @@ ? ?| ?& << >> &< &> -|- + * !! <->")),
)

# Functions of plain types, each with all its overloads over them.
_FUNCTIONS_OF_PLAIN_TYPES = (
    # Casts and their lengths. Not from jsonb: since 18 a JSON null becomes NULL.
    _words("bool bpchar bytea char date float4 float8 int2 int4 int8 interval name numeric")
    | _words("text time timestamp timestamptz timetz varchar")
    # Numbers.
    | _words("abs cbrt ceil ceiling degrees div exp factorial floor gcd lcm ln log mod pi power")
    | _words("radians round sign sqrt trunc width_bucket random")
    # Text and bytes.
    | _words("ascii bit_length btrim char_length character_length chr convert_from convert_to")
    | _words("decode encode initcap left length lower lpad ltrim md5 octet_length overlay")
    | _words("position quote_ident quote_literal regexp_count regexp_instr regexp_like")
    | _words("regexp_replace regexp_split_to_array repeat replace reverse right rpad rtrim")
    | _words("sha224 sha256 sha384 sha512 split_part starts_with strpos substr to_hex translate")
    | _words("upper like notlike")
    # Dates and times. Not date_part, extract, to_char: NULL for infinite ones.
    | _words("age clock_timestamp date_bin date_trunc isfinite justify_days justify_hours")
    | _words("justify_interval make_date make_interval make_time make_timestamp")
    | _words("make_timestamptz now statement_timestamp timeofday timezone to_date to_timestamp")
    | _words("transaction_timestamp")
    # Identifiers, sessions, locks.
    | _words("current_database gen_random_uuid hashtext hashtextextended pg_advisory_lock")
    | _words("pg_advisory_unlock pg_advisory_xact_lock pg_backend_pid pg_size_pretty pg_sleep")
    | _words("pg_try_advisory_lock pg_try_advisory_xact_lock uuidv4 uuidv7 version")
)

# An infinite time has no time of day.
_EXCEPT = frozenset(
    {
        "time(timestamp with time zone)",
        "time(timestamp without time zone)",
        "timetz(timestamp with time zone)",
    }
)

_FUNCTIONS = frozenset(
    {
        "array_to_string(anyarray, text)",
        "cardinality(anyarray)",
        "current_setting(text)",
        "isempty(anymultirange)",
        "isempty(anyrange)",
        "json_array_length(json)",
        "json_typeof(json)",
        "jsonb_array_length(jsonb)",
        "jsonb_insert(jsonb, text[], jsonb, boolean)",
        "jsonb_pretty(jsonb)",
        "jsonb_set(jsonb, text[], jsonb, boolean)",
        "jsonb_strip_nulls(jsonb)",
        "jsonb_strip_nulls(jsonb, boolean)",
        "jsonb_typeof(jsonb)",
        "lower_inc(anyrange)",
        "lower_inf(anyrange)",
        "nextval(regclass)",
        "phraseto_tsquery(regconfig, text)",
        "phraseto_tsquery(text)",
        "plainto_tsquery(regconfig, text)",
        "plainto_tsquery(text)",
        "setval(regclass, bigint)",
        "setval(regclass, bigint, boolean)",
        'setweight(tsvector, "char")',
        "substring(bytea, integer)",
        "substring(bytea, integer, integer)",
        "substring(text, integer)",
        "substring(text, integer, integer)",
        "to_json(anyelement)",
        "to_jsonb(anyelement)",
        "array_to_json(anyarray)",
        "row_to_json(record)",
        "to_tsquery(regconfig, text)",
        "to_tsquery(text)",
        "to_tsvector(regconfig, text)",
        "to_tsvector(text)",
        "ts_headline(regconfig, text, tsquery)",
        "ts_headline(regconfig, text, tsquery, text)",
        "ts_headline(text, tsquery)",
        "ts_headline(text, tsquery, text)",
        "ts_rank(tsvector, tsquery)",
        "ts_rank(tsvector, tsquery, integer)",
        "ts_rank_cd(tsvector, tsquery)",
        "ts_rank_cd(tsvector, tsquery, integer)",
        "upper_inc(anyrange)",
        "upper_inf(anyrange)",
        "websearch_to_tsquery(regconfig, text)",
        "websearch_to_tsquery(text)",
    }
)

# Functions that take NULL and make something of it.
_NOT_STRICT = {
    "array_append(anycompatiblearray, anycompatible)": Promise.NEVER_NULL,
    "array_cat(anycompatiblearray, anycompatiblearray)": Promise.ANY_ARGUMENT,
    "array_prepend(anycompatible, anycompatiblearray)": Promise.NEVER_NULL,
    "array_remove(anycompatiblearray, anycompatible)": Promise.FIRST_ARGUMENT,
    "array_replace(anycompatiblearray, anycompatible, anycompatible)": Promise.FIRST_ARGUMENT,
    "array_to_string(anyarray, text, text)": Promise.FIRST_TWO,
    'concat("any")': Promise.NEVER_NULL,
    'concat_ws(text, "any")': Promise.FIRST_ARGUMENT,
    "daterange(date, date)": Promise.NEVER_NULL,
    'format(text, "any")': Promise.FIRST_ARGUMENT,
    "format(text)": Promise.FIRST_ARGUMENT,
    "int4range(integer, integer)": Promise.NEVER_NULL,
    "int8range(bigint, bigint)": Promise.NEVER_NULL,
    'json_build_array("any")': Promise.NEVER_NULL,
    "json_build_array()": Promise.NEVER_NULL,
    'json_build_object("any")': Promise.NEVER_NULL,
    "json_build_object()": Promise.NEVER_NULL,
    'jsonb_build_array("any")': Promise.NEVER_NULL,
    "jsonb_build_array()": Promise.NEVER_NULL,
    'jsonb_build_object("any")': Promise.NEVER_NULL,
    "jsonb_build_object()": Promise.NEVER_NULL,
    'num_nonnulls("any")': Promise.NEVER_NULL,
    'num_nulls("any")': Promise.NEVER_NULL,
    "numrange(numeric, numeric)": Promise.NEVER_NULL,
    "pg_notify(text, text)": Promise.NEVER_NULL,
    "quote_nullable(anyelement)": Promise.NEVER_NULL,
    "quote_nullable(text)": Promise.NEVER_NULL,
    "set_config(text, text, boolean)": Promise.NEVER_NULL,
    "string_to_array(text, text)": Promise.FIRST_ARGUMENT,
    "string_to_array(text, text, text)": Promise.FIRST_ARGUMENT,
    "tsrange(timestamp without time zone, timestamp without time zone)": Promise.NEVER_NULL,
    "tstzrange(timestamp with time zone, timestamp with time zone)": Promise.NEVER_NULL,
}

# Sets of rows: the columns, counted from 1, of which no row has a NULL.
_SETS = {
    "generate_series": {1},
    "generate_subscripts": {1},
    "json_array_elements": {1},
    "json_each": {1, 2},
    "json_each_text": {1},
    "json_object_keys": {1},
    "jsonb_array_elements": {1},
    "jsonb_each": {1, 2},
    "jsonb_each_text": {1},
    "jsonb_object_keys": {1},
    "regexp_split_to_table": {1},
}

# Aggregates: what they need of their first argument when the group has a row.
_COUNTS = _words("count regr_count")
_NEVER_NULL_WITH_A_ROW = _words("array_agg json_agg json_object_agg jsonb_agg jsonb_object_agg")
_NULL_FREE_OF_NULL_FREE = _words(
    "any_value avg bit_and bit_or bit_xor bool_and bool_or every max min mode percentile_cont "
    "percentile_disc stddev_pop string_agg sum var_pop"
)
_HYPOTHETICAL = _words("cume_dist dense_rank percent_rank rank")

_NUMBERED = _words("cume_dist dense_rank percent_rank rank row_number")


def signature(function: Function) -> str:
    """The function's name and argument types: `lower(text)`."""
    return f"{function.name}({', '.join(function.arguments)})"


def promise(function: Function) -> Promise | None:
    """Return when a call of *function* is not NULL; None if nothing is known."""
    if not function.built_in or function.kind != "f" or function.returns_set:
        return None
    if not function.strict:
        return _NOT_STRICT.get(signature(function))
    return Promise.ALL_ARGUMENTS if _is_listed(function) else None


def _is_listed(function: Function) -> bool:
    arguments = set(function.arguments)
    if signature(function) in _EXCEPT:
        return False
    if signature(function) in _FUNCTIONS:
        return True
    if function.name in _FUNCTIONS_OF_PLAIN_TYPES and arguments <= _PLAIN:
        return True
    return any(
        arguments <= types and not names.isdisjoint(function.operators)
        for types, names in _OPERATORS
    )


def is_comparison(function: Function | None) -> bool:
    """Return whether *function* is a built-in one behind a comparison, NULL only for NULL."""
    return (
        function is not None
        and promise(function) is Promise.ALL_ARGUMENTS
        and not {"=", "<>", "<", "<=", ">", ">="}.isdisjoint(function.operators)
    )


def null_free_columns(function: Function) -> set[int]:
    """The columns of a function that returns rows in which no row has a NULL."""
    return _SETS.get(function.name, set()) if function.built_in and function.returns_set else set()


class Aggregation(Enum):
    """Condition under which an aggregate's result is not NULL."""

    NEVER_NULL = "counts, so it is never NULL"
    WITH_A_ROW = "is not NULL when there is a row"
    WITH_A_VALUE = "is not NULL when there is a row, and no NULL in any"


def aggregation(function: Function) -> Aggregation | None:
    """Return when the aggregate *function* is not NULL; None if nothing is known."""
    if not function.built_in or function.kind != "a":
        return None
    name = function.name
    if name in _COUNTS or name in _HYPOTHETICAL:
        return Aggregation.NEVER_NULL
    if name in _NEVER_NULL_WITH_A_ROW:
        return Aggregation.WITH_A_ROW
    return Aggregation.WITH_A_VALUE if name in _NULL_FREE_OF_NULL_FREE else None


def numbers_rows(function: Function) -> bool:
    """Return whether *function* is a window function that gives every row a number."""
    return function.built_in and function.kind == "w" and function.name in _NUMBERED
