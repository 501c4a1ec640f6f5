"""Queries that stand in `.sql` files, called as typed Python functions.

A file of named statements and a module of stubs of the same name belong together::

    -- name: list_tasks                        @query
    -- Tasks, newest first.                    def list_tasks(
    select id, title, status                       *, status: TaskStatus | None = None
    from tasks                                 ) -> list[TaskSummary]:
    where true                                     \"\"\"Tasks, newest first.\"\"\"
        and status = :status  -- if :status        ...
    order by created_at desc;

`list_tasks(conn, status=...)` runs on a psycopg connection, `await list_tasks(aconn)` on an
asynchronous one, whatever made it. The caller owns the connection and the transaction: nothing
here commits. docs/toolkit.md shows the whole, docs/decisions/0002-query-module.md says why so.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, ParamSpec, TypeVar, overload

from psycopg import Connection

from taskdb.query._annotations import NONE, choices_of, is_any, members, type_name, unwrapped
from taskdb.query._decisions import made, place_of
from taskdb.query._encoding import UnsupportedError
from taskdb.query._parameters import Parameter, parameters_of
from taskdb.query._parser import parse
from taskdb.query._query import Query
from taskdb.query._results import Cardinality, Result, UnsupportedResultError, result_of
from taskdb.query._statements import Condition, SourceFile, Statement, Term
from taskdb.query.errors import QueryDefinitionError, TaskdbError
from taskdb.query.rules import Json
from taskdb.query.translation import ConstraintRule, Translator, Understand

if TYPE_CHECKING:
    # It loads forty modules.
    from importlib.resources.abc import Traversable

__all__ = ["Queries"]

P = ParamSpec("P")
R = TypeVar("R")


class Queries:
    """A folder of `.sql` files, and the decorator that makes functions of what stands in them.

    Make one for a package of query modules and decorate each stub with it. The stubs of module
    `myapp.queries.tasks` take their statements from `tasks.sql`. *name* leads the comment that
    each statement carries (`/* taskdb:tasks.list_tasks */`), *label* is how messages spell the
    folder; left out, it is the folder's last two names.

    Whatever does not fit raises QueryDefinitionError when its module is imported. *package* names
    the package whose modules have the stubs, if they are to be imported one by one, as they are
    needed: going through all queries then imports the rest. `taskdb check --write` writes what the
    server makes of them into the folder *expectations*; left out, it is one of that name inside.

    *errors*, *constraints* and *real_name* are the project's words for what its database
    refuses: see `taskdb.query.translation`. *configure* registers types with a psycopg connection,
    as the service does with its own: the check must know of them. *types* names once what a type
    of the server or a table's column is in Python, `{"email": Email, "orders.address": Address}`:
    `taskdb generate` writes it, and `taskdb check` refuses another annotation.
    """

    def __init__(
        self,
        folder: str | Path | Traversable,
        *,
        name: str = "taskdb",
        label: str | None = None,
        package: str | None = None,
        expectations: Path | Traversable | None = None,
        errors: Mapping[str, type[Exception] | Understand] = MappingProxyType({}),
        constraints: Mapping[str, ConstraintRule] = MappingProxyType({}),
        real_name: Callable[[str], str] = str,
        configure: Callable[[Connection[Any]], object] | None = None,
        types: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(f"{name!r} does not fit into a comment: use letters, digits, - _ .")
        self.name = name
        self.folder = Path(folder) if isinstance(folder, str) else folder
        self.label = label if label is not None else _label(self.folder)
        self.expectations = self.folder / "expectations" if expectations is None else expectations
        self.expectations_label = (
            f"{self.label}/expectations" if expectations is None else _label(expectations)
        )
        self._translator = Translator(errors, constraints, real_name)
        self.configure = configure
        self.types = types
        for declared in types.items():
            _refuse_named_type(*declared)
        self._package = package
        self._files: dict[str, dict[str, Statement]] = {}
        self._queries: dict[str, Query[Any, Any]] = {}

    def __iter__(self) -> Iterator[Query[Any, Any]]:
        self._import_modules()
        return iter(tuple(self._queries.values()))

    def __getitem__(self, name: str) -> Query[Any, Any]:
        """Return the query of a name such as "tasks.list_tasks". Raises KeyError."""
        if name not in self._queries:
            self._import_modules()
        return self._queries[name]

    @overload
    def __call__(self, function: Callable[P, R], /) -> Query[P, R]: ...
    @overload
    def __call__(
        self, /, *, not_found: type[Exception] | None = None, file: str | None = None
    ) -> Callable[[Callable[P, R]], Query[P, R]]: ...
    def __call__(
        self,
        function: Callable[P, R] | None = None,
        /,
        *,
        not_found: type[Exception] | None = None,
        file: str | None = None,
    ) -> Query[P, R] | Callable[[Callable[P, R]], Query[P, R]]:
        """Make the query of a stub: `@query`, or `@query(not_found=ClaimLostError)`.

        *not_found* is raised instead of NotFoundError, or where a statement that returns no rows
        affected none. *file* names the `.sql` file where it is not that of the module.
        """
        if function is not None:
            return self._make(function, not_found, file)
        return lambda function: self._make(function, not_found, file)

    def complete(self) -> None:
        """Raise QueryDefinitionError for a query that no function was made for.

        Call it when the modules of the package are imported; those of `package=` it imports.
        """
        for area, statement in self.without_function():
            raise statement.source.error(
                f"{statement.name} has no function",
                statement.at,
                f"Write a stub of that name in the module {area}, or take it out",
            )

    def without_function(self) -> Iterator[tuple[str, Statement]]:
        """Yield each statement that no function was made for, and the area of its file."""
        self._import_modules()
        for area in self._areas():
            for statement in self._statements(area).values():
                if f"{area}.{statement.name}" not in self._queries:
                    yield area, statement

    def _import_modules(self) -> None:
        """Import the modules of `package=`, which make the queries; a file may have none."""
        if self._package is None:
            return
        for module in [f"{self._package}.{area}" for area in self._areas()]:
            try:
                import_module(module)
            except ModuleNotFoundError as exc:
                if exc.name != module:
                    raise
        self._package = None

    def _areas(self) -> Iterator[str]:
        for entry in self._entries():
            area, dot, suffix = entry.name.rpartition(".")
            if dot and suffix == "sql":
                yield area

    def _entries(self) -> list[Any]:
        try:
            return sorted(self.folder.iterdir(), key=lambda entry: entry.name)
        except FileNotFoundError:
            raise QueryDefinitionError(
                f"there is no folder {self.folder}",
                hint="Queries takes the folder of the .sql files",
            ) from None

    def _statements(self, area: str) -> dict[str, Statement]:
        if area not in self._files:
            entry = self.folder / f"{area}.sql"
            label = f"{self.label}/{area}.sql"
            self._files[area] = parse(SourceFile.from_bytes(entry.read_bytes(), label, str(entry)))
        return self._files[area]

    def _make(
        self, function: Callable[P, R], not_found: type[Exception] | None, file: str | None
    ) -> Query[P, R]:
        area = file or function.__module__.rpartition(".")[2]
        statement = self._statement(function, area)
        parameters, result = _described(function, statement)
        parameters = [each.named_in(statement.names) for each in parameters]
        parameters = [each.as_flag() if _is_flag(each, statement) else each for each in parameters]
        _check_parameters(function, statement, parameters)
        if not_found and result.cardinality in (Cardinality.MANY, Cardinality.AT_MOST_ONE):
            raise _definition(
                function,
                "names an error for no row, but is satisfied without a row",
                "Drop not_found=, or return one row",
            )
        if not_found:
            _check_not_found(function, not_found)
        query = Query(
            function,
            statement,
            area=area,
            application=self.name,
            parameters=parameters,
            result=result,
            not_found=not_found,
            translate=self._translator.translate,
            types=self.types,
        )
        self._queries[query.name] = query
        return query

    def _statement(self, function: Callable[..., Any], area: str) -> Statement:
        name = function.__name__
        try:
            statements = self._statements(area)
        except FileNotFoundError:
            raise _definition(
                function,
                f"has no file {self.label}/{area}.sql",
                "Write it, or name the file with @query(file=...)",
            ) from None
        if name not in statements:
            raise _definition(
                function,
                f"has no query in {self.label}/{area}.sql",
                f"Write -- name: {name} and its statement there{_similar(name, statements)}",
            )
        taken = self._queries.get(f"{area}.{name}")
        # The same place again is its module, reloaded.
        if taken and place_of(taken.function) != place_of(function):
            raise _definition(
                function,
                f"is the second function of {statements[name].where}",
                f"The first is {place_of(taken.function)}",
            )
        return statements[name]


def _label(folder: Path | Traversable) -> str:
    if isinstance(folder, Path):
        return "/".join(folder.absolute().parts[-2:])
    return folder.name


# A type, `schema.type`, `table.column` or `schema.table.column`; a part may stand in quotes.
_NAMED_TYPE: Final = re.compile(r'(?:[^\W\d][\w$ ]*|"[^"]+")(?:\.(?:[^\W\d][\w$]*|"[^"]+")){0,2}')


def _refuse_named_type(name: str, annotation: Any) -> None:
    """Raise QueryDefinitionError for an entry of `types` by which nothing could be read."""
    problem = None
    if not _NAMED_TYPE.fullmatch(name):
        problem = "which is no name of a type, such as email, or of a column, such as orders.total"
    elif NONE in members(annotation) or is_any(annotation):
        problem = (
            f"as {type_name(annotation)}, but each column has a NULL of its own: name the rest"
        )
    else:
        try:
            result_of(list[Annotated[annotation, Json()]])
        except UnsupportedResultError as exc:
            problem = f"as {exc}"
    if problem:
        raise QueryDefinitionError(f"types= names {name!r}, {problem}", hint="Correct types=")


def _similar(name: str, names: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _definition(function: Callable[..., Any], message: str, remedy: str) -> QueryDefinitionError:
    return QueryDefinitionError(
        f"{function.__qualname__} {message}", where=place_of(function), hint=remedy
    )


def _described(
    function: Callable[..., Any], statement: Statement
) -> tuple[list[Parameter], Result]:
    """Read a stub's annotations. Raises QueryDefinitionError for one that says too little."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as exc:
        raise _definition(
            function,
            f"is annotated with {exc.name!r}, which is not known when the query is made",
            "Import or define it above; an import under TYPE_CHECKING comes too late",
        ) from exc
    if _has_body(function):
        raise _definition(function, "has a body, which would never run", "Its SQL is its body: ...")
    if inspect.iscoroutinefunction(function):
        raise _definition(
            function,
            "is async",
            "Write def: its query is awaited on an AsyncConnection all the same",
        )
    if "return" not in hints:
        raise _definition(function, "has no return type", "Say what the rows are, or None")
    try:
        parameters = parameters_of(inspect.signature(function), hints)
    except UnsupportedError as exc:
        raise _definition(
            function, f"has a parameter that cannot be sent: {exc}", "Annotate it with a type"
        ) from None
    try:
        result = result_of(hints["return"])
    except UnsupportedResultError as exc:
        raise _definition(
            function,
            f"has a return type that rows cannot become: {exc}",
            "Return a dataclass, a scalar, either of them | None, a list of them, or None",
        ) from None
    return parameters, result


