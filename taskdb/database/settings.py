"""Database settings, from an argument or from the environment: address and session parameters.

The first of these that is given says where the database is, whole; what it leaves open libpq
fills in from its own variables, as ever:

1. an argument: ``Database("postgresql://app@db.example/plans")``
2. ``DATABASE_URL``
3. ``DB_HOST``, ``DB_PORT``, ``DB_NAME``, ``DB_USER``, ``DB_PASSWORD``, ``DB_SSL_MODE``
4. libpq's own: ``PGHOST``, ``PGPORT``, ``PGDATABASE``, ``PGUSER``, ``PGSERVICE`` and the rest

``TASKDB_WORKSPACE`` names the workspace. ``DB_POOL_MIN``, ``DB_POOL_MAX`` and, in milliseconds,
``DB_POOL_TIMEOUT``, ``DB_POOL_IDLE_TIMEOUT``, ``DB_POOL_MAX_LIFETIME`` and
``DB_STATEMENT_TIMEOUT`` set the limits; a query that takes ``DB_SLOW_QUERY`` milliseconds is
logged. ``DB_PREPARE=off`` does without prepared statements, for a pooler in transaction mode that
mixes them up. An empty variable counts as none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Final, overload

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from taskdb.errors import DatabaseNotFoundError, ValidationError
from taskdb.query import Length, checked, checker

__all__ = [
    "DEFAULT",
    "SHARED",
    "Conninfo",
    "Settings",
    "Workspace",
    "check_name",
    "is_configured",
]

PARTS: Final = {
    "DB_HOST": "host",
    "DB_PORT": "port",
    "DB_NAME": "dbname",
    "DB_USER": "user",
    "DB_PASSWORD": "password",
    "DB_SSL_MODE": "sslmode",
}
# The variables of each family that locate a database: a password alone doesn't.
PLACES: Final = ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER")
LIBPQ_PLACES: Final = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

SWITCH: Final = {"on": True, "off": False}

# The settings of a connection unless its URL sets others. The first five give up within seconds on
# a host that doesn't answer, or no longer; the system's own limits are minutes to hours.
COURTESIES: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "fallback_application_name": "taskdb",
}
DEFAULT: Final = "taskdb"
"""The workspace where nothing says another."""
SHARED: Final = "shared"
"""The schema of what all workspaces use."""
STATEMENT_TIMEOUT: Final = timedelta(seconds=60)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
Workspace = Annotated[str, Length(1, 63)]
Conninfo = Annotated[str, Length(0, 10_000)]
_RESERVED = frozenset({SHARED, "public", "information_schema"})
# PostgreSQL keeps its timeouts as signed 32-bit numbers of milliseconds.
LARGEST: Final = 2**31 - 1

URL_FORM: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
REMEDY: Final = (
    f"Set DATABASE_URL={URL_FORM}, or DB_HOST and DB_NAME, or pass a connection string;"
    " for a database of your own on this machine: taskdb db start, then taskdb db url"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A database, a workspace in it, and the limits of the pool.

    `Settings.read` makes one from arguments and the environment. `parameters` are libpq's
    keywords with their values, `source` the argument or variable they come from. Neither repr
    nor str shows the parameters, for there may be a password among them.
    """

    parameters: Mapping[str, str] = field(repr=False)
    source: str = "conninfo"
    workspace: str = DEFAULT
    pool_min: int = 2
    pool_max: int = 20
    pool_timeout: timedelta = timedelta(seconds=30)
    pool_idle_timeout: timedelta = timedelta(seconds=30)
    pool_max_lifetime: timedelta = timedelta(minutes=30)
    # None: 60 seconds, unless the URL's options or PGOPTIONS say otherwise. Zero: no limit.
    statement_timeout: timedelta | None = None
    # A query that takes as long is logged, under taskdb.query. Zero: none is.
    slow_query: timedelta = timedelta(seconds=1)
    prepare: bool = True

    @classmethod
    def read(
        cls,
        conninfo: str | None = None,
        *,
        workspace: str | None = None,
        pool_min: int | None = None,
        pool_max: int | None = None,
        pool_timeout: timedelta | None = None,
        pool_idle_timeout: timedelta | None = None,
        pool_max_lifetime: timedelta | None = None,
        statement_timeout: timedelta | None = None,
        slow_query: timedelta | None = None,
        prepare: bool | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        """Return the settings that the arguments give, and the environment where they are None.

        *conninfo* is a URL, or libpq's ``key=value`` pairs. Raises `DatabaseNotFoundError`
        where nothing says which database, and `ValidationError` naming the argument or
        variable whose value won't do.
        """
        _check_conninfo(conninfo)
        given = _Given(os.environ if environ is None else environ)
        source, parameters = given.database(conninfo)
        if "options" not in parameters and (options := given.variable("PGOPTIONS")):
            parameters["options"] = options
        most = given.number("DB_POOL_MAX", pool_max, default=20, least=1)
        least = given.number("DB_POOL_MIN", pool_min, default=min(2, most), most=most)
        return cls(
            parameters=parameters,
            source=source,
            workspace=given.workspace(workspace),
            pool_min=least,
            pool_max=most,
            pool_timeout=given.duration("DB_POOL_TIMEOUT", pool_timeout, 30_000),
            pool_idle_timeout=given.duration("DB_POOL_IDLE_TIMEOUT", pool_idle_timeout, 30_000),
            pool_max_lifetime=given.duration("DB_POOL_MAX_LIFETIME", pool_max_lifetime, 1_800_000),
            statement_timeout=given.duration(
                "DB_STATEMENT_TIMEOUT", statement_timeout, None, least=0
            ),
            slow_query=given.duration("DB_SLOW_QUERY", slow_query, 1_000, least=0),
            prepare=given.switch("DB_PREPARE", prepare, default=True),
        )

    @property
    def conninfo(self) -> str:
        """Connection string for libpq: the parameters, and each session's initial settings.

        It holds the password. Session settings go with the connection itself, so that it costs
        no round trip to set them, and ``reset all`` comes back to them.
        """
        return make_conninfo(
            **{
                **COURTESIES,
                **self.parameters,
                "client_encoding": "utf8",
                "options": self._options(),
            }
        )

    @property
    def search_path(self) -> str:
        """Search path of each session; temporary tables never hide a table."""
        return f'"{self.workspace}",shared,pg_temp'

    @property
    def place(self) -> str:
        """The database, for people: ``database plans at db.example, port 5432``."""
        if service := self.parameters.get("service"):
            return f"service {service}"
        name, host, port = self._address()
        return f"database {name} at {host}, port {port}"

    @property
    def pool_name(self) -> str:
        """The name of its pools in metrics: ``db.example:5432/plans|taskdb``."""
        if service := self.parameters.get("service"):
            return f"{service}|{self.workspace}"
        name, host, port = self._address()
        return f"{host}:{port}/{name}|{self.workspace}"

    def _address(self) -> tuple[str, str, str]:
        at = self.parameters
        name = at.get("dbname") or os.environ.get("PGDATABASE") or at.get("user") or "(default)"
        host = at.get("host") or at.get("hostaddr") or os.environ.get("PGHOST") or "localhost"
        return name, host, at.get("port") or os.environ.get("PGPORT") or "5432"

    def __str__(self) -> str:
        return f"{self.place}, workspace {self.workspace}"

    def _options(self) -> str:
        timeout = STATEMENT_TIMEOUT if self.statement_timeout is None else self.statement_timeout
        limit = f"-c statement_timeout={_milliseconds(timeout)}"
        theirs = self.parameters.get("options", "")
        ours = (
            f"-c search_path={self.search_path} -c TimeZone=UTC"
            " -c DateStyle=ISO -c IntervalStyle=postgres -c taskdb.report_ready=on"
        )
        # The last of two settings counts.
        order = (limit, theirs, ours) if self.statement_timeout is None else (theirs, limit, ours)
        return " ".join(filter(None, order))


@checked
def is_configured(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the environment names a database."""
    return _Given(os.environ if environ is None else environ).source() is not None


class _Given:
    """The environment, read with care: each refusal names the variable and shows no value."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def variable(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def source(self) -> str | None:
        """The variable, or family of variables, that says where the database is."""
        if self.variable("DATABASE_URL"):
            return "DATABASE_URL"
        if any(map(self.variable, PLACES)):
            return "DB_*"
        return "PG*" if any(map(self.variable, LIBPQ_PLACES)) else None

    def database(self, conninfo: str | None) -> tuple[str, dict[str, str]]:
        """Return what says where the database is, and what it says, in libpq's keywords."""
        if conninfo is not None:
            return "conninfo", parse(conninfo.strip(), "conninfo")
        match self.source():
            case "DATABASE_URL":
                return "DATABASE_URL", parse(self.variable("DATABASE_URL") or "", "DATABASE_URL")
            case "DB_*":
                return "DB_*", self._parts()
            case "PG*":
                return "PG*", {}
            case _:
                raise DatabaseNotFoundError("no database is configured", hint=REMEDY)

    def _parts(self) -> dict[str, str]:
        port = self.variable("DB_PORT")
        if port and not _is_port(port):
            raise ValidationError("DB_PORT", "must be a port number, 1 to 65535")
        mode = self.variable("DB_SSL_MODE")
        if mode and mode not in SSL_MODES:
            raise ValidationError("DB_SSL_MODE", f"must be one of {', '.join(SSL_MODES)}")
        # Every character of a password counts, blanks too.
        values = {name: self.variable(name) for name in PARTS} | {
            "DB_PASSWORD": self._environ.get("DB_PASSWORD")
        }
        return {PARTS[name]: value for name, value in values.items() if value}

    def workspace(self, argument: str | None) -> str:
        # Late, for the module brings all queries with it.
        return check_name(argument or self.variable("TASKDB_WORKSPACE") or DEFAULT)

    def switch(self, name: str, argument: bool | None, *, default: bool) -> bool:
        """Return the argument, else the variable, on or off, else the default."""
        text = self.variable(name)
        if isinstance(argument, bool):
            return argument
        if argument is not None:
            raise ValidationError(name.removeprefix("DB_").lower(), "must be True or False")
        if text is None:
            return default
        if text.lower() not in SWITCH:
            raise ValidationError(name, "must be on or off")
        return SWITCH[text.lower()]

    def number(
        self,
        name: str,
        argument: object,
        *,
        default: int,
        least: int = 0,
        most: int = LARGEST,
        unit: str = "",
    ) -> int:
        """Return the argument, else the variable, else the default; each within its limits."""
        text = self.variable(name)
        if argument is not None:
            name = name.removeprefix("DB_").lower()
            value = argument if type(argument) is int else -1
        elif text is None:
            return default
        else:
            value = int(text) if re.fullmatch("[0-9]{1,10}", text) else -1
        if not least <= value <= most:
            raise ValidationError(name, f"must be a whole number from {least} to {most}{unit}")
        return value

    @overload
    def duration(
        self, name: str, argument: timedelta | None, default: int, *, least: int = 1
    ) -> timedelta: ...
    @overload
    def duration(
        self, name: str, argument: timedelta | None, default: None, *, least: int = 1
    ) -> timedelta | None: ...
    def duration(
        self, name: str, argument: timedelta | None, default: int | None, *, least: int = 1
    ) -> timedelta | None:
        """Return a duration; the variable and the default are in milliseconds."""
        if argument is None and default is None and self.variable(name) is None:
            return None
        milliseconds = self.number(
            name,
            None if argument is None else _given(name, argument),
            default=default or 0,
            least=least,
            unit=" milliseconds",
        )
        return timedelta(milliseconds=milliseconds)


_check_conninfo: Final = checker("conninfo", Conninfo | None)


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _given(name: str, duration: object) -> int:
    """The milliseconds of an argument; a caller may have taken it for a number of them."""
    if not isinstance(duration, timedelta):
        kind = type(duration).__name__
        raise ValidationError(
            name.removeprefix("DB_").lower(),
            f"must be a timedelta, not {kind}; only the variable is in milliseconds",
        )
    return _milliseconds(duration)


def parse(conninfo: str, name: str) -> dict[str, str]:
    """Return libpq's keywords of a connection string; a refusal shows nothing of it."""
    # SQLAlchemy's URLs name a driver too.
    conninfo = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", conninfo)
    parameters: dict[str, str] | None = None
    # libpq's own words quote the part that it can't read, which may be of the password.
    with suppress(psycopg.ProgrammingError):
        parameters = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    if not conninfo or parameters is None or _is_torn(parameters):
        raise ValidationError(
            name,
            f"must be a PostgreSQL URL ({URL_FORM}) or key=value pairs",
            hint="Percent-encode what is special in a user or password: @ is %40, / is %2F",
        )
    return parameters


def _is_torn(parameters: Mapping[str, str]) -> bool:
    """Return whether an unencoded password seems to have spilt into the port, host or database."""
    ports = parameters.get("port", "").split(",")
    hosts = parameters.get("host", "").split(",")
    return (
        not all(port == "" or _is_port(port) for port in ports)
        # A host that begins with @ is a socket in Linux's abstract namespace.
        or any("@" in host[1:] for host in hosts)
        or "@" in parameters.get("dbname", "")
    )


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


@checked
def check_name(workspace: Workspace) -> str:
    """Return *workspace* if one may be called so; else raise `ValidationError`.

    A name is a lowercase letter or underscore, then up to 62 letters, digits or
    underscores. ``shared``, ``public``, ``information_schema`` and ``pg_*`` are taken.
    """
    if not _NAME.fullmatch(workspace):
        raise ValidationError(
            "workspace",
            f"must be lowercase letters, digits and underscores, 63 at most, and not begin with "
            f"a digit; {workspace!r} is not",
        )
    if workspace in _RESERVED or workspace.startswith("pg_"):
        raise ValidationError(
            "workspace",
            f"must not be a name that PostgreSQL or taskdb uses itself, as {workspace!r} is",
        )
    return workspace
