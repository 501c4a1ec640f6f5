"""examples/shop: generated queries on a schema of their own are checked, typed, and run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.command_line import environment, run

SHOP = Path(__file__).parents[2] / "examples" / "shop"
MODULES = sorted(path for path in (SHOP / "shop").glob("*.py") if path.stem != "__init__")


@pytest.fixture
def url(empty_database_url: str) -> str:
    """A database in which schema.sql was run, by a role that is no superuser."""
    with psycopg.connect(empty_database_url) as conn:
        conn.execute((SHOP / "schema.sql").read_bytes())
    return empty_database_url


@pytest.mark.slow
def test_check_finds_nothing(url: str) -> None:
    done = run("check", folder=SHOP, more={"SHOP_URL": url})

    assert done.status == 0, done.out + done.err
    assert "contract: no findings\nexpectations: no findings\n" in done.out
    assert "looked at: 15 queries" in done.out


def test_a_day_in_the_shop(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "demo.py"],
        cwd=SHOP,
        env=environment({"SHOP_URL": url}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "restocked: 2",
        "fruit: Pears Apples",
        "organic, with 'ea': Tea",
        "food: food.fruit 2 food.tea 1",
        "one customer: True True",
        "paid once",
        "Grace, open: nothing",
        "A., paid: 4 Apples at 2.50, 2 Tea at 8.00",
        "paid: 1",
        "refused: during must not overlap another campaign's (at shop/queries/campaigns.sql:3:1)",
        "1 campaign, apples: 2.00 instead of 2.50",
        "page: A.",
        "page: Grace",
    ]


def test_the_day_calls_each_query() -> None:
    demo = (SHOP / "demo.py").read_text()
    called = {
        f"{path.stem}.{name}"
        for path in MODULES
        for name in re.findall(r"^def (\w+)", path.read_text(), re.MULTILINE)
    }

    assert len(called) == 15
    assert {name for name in called if not re.search(rf"\b{name}[.(]", demo)} == set()


def test_nothing_is_any() -> None:
    assert {path.name for path in MODULES if re.search(r"\bAny\b", path.read_text())} == set()
