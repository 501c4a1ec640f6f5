"""Roles: every right is as the page says; grants are changed, taken back and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from taskdb import migrations
from taskdb.admin import privileges
from taskdb.database import connect, roles, workspaces
from taskdb.errors import DatabaseError, ValidationError
from taskdb.queries import claims, design, tasks
from taskdb.queries.admin import workspaces as acl
from taskdb.testing.databases import Databases
from tests.database.privileges import Conn, MakeRole, Refused, execute, is_refused

PAGE = Path(__file__).parents[2] / "docs" / "privileges.md"


# The matrix


def objects(conn: Conn) -> Iterator[tuple[str, str, str | None, str, str]]:
    """Yield each cell: kind of object, its name, a column or None, the action, and a trial of it.

    A trial is a statement that changes nothing, or nothing that is not rolled back.
    """
    relations = execute(
        conn,
        """
        select relname, relkind::text, array_agg(attname::text order by attnum)
        from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0
        where relnamespace = 'taskdb'::regnamespace and relkind in ('r', 'v')
            and not attisdropped and attgenerated = ''
        group by 1, 2 order by 1
        """,
    )
    for name, relkind, columns in relations:
        kind = "table" if relkind == "r" else "view"
        yield kind, name, None, "select", f"select from {name} limit 0"
        if kind == "table":
            yield kind, name, None, "delete", f"delete from {name} where false"
            yield kind, name, None, "truncate", f"truncate {name} cascade"
            yield kind, name, None, "references", f"create table own.r (x int references {name})"
            for column in columns:
                insert = f"insert into {name} ({column}) select {column} from {name} where false"
                update = f"update {name} set {column} = {column} where false"
                yield kind, name, column, "insert", insert
                yield kind, name, column, "update", update
    for (name,) in execute(
        conn,
        """
        select relname from pg_class
        where relkind = 'S' and relnamespace = 'taskdb'::regnamespace
        """,
    ):
        yield "sequence", name, None, "usage", f"select nextval('{name}')"
    for schema in ("taskdb", "shared"):
        for name, types, arguments in execute(
            conn,
            f"""
            select proname, oidvectortypes(proargtypes),
                coalesce((
                    select string_agg('null::' || type::regtype, ', ' order by place)
                    from unnest(proargtypes::oid[]) with ordinality as given (type, place)
                ), '')
            from pg_proc
            where pronamespace = '{schema}'::regnamespace and not exists (
                select from pg_depend where objid = pg_proc.oid and deptype = 'e'
            )
            """,
        ):
            yield (
                "function",
                f"{name}({types})",
                None,
                "execute",
                f"explain select {schema}.{name}({arguments})",
            )


@pytest.mark.parametrize("kind", roles.KINDS)
def test_every_cell_of_the_matrix_is_what_the_server_does(
    owner: Conn, as_role: Callable[[roles.Kind], Conn], kind: roles.Kind
) -> None:
    conn = owner if kind == "owner" else as_role(kind)
    execute(owner, "create schema own")
    execute(owner, "grant all on schema own to public")
    granted = {
        (row.kind, row.object, row.column, row.privilege)
        for row in acl.list_acl(owner, workspace="taskdb")
        if row.role == conn.info.user
    }

    cells = list(objects(owner))
    allowed = {cell[:4] for cell in cells if not is_refused(conn, cell[4])}

    everything = {cell[:4] for cell in cells}
    assert len(everything) > 800
    if kind == "owner":
        assert allowed == everything
    else:
        assert allowed == granted & everything
        assert {
            cell for cell in granted if cell[0] in ("table", "view", "function")
        } - everything <= {
            ("table", name, None, "select")
            for name in ("_taskdb_migration", "_yoyo_log", "_yoyo_migration", "_yoyo_version")
        }


@pytest.mark.slow
def test_the_page_is_what_the_catalogue_says(owner: Conn, make_role: MakeRole) -> None:
    for kind in privileges.GRANTED:
        roles.grant(owner, "taskdb", make_role()[0], kind)

    assert PAGE.read_text() == privileges.page(owner), "the grants changed: run `make docs`"


def test_public_may_run_no_function(owner: Conn, as_role: Callable[[roles.Kind], Conn]) -> None:
    as_role("reader")

    assert [row for row in acl.list_acl(owner, workspace="taskdb") if row.role == "public"] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reader", "worker", "app"])
def test_a_role_may_run_what_its_functions_call(
    as_role: Callable[[roles.Kind], Conn], kind: roles.Kind
) -> None:
    """EXPLAIN does not ask for the rights to what a function's body calls."""
    missing = execute(
        as_role(kind),
        r"""
        select caller.proname, called.proname
        from pg_proc as caller
        join pg_proc as called
            on called.pronamespace = caller.pronamespace
            and caller.prosrc ~ ('\m' || called.proname || '\(')
        where caller.pronamespace = 'taskdb'::regnamespace
            and not caller.prosecdef
            and (
                caller.prorettype = 'trigger'::regtype
                or has_function_privilege(caller.oid, 'execute')
            )
            and not has_function_privilege(called.oid, 'execute')
            -- It is called for rows that no trigger writes: by who may insert into task_history.
            and not (
                called.proname = 'imported_history'
                and not has_any_column_privilege('taskdb.task_history', 'insert')
            )
        """,
    )

    assert missing == []


