"""Settings of the database: precedence, refusals, and values that nobody gets to read."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from taskdb.database.settings import Settings, is_configured
from taskdb.errors import DatabaseNotFoundError, ValidationError

HERE = {"DATABASE_URL": "postgresql://here/plans"}
PARTS = {
    "DB_HOST": "db.example",
    "DB_PORT": "5433",
    "DB_NAME": "plans",
    "DB_USER": "app",
    "DB_PASSWORD": " s3 cret' ",
    "DB_SSL_MODE": "require",
}


def parameters(conninfo: str | None = None, **environ: str) -> Mapping[str, str]:
    return Settings.read(conninfo, environ=environ).parameters


# Precedence


def test_argument_goes_before_every_variable() -> None:
    settings = Settings.read("postgresql://there/other", environ={**HERE, **PARTS})

    assert settings.parameters == {"host": "there", "dbname": "other"}
    assert settings.source == "conninfo"


def test_database_url_goes_before_its_parts() -> None:
    settings = Settings.read(environ={**HERE, **PARTS})

    assert settings.parameters == {"host": "here", "dbname": "plans"}
    assert settings.source == "DATABASE_URL"


def test_parts_go_before_libpq_s_own_variables() -> None:
    settings = Settings.read(environ={**PARTS, "PGHOST": "elsewhere"})

    assert settings.parameters == {
        "host": "db.example",
        "port": "5433",
        "dbname": "plans",
        "user": "app",
        "password": " s3 cret' ",
        "sslmode": "require",
    }
    assert settings.source == "DB_*"


def test_libpq_s_own_variables_are_left_to_libpq() -> None:
    settings = Settings.read(environ={"PGHOST": "elsewhere"})

    assert settings.parameters == {}
    assert settings.source == "PG*"


def test_nothing_configured_names_the_remedy() -> None:
    with pytest.raises(DatabaseNotFoundError, match="no database is configured") as error:
        Settings.read(environ={})

    assert "DATABASE_URL" in (error.value.hint or "")
    assert "taskdb db start" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("environ", "configured"),
    [
        ({}, False),
        ({"DATABASE_URL": ""}, False),
        ({"DATABASE_URL": " "}, False),
        ({"DB_PASSWORD": "x", "DB_SSL_MODE": "require", "PGPASSWORD": "x"}, False),
        (HERE, True),
        ({"DB_NAME": "plans"}, True),
        ({"DB_PORT": "5432"}, True),
        ({"PGSERVICE": "plans"}, True),
        ({"PGHOST": "/run"}, True),
    ],
)
def test_database_is_configured_once_something_says_where_it_is(
    environ: dict[str, str], configured: bool
) -> None:
    assert is_configured(environ) is configured


def test_pairs_and_urls_say_the_same() -> None:
    expected = {"host": "h", "port": "5433", "dbname": "d", "user": "u", "password": "p@/:% é"}

    assert parameters("host=h port=5433 dbname=d user=u password='p@/:% é'") == expected
    assert parameters("postgresql://u:p%40%2F%3A%25%20%C3%A9@h:5433/d\n") == expected
    assert parameters("postgresql+asyncpg://u:p%40%2F%3A%25%20%C3%A9@h:5433/d") == expected


def test_url_without_anything_is_libpq_s_default() -> None:
    assert parameters("postgresql://") == {}


def test_several_hosts_are_one_place() -> None:
    settings = Settings.read("postgresql://a:1,b:2/d?target_session_attrs=read-write", environ={})

    assert settings.place == "database d at a,b, port 1,2"


# A new session


def session(conninfo: str, **environ: str) -> str:
    return str(conninfo_to_dict(Settings.read(conninfo, environ=environ).conninfo)["options"])


def test_options_of_the_url_win_over_the_default_timeout_but_not_over_the_workspace() -> None:
    options = session("host=h options='-c statement_timeout=5s -c search_path=public'")

    assert options.index("statement_timeout=60000") < options.index("statement_timeout=5s")
    assert options.index("search_path=public") < options.index('search_path="taskdb",shared')


def test_timeout_that_was_asked_for_wins_over_the_url() -> None:
    options = session("host=h options='-c statement_timeout=5s'", DB_STATEMENT_TIMEOUT="1500")

    assert options.index("statement_timeout=5s") < options.index("statement_timeout=1500")
    assert "60000" not in options


def test_timeout_of_zero_is_none() -> None:
    assert "statement_timeout=0 " in session("host=h", DB_STATEMENT_TIMEOUT="0") + " "


def test_pgoptions_are_kept() -> None:
    assert "-c work_mem=1GB" in session("host=h", PGOPTIONS="-c work_mem=1GB")
    assert "work_mem" not in session("host=h options='-c a=b'", PGOPTIONS="-c work_mem=1GB")


def test_url_overrides_the_courtesies() -> None:
    told = conninfo_to_dict(
        Settings.read("host=h connect_timeout=60 application_name=mine", environ={}).conninfo
    )

    assert (told["connect_timeout"], told["application_name"]) == ("60", "mine")
    assert told["client_encoding"] == "utf8"


# Limits


def test_limits_are_those_of_the_manual_until_something_else_is_said() -> None:
    settings = Settings.read(environ=HERE)

    assert (settings.pool_min, settings.pool_max, settings.workspace) == (2, 20, "taskdb")
    assert settings == Settings(parameters=settings.parameters, source="DATABASE_URL")


def test_limits_come_from_the_environment_in_milliseconds() -> None:
    settings = Settings.read(
        environ={
            **HERE,
            "TASKDB_WORKSPACE": "team_a",
            "DB_POOL_MIN": "1",
            "DB_POOL_MAX": "3",
            "DB_POOL_TIMEOUT": "500",
            "DB_POOL_IDLE_TIMEOUT": "10000",
            "DB_POOL_MAX_LIFETIME": "60000",
            "DB_STATEMENT_TIMEOUT": "250",
        }
    )

    assert (settings.pool_min, settings.pool_max, settings.workspace) == (1, 3, "team_a")
    assert settings.pool_timeout == timedelta(milliseconds=500)
    assert settings.pool_idle_timeout == timedelta(seconds=10)
    assert settings.pool_max_lifetime == timedelta(seconds=60)
    assert settings.statement_timeout == timedelta(milliseconds=250)


def test_arguments_go_before_the_environment() -> None:
    settings = Settings.read(
        workspace="team_b",
        pool_max=4,
        pool_idle_timeout=timedelta(seconds=1),
        environ={**HERE, "TASKDB_WORKSPACE": "a", "DB_POOL_MAX": "3", "DB_POOL_IDLE_TIMEOUT": "9"},
    )

    assert (settings.workspace, settings.pool_max) == ("team_b", 4)
    assert settings.pool_idle_timeout == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("variable", "argument", "expected"),
    [("", None, True), ("on", None, True), ("OFF", None, False), ("off", True, True)],
)
def test_prepared_statements_are_on_unless_switched_off(
    variable: str, argument: bool | None, expected: bool
) -> None:
    environ = {**HERE, "DB_PREPARE": variable}

    assert Settings.read(prepare=argument, environ=environ).prepare is expected


def test_pool_of_one_needs_no_smaller_minimum() -> None:
    assert Settings.read(environ={**HERE, "DB_POOL_MAX": "1"}).pool_min == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DB_POOL_MIN", "-1"),
        ("DB_POOL_MIN", "21"),
        ("DB_POOL_MAX", "0"),
        ("DB_POOL_MAX", "many"),
        ("DB_POOL_MAX", "1.5"),
        ("DB_POOL_MAX", "٣"),
        ("DB_POOL_IDLE_TIMEOUT", "30s"),
        ("DB_POOL_TIMEOUT", "0"),
        ("DB_POOL_MAX_LIFETIME", "99999999999"),
        ("DB_STATEMENT_TIMEOUT", "2147483648"),
        ("DB_PREPARE", "maybe"),
        ("DB_PORT", "65536"),
        ("DB_PORT", "five"),
        ("DB_SSL_MODE", "yes"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d"),
    ],
)
def test_bad_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    environ = {"DB_HOST": "h", "DB_POOL_MAX": "20", variable: value}
    with pytest.raises(ValidationError) as error:
        Settings.read(environ=environ)

    assert error.value.field == variable
    assert str(error.value).startswith(variable)
    assert "s3cret" not in str(error.value)


def test_bad_argument_is_refused_by_its_own_name() -> None:
    with pytest.raises(ValidationError, match=r"^pool_max must be a whole number from 1"):
        Settings.read("host=h", pool_max=0)
    with pytest.raises(ValidationError, match=r"^statement_timeout .* milliseconds"):
        Settings.read("host=h", statement_timeout=timedelta(seconds=-1))
    milliseconds: Any = 5000
    with pytest.raises(ValidationError, match=r"^pool_timeout must be a timedelta, not int"):
        Settings.read("host=h", pool_timeout=milliseconds)
    with pytest.raises(ValidationError, match=r"^workspace"):
        Settings.read("host=h", workspace='x"; drop schema shared')
    with pytest.raises(ValidationError, match=r"^conninfo"):
        Settings.read("")


# Secrets


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://u:{secret}@h/d",
        "postgresql://u:12/{secret}@h/d",
        "postgresql://u:x@{secret}@h/d",
        "postgresql://u:{secret}%@h/d",
        "postgresql://u:x {secret}@h/d",
        "postgresql://u:x/y?{secret}@h/d",
        "postgresql://h/d?{secret}",
        "postgresql://h/d?password={secret}&nonsense=1",
        "u:{secret}@h/d",
        "mysql://u:{secret}@h/d",
        "host=h password='{secret}",
        "host=h password=x {secret}",
        "host=h password=x {secret}=y",
    ],
)
@pytest.mark.parametrize(
    "secret", ["s3cret", "s3/cret", "s3@cret", "s3?cret", "s3#cret", "s3:cret"]
)
def test_password_is_in_no_error_and_no_repr(conninfo: str, secret: str) -> None:
    error = None
    try:
        settings = Settings.read(conninfo.format(secret=secret), environ={})
        told = [repr(settings), str(settings), settings.place]
    except ValidationError as refusal:
        error = refusal
        told = traceback.format_exception(refusal)

    assert error is None or (error.field, error.__context__) == ("conninfo", None)
    # The test's own line is in the traceback; what it stands for must not be.
    assert "cret" not in "".join(told).replace("secret", "")


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=30))
def test_any_password_arrives_whole_and_stays_unseen(password: str) -> None:
    url = f"postgresql://app:{quote(password, safe='')}@db.example/plans"
    by_url = Settings.read(url, environ={})
    by_part = Settings.read(environ={"DB_HOST": "db.example", "DB_PASSWORD": password})

    for settings in by_url, by_part:
        assert conninfo_to_dict(settings.conninfo)["password"] == password
        told = f"{settings!r}{settings}"
        assert password not in told or password in f"{WITHOUT!r}{WITHOUT}"


WITHOUT = Settings.read("postgresql://app@db.example/plans", environ={})


def test_place_names_what_libpq_would_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGDATABASE", "plans")
    monkeypatch.setenv("PGPORT", "5440")

    assert Settings.read().place == "database plans at elsewhere, port 5440"
    assert Settings.read("service=prod").place == "service prod"


def test_conninfo_is_one_that_libpq_accepts() -> None:
    settings = Settings.read(environ=PARTS)

    assert psycopg.conninfo.make_conninfo(settings.conninfo) == settings.conninfo
