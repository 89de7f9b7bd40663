"""Samples of a run's generator, in memory and as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.api.predict import exported
from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.base.plain import digest

if TYPE_CHECKING:
    import torch

MOST = 10_000
"""Images of one class that are made at once."""


def sample(folder: Path, name: str, count: int, seed: int) -> torch.Tensor:
    """Returns new images (count, C, H, W) in [0, 1] of a class, by the model in a run's `best/`.

    Raises:
        RecipeError: there is no such class, or `count` is out of range.
        ToolkitError: the run has exported no model yet, or its model generates nothing.
    """
    model = _generator(folder)
    if name not in model.classes:
        raise RecipeError(
            f"The generator of {folder} knows no class {name!r}." if name else "No class is named.",
            hint=f"It generates {', '.join(model.classes)}.",
        )
    if not 1 <= count <= MOST:
        raise RecipeError(f"{count} images are asked for.", hint=f"Ask for 1 to {MOST}.")
    if not -(2**63) <= seed < 2**64:
        raise RecipeError(f"The seed is {seed}.", hint="Give a whole number of 64 bits.")
    images: torch.Tensor = model.sample(name, count, seed)
    return images


def write_samples(folder: Path, name: str, count: int, seed: int, to: Path) -> list[Path]:
    """Writes new images of a class as PNG files into a folder; returns their paths.

    Raises:
        RecipeError, ToolkitError: see `sample`; or the folder is a file.
    """
    from toolkit.base.files import write_atomically
    from toolkit.export.generating import png_of

    if to.exists() and not to.is_dir():
        raise RecipeError(f"{to} is a file.", hint="Name a folder for the images.")
    images = sample(folder, name, count, seed)
    safe = "".join(letter if letter.isalnum() else "_" for letter in name)[:60]
    if safe != name:  # Two classes never share a file.
        safe += f"-{digest(name)[:6]}"
    digits = len(str(count - 1))
    paths = [to / f"{safe}-seed{seed}-{index:0{digits}d}.png" for index in range(count)]
    for path, image in zip(paths, images, strict=True):
        write_atomically(path, png_of(image), durable=False)
    return paths


def _generator(folder: Path) -> Any:
    """The model of raw requests in a run's `best/model.py`."""
    from toolkit.export.loading import load_file

    best = exported(folder)
    module = load_file(best)
    known = getattr(module, "GeneratingModel", None)
    doors: list[Any] = [
        each
        for each in vars(module).values()
        if known and isinstance(each, type) and issubclass(each, known) and each is not known
    ]
    if not doors:
        raise ToolkitError(
            f"The model of {folder} generates nothing: it gives scores of inputs.",
            hint=f"`toolkit predict {folder} DATA` says what new data are.",
        )
    return doors[0].load(best)