def _check_not_found(function: Callable[..., Any], not_found: type[Exception]) -> None:
    """Refuse an error that could not be raised when it is needed."""
    try:
        made(not_found, "", "")
    except TypeError as exc:
        takes = "a message and where=" if issubclass(not_found, TaskdbError) else "a message"
        raise _definition(
            function,
            f"names {not_found.__qualname__} for no row, which {takes} do not make: {exc}",
            f"Let its constructor take {takes} alone",
        ) from None


def _has_body(function: Callable[..., Any]) -> bool:
    code = inspect.unwrap(function).__code__
    constants = {None, function.__doc__, ...}
    return bool(code.co_names) or not constants.issuperset(code.co_consts)


def _is_flag(parameter: Parameter, statement: Statement) -> bool:
    """Tell whether a parameter is a bool that `-- if` lines name, and no line sends."""
    kinds = {unwrapped(each)[0] for each in members(parameter.annotation)}
    return (
        parameter.name in statement.conditional
        and parameter.name not in statement.parameters
        and bool in kinds
    )


def _check_parameters(
    function: Callable[..., Any], statement: Statement, parameters: Sequence[Parameter]
) -> None:
    """Refuse a statement and a stub that do not have the same parameters."""
    source = statement.source
    names = [parameter.name for parameter in parameters]
    if statement.copy_columns is not None:
        if statement.copy_columns != tuple(names):
            raise source.error(
                f"{statement.name} copies ({', '.join(statement.copy_columns)}), its function at "
                f"{place_of(function)} takes ({', '.join(names)})",
                statement.start,
                "Let the function's parameters be the columns, in the same order",
            )
        return
    for name, offsets in statement.parameters.items():
        if name not in names:
            raise source.error(
                f"the function {place_of(function)} has no parameter {name}",
                offsets[0],
                f"Add it to {statement.name}(){_similar(name, names)}",
            )
    for condition in statement.conditions:
        for term in condition.terms:
            if term.name not in names:
                raise source.error(
                    f"the function {place_of(function)} has no parameter {term.name}",
                    condition.at,
                    f"Add it to {statement.name}(){_similar(term.name, names)}",
                )
    for parameter in parameters:
        _check_parameter(function, statement, parameter)