# Grants change, are taken back, and follow migrations


def kind_of(conn: Conn, role: str) -> str | None:
    kinds = {granted.role: granted.kind for granted in roles.show(conn, "taskdb")}
    return kinds.get(role)


def held(conn: Conn, role: str) -> list[Any]:
    return [row for row in acl.list_acl(conn, workspace="taskdb") if row.role == role]


@pytest.mark.slow
def test_granting_less_takes_the_rest_back(owner: Conn, make_role: MakeRole) -> None:
    role, url = make_role()
    for kind in ("app", "worker", "reader"):
        roles.grant(owner, "taskdb", role, kind)
        assert kind_of(owner, role) == kind

    assert {row.privilege for row in held(owner, role)} == {"usage", "select", "execute"}
    with connect(url, autocommit=True) as conn, pytest.raises(Refused):
        tasks.create(conn, title="One")


@pytest.mark.slow
def test_what_is_revoked_is_gone_with_shared_unless_another_workspace_needs_it(
    owner: Conn, database_url: str, make_role: MakeRole
) -> None:
    role, url = make_role()
    migrations.up(database_url, workspace="team_a")
    roles.grant(owner, "taskdb", role, "app")
    roles.grant(owner, "team_a", role, "reader")

    roles.revoke(owner, "taskdb", role)

    assert kind_of(owner, role) is None
    assert {row.schema for row in held(owner, role)} == {"shared"}
    with connect(url, workspace="team_a", autocommit=True) as conn:
        assert tasks.list_tasks(conn) == []
    roles.revoke(owner, "team_a", role)
    assert held(owner, role) == []
    defaults = "select from pg_default_acl where defaclacl::text like $1"
    assert owner.execute(defaults, (f"%{role}%",)).fetchall() == []


@pytest.mark.slow
def test_what_a_former_owner_granted_on_later_tables_goes_with_a_revoke(
    databases: Databases, database_url: str, owner: Conn, make_role: MakeRole
) -> None:
    (role, _), (heir, url) = make_role(), make_role()
    defaults = (
        "select defaclrole::regrole::text from pg_default_acl where defaclacl::text like $1",
        (f"%{role}%",),
    )
    roles.grant(owner, "taskdb", role, "reader")

    with databases.admin(str(conninfo_to_dict(database_url)["dbname"])) as admin:
        roles.grant(admin, "taskdb", heir, "owner")

    with connect(url, autocommit=True) as conn:
        assert conn.execute(*defaults).fetchall() == [(heir,)]
        roles.revoke(conn, "taskdb", role)
        assert conn.execute(*defaults).fetchall() == []


@pytest.mark.slow
def test_a_member_of_another_role_is_granted_nothing_of_that_role_by_a_migration(
    databases: Databases, owner: Conn, make_role: MakeRole
) -> None:
    (role, url), (group, _) = make_role(), make_role()
    roles.grant(owner, "taskdb", role, "reader")
    roles.grant(owner, "taskdb", group, "app")
    with databases.admin() as admin:
        execute(admin, f'grant "{group}" to "{role}"')

        roles.refresh(owner, "taskdb")

        execute(admin, f'revoke "{group}" from "{role}"')
    assert kind_of(owner, role) == "reader"
    with connect(url, autocommit=True) as conn, pytest.raises(Refused):
        tasks.create(conn, key="T-1", title="One")


