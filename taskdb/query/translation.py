"""PostgreSQL's errors become the tree of `taskdb.query.errors`, here and nowhere else.

SQLSTATEs of the standard are understood by themselves, and constraints by their names, if these
say a fact: ``priority_is_1_to_10_inclusive`` of a domain, ``orders_key_is_unique`` of a table.
What a project's own functions raise, and what its other constraints mean, is the vocabulary that
it hands to `Queries`: ``errors=`` by SQLSTATE, ``constraints=`` by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import psycopg

from taskdb.query.errors import IntegrityError, TaskdbError, ValidationError

__all__ = ["ConstraintRule", "Refusal", "Translator", "describe"]


class ConstraintRule(NamedTuple):
    """Rule about *field*: "priority" and "must be 1 to 10" make a sentence together.

    With *shows_value* the message names the value that was taken: of many new rows it says which.
    No other value is shown, because it may be nobody's business.
    """

    field: str | None
    rule: str
    shows_value: bool = False


_QUOTED: Final = re.compile('["„“”«»「」]([^"„“”«»「」]+)["„“”«»「」]')
_CONSTRAINT: Final = re.compile(r'constraint "([^"]+)"')
_TABLE: Final = re.compile(r'(?:relation|on table) "([^"]+)"')
_KEY_COLUMNS: Final = re.compile(r"[^()]*\((.+?)\)=\(")
_KEY_VALUE: Final = re.compile(r"\)=\((.*)\)", re.DOTALL)
_PARAMETER: Final = re.compile(r"^(?:unnamed )?portal .*?parameter \$(\d+)", re.MULTILINE)
_COPIED: Final = re.compile(r"^COPY .+?, line (\d+), column (\w+)", re.MULTILINE)
_UNREADABLE: Final = re.compile(r"invalid input (?:syntax for type|value for enum) ([^:\"]+)")
_TOO_LONG: Final = re.compile(r"value too long for type ([a-z ]+)\((\d+)\)$")
_OUT_OF_RANGE: Final = re.compile(r"(?s).* for type ([\w ]+)$|^(\w+) out of range$")
# `key_has_1_to_100_characters`: field, verb, what must hold.
_FACT: Final = re.compile(r"(?P<field>\w+?)_(?P<verb>is|are|has)_(?P<what>\w+)")
_REFERENCE: Final = re.compile(r"(?P<stem>\w+)_exists")
# PostgreSQL's own names for constraints that were given none.
_UNNAMED: Final = re.compile(r"(?P<field>\w+?)_(?:key|fkey|check|excl|idx|not_null)\d*")
_VERBS: Final = {"is": "must be", "are": "must be", "has": "must have"}


class Refusal:
    """Contents of a server's error, without the values that it may quote.

    `code` is the SQLSTATE, `message`, `detail` and `hint` are the server's, `constraint`, `table`
    and `column` what the error is about.
    """

    def __init__(
        self, exc: psycopg.Error, parameters: Sequence[str], translator: Translator
    ) -> None:
        diag = exc.diag
        self.message = diag.message_primary or str(exc)
        self.detail = diag.message_detail or ""
        self.hint = diag.message_hint
        self.context = diag.context or ""
        self.column = diag.column_name
        self.function = diag.source_function
        self.is_raised = self.function == "exec_stmt_raise"
        self.is_of_domain = bool(diag.datatype_name)
        self.constraint = diag.constraint_name or _first(_CONSTRAINT, self.message)
        self.real_name = translator.real_name
        self.table = self.real_name(diag.table_name or _first(_TABLE, self.message) or "")
        self.parameters = parameters
        self.code = exc.sqlstate or type(exc).__name__
        # Citus's workers pass the code of a trigger's error on in the detail only.
        code, _, rest = self.detail.partition(" ")
        if code in translator.errors:
            self.code, self.detail = code, rest
        name = self.real_name(self.constraint or "")
        self.is_listed = name in translator.constraints
        self.rule = translator.constraints.get(name) or describe(name, self.table)

    @property
    def is_in_own_words(self) -> bool:
        """Return whether the message is an author's own, as of `raise exception '...'`.

        One that only names its condition says no more than the constraint's name.
        """
        if self.is_listed or self.code not in STANDARD:
            return False
        if self.is_raised and not (self.constraint and self.message == _condition(self.code)):
            return self.code[:2] in ("22", "23")
        return self.code.startswith("23") and not self.column and not self.constraint

    @property
    def is_of_ones_own(self) -> bool:
        """Return whether a function of the project raised it, with a code of another meaning."""
        return self.is_raised and self.code[:2] not in ("22", "23")

    @property
    def key_columns(self) -> str | None:
        """The columns of ``Key (task_id, path)=(...)``, in whatever language the server speaks."""
        match = _KEY_COLUMNS.match(self.detail)
        return match[1] if match else None

    @property
    def argument(self) -> str | None:
        """Unreadable argument: a parameter, or a column and line of a COPY."""
        if copied := _COPIED.search(self.context):
            return f"{copied[2]} (line {copied[1]})"
        number = _first(_PARAMETER, self.context)
        index = int(number) - 1 if number else len(self.parameters)
        return self.parameters[index] if index < len(self.parameters) else self.column


Understand: TypeAlias = Callable[[Refusal], Exception | None]
"""Function from a refusal to an error, or to None where the server's own is to be raised."""