def _check_parameter(
    function: Callable[..., Any], statement: Statement, parameter: Parameter
) -> None:
    name = parameter.name
    if name not in statement.parameters and name not in statement.conditional:
        at = statement.source.text.find(f"%({name})s", statement.start, statement.end)
        if at >= 0:
            raise statement.source.error(
                f"%({name})s is psycopg's way to write a parameter", at, f"Write :{name}"
            )
        raise statement.source.error(
            f"{statement.name} has no :{name}, which its function {place_of(function)} takes",
            statement.start,
            f"Use it, or take it out of the function{_similar(name, statement.parameters)}",
        )
    if name in statement.choices:
        _check_choice(function, statement, parameter)
    elif name in statement.conditional and not (
        parameter.nullable or parameter.unsettable or parameter.is_flag
    ):
        line, term = next(_lines_of(statement, name))
        never = "sent" if term.negated else "left out"
        raise statement.source.error(
            f"{name} is never absent, so the line is never {never}",
            line.at,
            f"Annotate it with | None or | Unset at {place_of(function)}, or drop the condition",
        )
    if parameter.unsettable:
        used = statement.unconditional_use(name)
        if used is not None:
            raise statement.source.error(
                f"{name} may be UNSET, and is sent all the same",
                used,
                f"End the line with -- if :{name}",
            )


