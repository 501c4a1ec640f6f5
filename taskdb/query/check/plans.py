"""The plan check: how PostgreSQL would run each variant of each query, on a large data set.

Three plans are taken of each: two custom ones, for frequent and for rare arguments
(`taskdb.query.check.samples`), and the generic one, which knows no arguments. Nothing is executed.
A plan must not read a large table whole, nor sort, hash or set aside many rows, and must use the
index that the query's file names::

    -- plan: tasks_by_status, tasks_by_creation      each plan uses one of these
    -- plan: tasks_pkey                              and this one as well
    -- plan: allow full-scan: it counts them all     it reads large tables whole, and why
    -- plan: allow sort: the best match may be last  it sorts many rows, and why
    -- plan: allow full-scan without :epic_id: ...   the same of the variants without :epic_id
    -- plan: allow full-scan with :epic_id: ...      the same of the variants with it

Every query that reads a large table has such a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import Connection, RawCursor
from psycopg.rows import tuple_row

from taskdb.query._query import Query
from taskdb.query._statements import Variant
from taskdb.query.catalogue import plans
from taskdb.query.catalogue.plans import RelationSize
from taskdb.query.check import plantree
from taskdb.query.check.catalogue import Catalogue
from taskdb.query.check.contract import variants
from taskdb.query.check.describe import TESTED_MAJORS, describe
from taskdb.query.check.planning import declared_type
from taskdb.query.check.plantree import LARGE, Reading
from taskdb.query.check.samples import Arguments, Described, find_arguments
from taskdb.query.errors import DatabaseError

__all__ = ["Exemption", "PlanFinding", "PlanReport", "check", "described"]

AnyQuery = Query[Any, Any]

_NAMES: Final = re.compile(r"[a-z_][a-z0-9_]*(?:, *[a-z_][a-z0-9_]*)*")
_FULL_SCAN: Final = "full-scan"
_SORT: Final = "sort"
_PREPARED: Final = "taskdb_plan"
_EXEMPTION: Final = re.compile(
    rf"allow ({_FULL_SCAN}|{_SORT})(?: (with(?:out)?)((?: :\w+(?: = [\w.-]+)?)+))?(?::\s*|\s*$)(.*)"
)


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """One thing wrong with a plan: of which query and text, what it does, and what to do.

    `plan` is custom or generic, or empty where no plan is to blame; `more` counts further plans
    of the query of which the same is true.
    """

    query: str
    where: str
    variant: str
    plan: str
    message: str
    remedy: str
    more: int = 0

    def __str__(self) -> str:
        of = f" [{', '.join(filter(None, (self.variant, self.plan)))}]" if self.plan else ""
        others = f", as {self.more} more of its plans" if self.more else ""
        return f"{self.where}: {self.query}{of}: {self.message}{others}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class Exemption:
    """A query that by nature reads large tables whole, or sorts many rows, and why."""

    query: str
    where: str
    allows: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanReport:
    """Findings of the plan check, exceptions with their reasons, and the number of plans."""

    findings: list[PlanFinding]
    exemptions: list[Exemption]
    query_count: int
    plan_count: int


@dataclass(frozen=True, slots=True)
class _Exempt:
    """A line that allows something, and why: in variants with or without these parameters."""

    allows: str
    which: str
    names: frozenset[str]
    reason: str

    def covers(self, variant: Variant) -> bool:
        if self.which == "with":
            return self.names <= variant.present
        return not self.names & variant.present

    def __str__(self) -> str:
        names = "".join(f" :{name.replace('=', ' = ')}" for name in sorted(self.names))
        return f"allow {self.allows} {self.which}{names}" if names else f"allow {self.allows}"


@dataclass(slots=True)
class _Lines:
    """Contents of a query's `-- plan:` lines: of each group one index is used."""

    groups: list[list[str]] = field(default_factory=list[list[str]])
    exemptions: list[_Exempt] = field(default_factory=list["_Exempt"])
    unread: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, texts: Iterable[str]) -> _Lines:
        lines = cls()
        pending = ""
        for text in texts:
            joined = f"{pending} {text}".strip()
            # A comma at the end: the list goes on in the next line.
            pending = joined if text.endswith(",") else ""
            if not pending:
                lines._add(joined)
        if pending:
            lines.unread.append(pending)
        return lines

    def _add(self, text: str) -> None:
        exemption = _EXEMPTION.fullmatch(text)
        if exemption:
            names = frozenset(re.findall(r":([\w=.-]+)", (exemption[3] or "").replace(" = ", "=")))
            self.exemptions.append(
                _Exempt(exemption[1], exemption[2] or "", names, exemption[4].strip())
            )
        elif _NAMES.fullmatch(text):
            self.groups.append(re.split(", *", text))
        else:
            self.unread.append(text)