@dataclass(frozen=True, slots=True)
class Translator:
    """One project's vocabulary.

    *errors* has by SQLSTATE a class, which is made of the server's message, or a function of the
    refusal; *constraints* by name what they demand; *real_name* gives the name that the schema
    has for a table or constraint, where the server appends something to it.
    """

    errors: Mapping[str, type[Exception] | Understand]
    constraints: Mapping[str, ConstraintRule]
    real_name: Callable[[str], str]

    def translate(
        self, exc: psycopg.Error, *, where: str | None = None, parameters: Sequence[str] = ()
    ) -> Exception:
        """Return the error for *exc*, or *exc* itself where it is not understood.

        Raise the result ``from exc``. *where* is the statement's place in its file; *parameters*
        names what `$1`, `$2`, ... stand for, so that a value which the server cannot read is
        reported under its name. Serialization failures (40001) and deadlocks (40P01) come back
        as they are: `Database.retrying` knows them.

        The message names columns, tables and rules, and no values but those that a rule of
        *constraints* shows: PostgreSQL's detail may hold a whole row, so it stays with *exc*.
        """
        refusal = Refusal(exc, parameters, self)
        error = self._understood(refusal)
        if error is None:
            return exc
        if isinstance(error, TaskdbError):
            error.where = where
            error.sqlstate = refusal.code or None
            error.constraint = refusal.constraint
        return error

    def _understood(self, refusal: Refusal) -> Exception | None:
        own = self.errors.get(refusal.code)
        if isinstance(own, type) and issubclass(own, TaskdbError):
            return own(refusal.message, hint=refusal.hint)
        if own is not None:
            return own(refusal.message) if isinstance(own, type) else own(refusal)
        if refusal.is_in_own_words:
            return _in_own_words(refusal)
        if refusal.is_of_ones_own:
            return None
        understand = STANDARD.get(refusal.code)
        return understand(refusal) if understand else None


def describe(constraint: str, table: str) -> ConstraintRule:
    """Return what *constraint* of *table* (or of a domain) demands, read from its name.

    A name that says neither field nor rule gives its bare fact: ``breaks the rule "..."``.
    """
    fact = constraint.removeprefix(f"{table}_")
    if match := _FACT.fullmatch(fact):
        rule = f"{_VERBS[match['verb']]} {match['what'].replace('_', ' ')}"
        return ConstraintRule(match["field"], rule.replace("must be not ", "must not be "))
    return ConstraintRule(_field(fact), f'breaks the rule "{fact.replace("_", " ")}"')


