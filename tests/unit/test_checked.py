"""`checked`: a plain function refuses its arguments as a query does."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import pytest

from taskdb.errors import ValidationError
from taskdb.query import Range, checked


class Colour(StrEnum):
    RED = "red"


@checked
def paint(
    id: UUID,
    colour: Colour,
    *layers: str,
    coats: Annotated[int, Range(1, 9)] = 0,
    note: str | None = None,
) -> tuple[object, ...]:
    return id, colour, layers, coats, note


ID = UUID(int=7)


def test_arguments_arrive_converted_and_a_default_as_it_is() -> None:
    assert paint(str(ID), "red", "a", "b") == (  # type: ignore[arg-type]
        ID,
        Colour.RED,
        ("a", "b"),
        0,
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        ((7, "red"), {}, "id must be a UUID, not int"),
        ((ID, "blue"), {}, "colour must be one of red"),
        ((ID, None), {}, "colour must not be None"),
        ((ID, "red", "a", 7), {}, "layers[1] must be a str, not int"),
        ((ID, "red"), {"coats": 10}, "coats must be between 1 and 9"),
        ((ID, "red"), {"note": 7}, "note must be a str, not int"),
    ],
)
def test_a_refusal_names_the_argument_and_notes_the_function(
    arguments: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        paint(*arguments, **named)  # type: ignore[arg-type]

    assert str(refused.value) == message
    assert refused.value.__notes__ == [f"{__name__}.paint"]


def test_a_call_that_does_not_fit_names_the_function() -> None:
    with pytest.raises(TypeError, match=r"^paint\(\) missing a required argument: 'colour'$"):
        paint(ID)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^paint\(\) got an unexpected keyword argument 'color'$"):
        paint(ID, Colour.RED, color="red")  # type: ignore[call-arg]
