"""`taskdb roles`, as it is called."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from taskdb.database import connect
from taskdb.queries import tasks
from tests.command_line import Caller

MakeRole = Callable[[], tuple[str, str]]


@pytest.mark.slow
def test_a_role_is_granted_shown_and_revoked(
    capsys: pytest.CaptureFixture[str], database_url: str, make_role: MakeRole
) -> None:
    call = Caller(capsys, database_url)
    role, url = make_role()

    granted = call("roles", "grant", role, "--as", "app")
    listed = call("roles", "show", "--json")
    rights = call("roles", "show", role, "--json")

    assert granted.status == 0
    assert granted.out == f"Role {role} may use workspace taskdb as an app.\n"
    assert {"role": role, "kind": "app", "can_login": True} in json.loads(listed.out)
    assert {row["privilege"] for row in json.loads(rights.out)} >= {"select", "insert", "execute"}
    with connect(url, autocommit=True) as conn:
        tasks.create(conn, title="One")
    assert call("roles", "revoke", role).status == 0
    assert call("roles", "show", role, "--json").out.strip() == "[]"


def test_a_grant_names_a_kind_or_shared(
    capsys: pytest.CaptureFixture[str], database_url: str, make_role: MakeRole
) -> None:
    call = Caller(capsys, database_url)
    role, _ = make_role()

    refused = call("roles", "grant", role)
    alone = call("roles", "grant", role, "--shared")

    assert refused.status == 2
    assert "--as or --shared" in refused.err
    assert alone.out == f"Role {role} may use schema shared.\n"