def _field(fact: str) -> str | None:
    if match := _REFERENCE.fullmatch(fact):
        return f"{match['stem']}_id"
    match = _UNNAMED.fullmatch(fact)
    return match["field"] if match else None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _condition(code: str) -> str:
    """The name of a condition, which is PL/pgSQL's message where none is given."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", psycopg.errors.lookup(code).__name__).lower()


def _integrity(field: str | None, rule: str, refusal: Refusal) -> IntegrityError:
    return IntegrityError(f"{field or refusal.table} {rule}", field=field, rule=rule)


def _in_own_words(refusal: Refusal) -> TaskdbError:
    field, message = refusal.column, refusal.message
    if refusal.code in ("23502", "23514") or refusal.code.startswith("22"):
        return ValidationError(field, message, message=message, hint=refusal.hint)
    return IntegrityError(message, field=field, rule=message, hint=refusal.hint)


def _duplicate(refusal: Refusal) -> IntegrityError:
    if not refusal.is_listed:
        field = refusal.key_columns or refusal.rule.field
        return _integrity(field, f"must be unique in {refusal.table}", refusal)
    field, rule, shows_value = refusal.rule
    if shows_value and (taken := _KEY_VALUE.search(refusal.detail)):
        return IntegrityError(f"{field} {taken[1]!r} {rule}", field=field, rule=rule)
    return _integrity(field, rule, refusal)


def _overlap(refusal: Refusal) -> IntegrityError:
    if refusal.is_listed:
        return _integrity(refusal.rule.field, refusal.rule.rule, refusal)
    field = refusal.key_columns or refusal.rule.field
    return _integrity(field, f"must not conflict with another row of {refusal.table}", refusal)


def _reference(refusal: Refusal) -> IntegrityError:
    if refusal.is_listed:
        return _integrity(refusal.rule.field, refusal.rule.rule, refusal)
    # A refused deletion names three objects, a refused insert two, in every language.
    names = _QUOTED.findall(refusal.message)
    if refusal.code == "23001" or len(names) > 2:
        field = refusal.rule.field
        user = f"{refusal.table}.{field}" if field else refusal.table
        return IntegrityError(
            f"the row is still in use: {user} names it",
            field=field,
            rule="must not name the row any more",
        )
    named = _QUOTED.findall(refusal.detail)
    target = refusal.real_name(named[-1]) if named else "its table"
    field = refusal.key_columns or refusal.rule.field
    return _integrity(field, f"must name a row of {target} that exists", refusal)


def _null(refusal: Refusal) -> ValidationError:
    return ValidationError(refusal.column, "must not be null")


def _check(refusal: Refusal) -> ValidationError:
    field, rule, _ = refusal.rule
    if refusal.is_of_domain:
        # The server says which domain, but of which column only while it reads the value.
        field = refusal.argument or field
    return ValidationError(field or refusal.table or None, rule)


def _unreadable(refusal: Refusal) -> ValidationError:
    kind = _first(_UNREADABLE, refusal.message)
    return ValidationError(
        refusal.argument,
        f"must be a valid {kind.strip()}" if kind else "must be valid for its type",
    )


def _path(refusal: Refusal) -> ValidationError | None:
    # A jsonpath is read as a value, with a grammar of its own. A syntax error of the statement
    # itself is of no parameter.
    return (
        ValidationError(refusal.argument, "must be a valid jsonpath") if refusal.argument else None
    )


def _zone(refusal: Refusal) -> ValidationError | None:
    # 22023 says that some parameter is wrong; the server's function says which, in any language.
    if refusal.function not in ("timestamptz_zone", "timestamp_zone", "DecodeTimezoneName"):
        return None
    return ValidationError("zone", "must be a time zone that the server knows")


def _too_long(refusal: Refusal) -> ValidationError:
    match = _TOO_LONG.match(refusal.message)
    rule = f"must have at most {match[2]} characters" if match else "must be shorter"
    return ValidationError(refusal.argument, rule)


def _out_of_range(refusal: Refusal) -> ValidationError:
    match = _OUT_OF_RANGE.match(refusal.message)
    span = f"the range of {match[1] or match[2]}" if match else "its type's range"
    return ValidationError(refusal.argument, f"must lie in {span}")


def _too_large(refusal: Refusal) -> ValidationError | None:
    if not any(words in refusal.message for words in ("too long", "exceeds", "maximum size")):
        return None
    # The constraint's name identifies the column of an index of several.
    field = refusal.argument or refusal.rule.field
    return ValidationError(field, "must be small enough to be indexed")


def _text(refusal: Refusal) -> ValidationError | None:
    if refusal.code == "DataError" and "NUL" not in refusal.message:
        return None
    return ValidationError(
        refusal.argument, "must be text that the database's encoding has, without NUL characters"
    )


def _fixed(field: str, rule: str) -> Callable[[Refusal], ValidationError]:
    return lambda refusal: ValidationError(field, rule)


# docs/errors.md has this table for people.
STANDARD: Final[Mapping[str, Understand]] = {
    "23001": _reference,
    "23502": _null,
    "23503": _reference,
    "23505": _duplicate,
    "23514": _check,
    "23P01": _overlap,
    "22001": _too_long,
    "22003": _out_of_range,
    "22007": _unreadable,
    "22008": _out_of_range,
    "2201B": _path,
    "42601": _path,
    "22021": _text,
    "2201W": _fixed("limit", "must not be negative"),
    "2201X": _fixed("offset", "must not be negative"),
    "22023": _zone,
    "22P02": _unreadable,
    "22P05": _text,
    "54000": _too_large,
    # psycopg's own refusal of text that cannot be sent has no SQLSTATE.
    "DataError": _text,
}
