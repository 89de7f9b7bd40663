"""Drawings as ledgers and files hold them: somebody else may have written them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from toolkit.contracts.drawings import Marker

_Number: TypeAlias = float | None
"""JSON has no NaN and null stands for it."""
_Count: TypeAlias = Annotated[int, Field(ge=0)]


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True)


class _Series(_Stored):
    name: str
    marker: Marker
    points: list[Annotated[list[_Number], Field(min_length=2, max_length=2)]]
    classes: list[_Count]

    @model_validator(mode="after")
    def _whole(self) -> _Series:
        if len(self.points) != len(self.classes):
            raise ValueError("expected a class for each point")
        return self


class _Scatter(_Stored):
    kind: Literal["scatter"]
    title: str
    x: str
    y: str
    series: list[_Series]


class _Heat(_Stored):
    kind: Literal["heat"]
    title: str
    values: list[list[_Number]]
    rows: list[str]
    columns: list[str]


class _Row(_Stored):
    name: str
    png: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=]*$")]
    count: _Count
    height: _Count


class _Images(_Stored):
    kind: Literal["images"]
    title: str
    rows: list[_Row]


_DRAWING: TypeAdapter[Any] = TypeAdapter(
    Annotated[_Scatter | _Heat | _Images, Field(discriminator="kind")]
)
_IMAGES: TypeAdapter[Any] = TypeAdapter(_Images)


def is_drawing(stored: Any) -> bool:
    """Says whether it is what one of `toolkit.contracts.Drawing` gives as JSON."""
    return _is(_DRAWING, stored)


def are_images(stored: Any) -> bool:
    """Says whether it is what `toolkit.contracts.Images` gives as JSON."""
    return _is(_IMAGES, stored)


def drawings(stored: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Returns what a learner drew, without what cannot be shown.

    Ledgers of earlier versions hold a single scatter.
    """
    if not stored:
        return ()
    known = stored.get("drawings", [{"kind": "scatter", **stored}])
    return tuple(filter(is_drawing, known)) if isinstance(known, list) else ()


def _is(kind: TypeAdapter[Any], stored: Any) -> bool:
    try:
        kind.validate_python(stored)
    except (ValidationError, RecursionError):
        return False
    return True