def _lines_of(statement: Statement, name: str) -> Iterator[tuple[Condition, Term]]:
    for condition in statement.conditions:
        yield from ((condition, term) for term in condition.terms if term.name == name)


def _check_choice(function: Callable[..., Any], statement: Statement, parameter: Parameter) -> None:
    """Refuse a choice whose values are not those that have lines."""
    name, place = parameter.name, place_of(function)
    lines = [*_lines_of(statement, name)]
    values = choices_of(parameter.annotation)
    if values is None:
        raise statement.source.error(
            f"{name} is compared with a value, but is annotated {type_name(parameter.annotation)}",
            lines[0][0].at,
            f"Annotate it with a Literal or an Enum of the values at {place}",
        )
    for line, term in lines:
        if term.value not in values:
            raise statement.source.error(
                f"{name} is never {term.value}: its function {place} takes {', '.join(values)}",
                line.at,
                f"Name one of them, or add it there{_similar(term.value or '', values)}",
            )
    if lacking := [value for value in values if value not in statement.choices[name]]:
        raise statement.source.error(
            f"no line is for {name} = {lacking[0]}, which its function {place} takes",
            lines[0][0].at,
            f"Write a line that ends in -- if :{name} = {lacking[0]}, or drop the value; "
            "None leaves all lines out",
        )
