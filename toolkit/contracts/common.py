"""What all contracts share: architectures, directions, and the base of plugins' options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict

Architecture: TypeAlias = dict[str, Any]
"""The genotype: a plain JSON tree."""
Direction: TypeAlias = Literal["maximize", "minimize"]
DataPath: TypeAlias = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
"""A path in a plugin's options: relative ones are taken from the working directory."""


class Options(BaseModel):
    """Base of every plugin's options: the fields a recipe may set, with defaults and units."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