def check(conn: Connection[Any], queries: Iterable[AnyQuery], *, scale: float = 1.0) -> PlanReport:
    """Take the plans of *queries* in the database of *conn*, which has much data, analyzed.

    *scale* is how much of the whole data set it has. At a twentieth a query needs a `-- plan:`
    line where it reads a table of a twentieth of the rows that make one large; an index need not
    be used whose table is too small here to be worth it, and others are favoured a little.

    Nothing is executed, and the connection is left as it was. Raises `DatabaseError` on a version
    of PostgreSQL whose trees `describe` does not know.
    """
    major = conn.info.server_version // 10_000
    if major not in TESTED_MAJORS:
        raise DatabaseError(f"the plans of PostgreSQL {major} can't be checked yet", hint="Use 18")
    with conn.transaction(force_rollback=True):
        relations: list[RelationSize] = plans.relation_sizes(conn)
        catalogue = Catalogue()
        known = described(conn, queries, catalogue)
        arguments = find_arguments(conn, known)
        plans.force_generic_plans(conn)
        if scale < 1:
            plans.favour_indexes(conn)
        checks = [
            _Check(
                conn,
                query,
                arguments[query.name],
                declared={
                    name: declared_type(each, catalogue)
                    for name, each in zip(names, seen.parameters, strict=True)
                },
                relations=relations,
                scale=scale,
            )
            for query, names, seen in known.values()
        ]
        findings = [finding for each in checks for finding in each.findings()]
    return PlanReport(
        findings,
        [exemption for each in checks for exemption in each.exemptions()],
        len(checks),
        sum(len(each.plans) for each in checks),
    )


def described(
    conn: Connection[Any], queries: Iterable[AnyQuery], catalogue: Catalogue | None = None
) -> dict[str, Described]:
    """Return the queries that have plans, each with what the server says of its longest text.

    Raises `DatabaseError` where the server refuses one.
    """
    catalogue = catalogue or Catalogue()
    known: dict[str, Described] = {}
    for query in queries:
        if query.statement.copy_columns is None:
            whole = query.statement.whole()
            with _naming(query):
                seen = describe(conn, whole.text, catalogue=catalogue)
            if seen.command != "utility":
                known[query.name] = (query, whole.parameters, seen)
    return known


@contextmanager
def _naming(query: AnyQuery) -> Generator[None]:
    """Name *query* where the server refuses it."""
    try:
        yield
    except psycopg.Error as exc:
        raise DatabaseError(
            f"{query.name}: the server refuses it: {exc.diag.message_primary or exc}",
            where=query.where,
            hint="`taskdb check contract` finds all that it refuses",
        ) from exc


@dataclass(frozen=True, slots=True)
class _Plan:
    """One plan that was taken: of which text, of which kind, and what it does."""

    variant: Variant
    kind: str
    reading: Reading


