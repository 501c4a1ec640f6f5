"""`to_dict` makes every model JSON-ready."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
import pytest

import taskdb.models
from taskdb.models.base import Model
from taskdb.models.tasks import Task
from taskdb.queries import dependencies, epics, files, tasks
from tests.plans import Plan

MOMENT = datetime(2026, 1, 31, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-7)))
ID = UUID("0198c0de-0000-7000-8000-00000000002a")


def models() -> list[type[Model]]:
    """Every model there is, of whatever module of the package."""
    for module in pkgutil.walk_packages(taskdb.models.__path__, "taskdb.models."):
        importlib.import_module(module.name)
    return sorted(_below(Model), key=lambda model: (model.__module__, model.__name__))


def _below(model: type[Model]) -> Iterator[type[Model]]:
    for child in model.__subclasses__():
        # A dataclass with slots is made twice: the first, without them, is nobody's.
        if getattr(importlib.import_module(child.__module__), child.__name__, None) is child:
            yield child
            yield from _below(child)


def sample(annotation: Any) -> tuple[Any, Any]:
    """Return a value of a field so annotated, and what JSON should make of it."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return sample(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return sample(next(kind for kind in typing.get_args(annotation) if kind is not type(None)))
    if origin is list:
        value, plain = sample(typing.get_args(annotation)[0])
        return [value], [plain]
    if origin is dict:
        return {"key": [1, None, "ü\u2028"]}, {"key": [1, None, "ü\u2028"]}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        member = next(iter(annotation))
        return member, member.value
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return example(annotation)
    return SAMPLES[annotation]


SAMPLES: dict[Any, tuple[Any, Any]] = {
    str: ("text\x7f", "text\x7f"),
    int: (2**53 + 1, 2**53 + 1),
    float: (0.1, 0.1),
    bool: (True, True),
    bytes: (b"\x00\xff", "00ff"),
    UUID: (ID, str(ID)),
    Decimal: (Decimal("0.10"), "0.10"),
    date: (date(2026, 1, 31), "2026-01-31"),
    datetime: (MOMENT, "2026-01-31T12:30:00.123456-07:00"),
    timedelta: (timedelta(minutes=1, milliseconds=500), 60.5),
    Any: ({"any": None}, {"any": None}),
}


def example(model: type[Model]) -> tuple[Model, dict[str, Any]]:
    hints = typing.get_type_hints(model, include_extras=True)
    fields = dataclasses.fields(model)  # type: ignore[arg-type]
    values = {field.name: sample(hints[field.name]) for field in fields}
    made = model(**{name: value for name, (value, _) in values.items()})
    return made, {name: plain for name, (_, plain) in values.items()}


def nothing(model: type[Model]) -> Model:
    """An instance with None wherever a field may be None."""
    hints = typing.get_type_hints(model)
    filled, _ = example(model)
    empty = {
        name: None if type(None) in typing.get_args(hint) else getattr(filled, name)
        for name, hint in hints.items()
    }
    return model(**empty)


def test_reflection_finds_every_exported_model() -> None:
    exported = {
        each
        for each in vars(taskdb.models).values()
        if isinstance(each, type) and issubclass(each, Model)
    }

    assert exported <= set(models())
    assert len(models()) >= 25


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_to_dict_goes_through_json_and_back(model: type[Model]) -> None:
    made, plain = example(model)

    through = json.loads(json.dumps(made.to_dict(), allow_nan=False))

    assert through == plain
    assert list(through) == [field.name for field in dataclasses.fields(model)]  # type: ignore[arg-type]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_none_stays_null(model: type[Model]) -> None:
    made = nothing(model)

    through = json.loads(json.dumps(made.to_dict()))

    assert {name for name, value in through.items() if value is None} == {
        name for name in through if getattr(made, name) is None
    }


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_model_has_slots_and_a_docstring(model: type[Model]) -> None:
    assert "__slots__" in vars(model)
    assert not hasattr(example(model)[0], "__dict__")
    # A dataclass without one is given its signature.
    assert model.__doc__
    assert not model.__doc__.startswith(f"{model.__name__}(")


def test_models_from_the_database_go_through_json(conn: psycopg.Connection, plan: Plan) -> None:
    """Values are those that psycopg gives in each field, not those that annotations promise."""
    tasks.update(
        conn,
        key=plan.docs,
        metadata={"deep": [{"ü": None}, 1.5]},
        estimated_hours=Decimal("2.50"),
        scheduled_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    put = files.put(conn, task=plan.docs, path="a", content="b")

    rows: list[Model] = [
        tasks.get_by_key(conn, key=plan.docs),
        put,
        epics.progress(conn, key=plan.epic),
        *tasks.list_blocked(conn),
        *tasks.hierarchy(conn, key=plan.docs),
        *dependencies.dependencies_of(conn, key=plan.docs),
    ]
    through = json.loads(json.dumps([row.to_dict() for row in rows]))

    assert through[0]["metadata"] == {"deep": [{"ü": None}, 1.5]}
    assert through[0]["estimated_hours"] == "2.50"
    assert through[0]["scheduled_at"] == "2030-01-01T00:00:00+00:00"
    assert bytes.fromhex(through[1]["sha256"]) == put.sha256


def test_to_dict_shares_nothing_with_the_model(conn: psycopg.Connection, plan: Plan) -> None:
    task: Task = tasks.update(conn, key=plan.docs, metadata={"list": [1]})

    task.to_dict()["metadata"]["list"].append(2)

    assert task.metadata == {"list": [1]}
