"""What all contracts share: architectures, directions, and the base of plugins' options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from toolkit.base.files import special_kind, too_long
from toolkit.base.places import NOT_TEXT, expanded, fault_of_bytes
from toolkit.base.plain import Direction as Direction

Architecture: TypeAlias = dict[str, Any]
"""The genotype: a plain JSON tree."""


def _absolute(path: Path) -> Path:
    whole = expanded(path).absolute()
    if told := fault_of_bytes(whole):
        raise ValueError(f"{told}. {NOT_TEXT}")
    if too_long(whole):
        raise ValueError(f"{whole} is longer than names of files may be")
    if kind := special_kind(whole):
        raise ValueError(f"{whole} is {kind}, expected a file or a folder")
    return whole


DataPath: TypeAlias = Annotated[Path, AfterValidator(_absolute)]
"""A path in a plugin's options: relative ones are taken from the working directory."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name: TypeAlias = Annotated[int | str, BeforeValidator(_whole)]
"""A class or a group as a recipe names it: text or a whole number, of which 1.0 is one."""


class Options(BaseModel):
    """Base of every plugin's options: the fields a recipe may set, with defaults and units."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