def test_tables_of_later_migrations_are_read_at_once_and_written_when_a_kind_names_them(
    owner: Conn, as_role: Callable[[roles.Kind], Conn]
) -> None:
    app = as_role("app")

    execute(owner, "create table taskdb.later (id bigserial primary key)")

    assert execute(app, "select * from taskdb.later") == []
    with pytest.raises(Refused):
        execute(app, "insert into taskdb.later default values")


@pytest.mark.slow
def test_migrating_grants_again_and_keeps_public_out(
    owner: Conn, database_url: str, as_role: Callable[[roles.Kind], Conn], tmp_path: Path
) -> None:
    app = as_role("app")
    execute(owner, "revoke all on tasks from public")
    execute(owner, f'revoke insert on tasks from "{app.info.user}"')
    roles.grant(owner, "taskdb", app.info.user, "app")
    execute(owner, f'revoke delete on tasks from "{app.info.user}"')
    execute(owner, "create function later() returns int language sql return 1")

    roles.refresh(owner, "taskdb")

    assert not is_refused(app, "delete from tasks where false")
    assert is_refused(app, "select taskdb.later()")


@pytest.mark.slow
def test_an_owner_is_given_all_of_a_workspace(
    databases: Databases, database_url: str, make_role: MakeRole
) -> None:
    role, url = make_role()
    with databases.admin(str(conninfo_to_dict(database_url)["dbname"])) as admin:
        roles.grant(admin, "taskdb", role, "owner")
        assert kind_of(admin, role) == "owner"

    assert migrations.up(url) == []
    service, service_url = make_role()
    with connect(url, autocommit=True) as conn:
        roles.grant(conn, "taskdb", service, "app")
    with connect(service_url, autocommit=True) as conn:
        tasks.create(conn, title="One")
        assert claims.claim_next(conn, agent="ann") is not None


def test_an_owner_is_neither_revoked_nor_made_less(owner: Conn) -> None:
    with pytest.raises(DatabaseError, match="owns workspace taskdb"):
        roles.revoke(owner, "taskdb", owner.info.user)
    with pytest.raises(DatabaseError, match="owns workspace taskdb"):
        roles.grant(owner, "taskdb", owner.info.user, "reader")


def test_a_role_is_created_once_and_its_password_is_sent_as_a_secret(
    databases: Databases, database_url: str
) -> None:
    role = f"{databases.run}_made"
    with databases.admin() as admin:
        try:
            assert roles.create(admin, role, password="correct horse") is True
            assert roles.create(admin, role, password="other") is False
            (stored,) = admin.execute(
                "select rolpassword from pg_authid where rolname = %s", (role,)
            ).fetchone() or ("",)
            assert stored.startswith("SCRAM-SHA-256$")
        finally:
            admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


# Teams


def test_two_teams_of_one_database_see_nothing_of_each_other(
    databases: Databases, database_url: str, owner: Conn, make_role: MakeRole
) -> None:
    """Team A is workspace taskdb; team B's owner and its app get a workspace of their own."""
    team_b, team_b_url = make_role()
    app_b, app_b_url = make_role()
    app_a, app_a_url = make_role()
    with databases.admin(str(conninfo_to_dict(database_url)["dbname"])) as admin:
        roles.grant(admin, "team_b", team_b, "owner")
    migrations.up(team_b_url, workspace="team_b")
    with connect(team_b_url, workspace="team_b", autocommit=True) as conn:
        roles.grant(conn, "team_b", app_b, "app")
    roles.grant(owner, "taskdb", app_a, "app")
    with connect(app_a_url, autocommit=True) as conn:
        job = design.create_job(conn, project_id=uuid4())

    with connect(app_b_url, workspace="team_b", autocommit=True) as conn:
        assert tasks.create(conn, title="One").key
        assert design.list_jobs(conn) == []
        assert design.create_job(conn, project_id=job.project_id).id != job.id
        for table in ("tasks", "design_jobs", "project_environments"):
            assert is_refused(conn, f"select from taskdb.{table}")
        assert is_refused(conn, "create table team_b.r (id uuid references taskdb.design_jobs)")
    assert held(owner, app_b) == [row for row in held(owner, app_b) if row.schema == "shared"]
    for url, own, other in (
        (app_a_url, "taskdb", "team_b"),
        (app_b_url, "team_b", "taskdb"),
        (team_b_url, "team_b", "taskdb"),
    ):
        with connect(url, workspace=own, autocommit=True) as conn:
            assert [each for each in trials(conn, other) if not is_refused(conn, each)] == []


