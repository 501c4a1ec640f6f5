"""A plan to break."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from taskdb.database import connect
from taskdb.demo import ROADMAP, WORKSPACE, play
from taskdb.exchange import import_plan
from taskdb.models import SpecType
from taskdb.queries import claims, features, implementation_tasks, specs
from taskdb.testing.databases import Databases
from tests.plans import Plan


@pytest.fixture
def used(conn: psycopg.Connection[Any], plan: Plan) -> Plan:
    """The small plan after some work: one task completed, one claimed, one given back."""
    with_claim = claims.claim(conn, key=plan.design, agent="ada")
    assert with_claim
    claims.complete(conn, task_id=with_claim.task_id, token=with_claim.token)
    assert claims.claim(conn, key=plan.build, agent="ben")
    given_back = claims.claim(conn, key=plan.chore, agent="cy")
    assert given_back
    claims.release(conn, task_id=given_back.task_id, token=given_back.token)
    features.update_progress(conn, key=plan.features[0])
    for number, key in ((1, plan.build), (2, plan.chore)):
        structure = {"phases": [{"name": "all"}]}
        made = specs.create(
            conn,
            spec_number=number,
            title="The plan",
            spec_type=SpecType.HIERARCHICAL,
            structure=structure,
        )
        implementation_tasks.adopt(
            conn, key=key, spec=made.key, scope="all", assigned_files=[f"{number}.py"]
        )
    return plan


@pytest.fixture(scope="session")
def stage_template(databases: Databases) -> str:
    return databases.template("stage", _set_up)


def _set_up(url: str) -> None:
    play.prepare(url, lambda _: None)
    with connect(url, workspace=WORKSPACE) as conn:
        import_plan(conn, "shark", ROADMAP)


@pytest.fixture
def stage(databases: Databases, stage_template: str) -> Generator[str]:
    """A database of the test's own with the roadmap in the workspace `demo`."""
    url = databases.clone(stage_template)
    yield url
    databases.drop(url)