class _Check:
    """One query: its plans, held against its lines."""

    def __init__(
        self,
        conn: Connection[Any],
        query: AnyQuery,
        arguments: Arguments,
        *,
        declared: Mapping[str, str],
        relations: Collection[RelationSize],
        scale: float,
    ) -> None:
        self.conn = conn
        self.query = query
        self.arguments = arguments
        self.declared = declared
        self.sizes = {each.name: each.row_count for each in relations}
        self.tables = {each.name: each.table_name for each in relations if each.table_name}
        self.scale = scale
        self.lines = _Lines.of(query.plans)
        self.plans: list[_Plan] = []

    def exemptions(self) -> Iterator[Exemption]:
        for each in self.lines.exemptions:
            yield Exemption(self.query.name, self.query.where, str(each), each.reason)

    def findings(self) -> list[PlanFinding]:
        """Take all plans, and return what is wrong: each thing once, with how often it is."""
        found: dict[tuple[str, str], PlanFinding] = {}
        with _naming(self.query):
            for variant in variants(self.query):
                for finding in self._of_variant(variant):
                    self._count(found, finding)
        for finding in self._of_lines():
            self._count(found, finding)
        return list(found.values())

    def _count(self, found: dict[tuple[str, str], PlanFinding], finding: PlanFinding) -> None:
        key = (re.sub(r"\d+", "", finding.message), finding.remedy)
        if key in found:
            first = found[key]
            finding = PlanFinding(
                first.query,
                first.where,
                first.variant,
                first.plan,
                first.message,
                first.remedy,
                first.more + 1,
            )
        found[key] = finding

    def _of_variant(self, variant: Variant) -> Iterator[PlanFinding]:
        for kind, explained in self._explained(variant):
            plan = _Plan(variant, kind, plantree.read(explained, self.sizes))
            self.plans.append(plan)
            yield from self._of_plan(plan)

    def _explained(self, variant: Variant) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield each plan of a text with its kind.

        Of arguments that a cast or a domain in the statement refuses there is none.
        """
        for kind, given in (
            ("custom", self.arguments.frequent),
            ("custom, rare arguments", self.arguments.rare),
        ):
            values = [given[name] for name in variant.parameters]
            try:
                with self.conn.transaction():
                    explained = self._explain(f"explain (format json) {variant.text}", values)
            except (psycopg.DataError, psycopg.IntegrityError):
                if not values:
                    raise
                continue  # The generic plan is judged all the same.
            yield kind, explained
            if not values:
                return  # Without arguments there is one plan.
        types = ", ".join(self.declared[name] for name in variant.parameters)
        self._run(f"prepare {_PREPARED} ({types}) as {variant.text}")
        values = ["null"] * len(variant.parameters)
        yield (
            "generic",
            self._explain(f"explain (format json) execute {_PREPARED} ({', '.join(values)})"),
        )
        self._run(f"deallocate {_PREPARED}")

    def _explain(self, statement: str, values: Sequence[str] = ()) -> Mapping[str, Any]:
        row = self._run(statement, values).fetchone()
        assert row is not None
        plan: Mapping[str, Any] = row[0][0]["Plan"]
        return plan

    def _run(self, statement: str, values: Sequence[str] = ()) -> RawCursor[tuple[Any, ...]]:
        """Run what stands around a named query: prepare, explain, deallocate."""
        cursor = RawCursor(self.conn, row_factory=tuple_row)
        return cursor.execute(cast("LiteralString", statement), values, prepare=False)

    def _of_plan(self, plan: _Plan) -> Iterator[PlanFinding]:
        allowed = {each.allows for each in self.lines.exemptions if each.covers(plan.variant)}
        reading = plan.reading
        if _FULL_SCAN not in allowed:
            for what, rows in _many(reading.whole):
                yield self._finding(plan, f"reads {what} whole, about {rows:,} rows", _INDEX)
            for step, rows in _many(reading.piled):
                if step != "sorts" or _SORT not in allowed:
                    yield self._finding(plan, f"{step} about {rows:,} rows", _FEWER)
        for group in self.lines.groups:
            if not reading.indexes.intersection(group) and not self._may_scan(group):
                used = ", ".join(sorted(reading.indexes)) or "none"
                yield self._finding(
                    plan,
                    f"does not use {' or '.join(group)}; of indexes it uses {used}",
                    "Make the index fit it again, or name the one it should use",
                )

    def _may_scan(self, group: Iterable[str]) -> bool:
        """Tell whether one of these is an index of a table that is small only here."""
        if self.scale >= 1:
            return False
        tables = [self.tables[name] for name in group if name in self.tables]
        return any(self.sizes.get(table, 0) <= LARGE for table in tables)

    def _of_lines(self) -> Iterator[PlanFinding]:
        for text in self.lines.unread:
            yield self._finding(
                None,
                f"its line -- plan: {text} is not understood",
                f"Name indexes, separated by commas, or write allow {_FULL_SCAN}: and a reason",
            )
        named = [name for group in self.lines.groups for name in group]
        for name in named:
            if name not in self.tables:
                yield self._finding(
                    None, f"there is no index {name}, which its -- plan: line names", _CREATE
                )
        large = sorted(self._large_tables())
        if large and not self.query.plans:
            yield self._finding(
                None,
                f"has no -- plan: line, and reads {', '.join(large)}, which is large",
                "Name the index it is meant to use",
            )
        yield from self._of_exemptions()
        # Smaller data may be read in another way than the alternatives for all of it.
        if self.scale >= 1:
            for name in self._needless_names():
                yield self._finding(
                    None,
                    f"no plan of it uses {name}, which its -- plan: line names",
                    "Take the name out",
                )

    def _needless_names(self) -> Iterator[str]:
        """Alternatives that no plan takes, unless there is one on the same table that some do."""
        used = set[str]().union(*(plan.reading.indexes for plan in self.plans))
        for group in self.lines.groups:
            served = {self.tables.get(name) for name in group if name in used}
            for name in group:
                if name in self.tables and self.tables[name] not in served:
                    yield name

    def _of_exemptions(self) -> Iterator[PlanFinding]:
        for each in self.lines.exemptions:
            covered = [plan.reading for plan in self.plans if each.covers(plan.variant)]
            if not each.reason:
                yield self._finding(
                    None,
                    f"its line -- plan: {each} gives no reason",
                    f"Say why: -- plan: {each}: it counts them all",
                )
            elif self.scale >= 1 and not any(_needs(each.allows, one) for one in covered):
                yield self._finding(
                    None, f"its line -- plan: {each} allows what it does not do", "Take it out"
                )

    def _large_tables(self) -> set[str]:
        tables = set[str]().union(*(plan.reading.tables for plan in self.plans))
        return {name for name in tables if self.sizes.get(name, 0) > LARGE * self.scale}

    def _finding(self, plan: _Plan | None, message: str, remedy: str) -> PlanFinding:
        return PlanFinding(
            self.query.name,
            self.query.where,
            _shown(plan.variant) if plan else "",
            plan.kind if plan else "",
            message,
            remedy,
        )


_INDEX: Final = (
    "Give it an index, or rewrite it so that it can use one; if it must, write "
    f"-- plan: allow {_FULL_SCAN}: and why"
)
_FEWER: Final = (
    "Let an index give the order or find fewer rows; if it must, write "
    f"-- plan: allow {_SORT}: (or {_FULL_SCAN}:) and why"
)
_CREATE: Final = "Create it again, or name the one that took its place"


def _many(noted: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(what, rows) for what, rows in noted.items() if rows > LARGE]


def _needs(allows: str, reading: Reading) -> bool:
    return "sorts" in reading.piled if allows == _SORT else bool(reading.whole or reading.piled)


def _shown(variant: Variant) -> str:
    """Return a finding's name for a variant: the conditional lines that are in it."""
    if not variant.statement.conditional:
        return ""
    present = " ".join(f":{name.replace('=', ' = ')}" for name in sorted(variant.present))
    return f"with {present}" if present else "without conditional lines"