def trials(conn: Conn, schema: str) -> Iterator[str]:
    """Yield a use of each table, view, sequence and function of a schema."""
    for (name,) in execute(
        conn,
        "select relname from pg_class where relkind in ('r', 'v', 'S')"
        f" and relnamespace = '{schema}'::regnamespace",
    ):
        yield f"select from {schema}.{name}"
    for name, arguments in execute(
        conn,
        "select proname, array(select 'null::' || format_type(given, null)"
        " from unnest(proargtypes) as given)"
        f" from pg_proc where prokind = 'f' and pronamespace = '{schema}'::regnamespace",
    ):
        yield f"select {schema}.{name}({', '.join(arguments)})"


@pytest.mark.slow
def test_shared_is_granted_alone_and_the_refusal_says_how(
    databases: Databases, database_url: str, owner: Conn, make_role: MakeRole
) -> None:
    team, team_url = make_role()
    service, service_url = make_role()
    with databases.admin(str(conninfo_to_dict(database_url)["dbname"])) as admin:
        admin.execute(sql.SQL("create schema team_a authorization {}").format(sql.Identifier(team)))
    roles.grant_shared(owner, team)
    migrations.up(team_url, workspace="team_a")

    with connect(team_url, workspace="team_a", autocommit=True) as conn:
        with pytest.raises(DatabaseError, match="may not use schema shared") as refused:
            roles.grant(conn, "team_a", service, "app")
        roles.grant_shared(owner, service)
        roles.grant(conn, "team_a", service, "app")

    assert refused.value.hint is not None
    assert f"taskdb roles grant {service} --shared" in refused.value.hint
    assert kind_of(owner, team) is None
    with connect(service_url, workspace="team_a", autocommit=True) as conn:
        assert tasks.create(conn, title="One").key
        assert is_refused(conn, "select from taskdb.tasks")


# Refusals


def test_an_app_may_not_change_the_schema(as_role: Callable[[roles.Kind], Conn]) -> None:
    app = as_role("app")

    for statement in ("create table mine ()", "drop table tasks", "truncate tasks"):
        with pytest.raises(Refused):
            execute(app, statement)


@pytest.mark.parametrize("kind", privileges.GRANTED)
def test_the_migration_log_is_not_a_services_to_write(
    as_role: Callable[[roles.Kind], Conn], kind: roles.Kind
) -> None:
    conn = as_role(kind)

    for schema in ("taskdb", "shared"):
        for table in ("_taskdb_migration", "_yoyo_migration", "_yoyo_log"):
            with pytest.raises(Refused):
                execute(conn, f"delete from {schema}.{table}")


def test_grants_are_refused_by_name(owner: Conn, make_role: MakeRole) -> None:
    role, _ = make_role()

    with pytest.raises(DatabaseError, match="no workspace team_z"):
        roles.grant(owner, "team_z", role, "reader")
    with pytest.raises(ValidationError, match="role must be a role of this server"):
        roles.grant(owner, "taskdb", f"{role}_x", "reader")
    with pytest.raises(
        ValidationError, match="kind must be one of 'owner', 'app', 'worker', 'reader'"
    ):
        roles.grant(owner, "taskdb", role, "admin")  # type: ignore[arg-type]


def test_a_schema_that_is_not_up_to_date_says_so(owner: Conn, make_role: MakeRole) -> None:
    role, _ = make_role()
    workspaces.create(owner, "team_a")

    with pytest.raises(DatabaseError, match="not as this package needs it") as refused:
        roles.grant(owner, "team_a", role, "reader")

    assert refused.value.hint == "Bring it up to date first: taskdb migrate up"


def test_a_roles_name_is_quoted(databases: Databases, owner: Conn) -> None:
    role = f'{databases.run} "x"; drop schema taskdb cascade; --'
    with databases.admin() as admin:
        admin.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    try:
        roles.grant(owner, "taskdb", role, "app")

        assert workspaces.exists(owner, "taskdb")
        assert kind_of(owner, role) == "app"
    finally:
        with databases.admin(str(owner.info.dbname)) as admin:
            admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
