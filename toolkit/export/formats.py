"""A trained model in formats that other programs read, each compared with the model itself."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import RecipeError, ToolkitError, ToolkitWarning

if TYPE_CHECKING:
    import torch

SOURCE = "source"
"""`model.py` and its weights, which are always written."""
FILES = {"torch-export": "model.pt2", "onnx": "model.onnx", "state-dict": "state_dict.pt"}
"""The further formats, and what each is called in the folder."""
FORMATS = (SOURCE, *FILES)
ALL = "all"
TOLERANCE = 1e-5
"""Largest difference of scores, relative to the largest, that another format may show."""
BATCH = 2
"""Samples of the batch that is traced; a batch of one would be taken for a constant."""
_ONNX = ("onnx", "onnxscript", "onnxruntime")
_INSTALL = "pip install 'nas-toolkit[onnx]', or '.[onnx]' in a checkout"


def chosen_formats(wanted: Sequence[str]) -> tuple[str, ...]:
    """Returns the formats beside the source that are asked for, each once.

    Raises:
        RecipeError: one is not known, or its packages are not installed.
    """
    import importlib.util

    for name in wanted:
        if name not in (*FORMATS, ALL):
            raise RecipeError(
                f"There is no format {name!r}.",
                hint=f"There are {', '.join(FORMATS)} and {ALL}.",
            )
    asked = FORMATS if ALL in wanted else tuple(dict.fromkeys(wanted))
    missing = [name for name in _ONNX if importlib.util.find_spec(name) is None]
    if "onnx" in wanted and missing:
        raise RecipeError(
            f"The format onnx needs the packages {', '.join(_ONNX)}; there is no {missing[0]}.",
            hint=f"Install them: {_INSTALL}.",
        )
    if "onnx" in asked and missing:
        text = (
            f"The format onnx is passed over: there is no package {missing[0]}. To have it:"
            f" {_INSTALL}."
        )
        warnings.warn(ToolkitWarning(text), stacklevel=2)
        missing = ["onnx"]
    return tuple(name for name in asked if name != SOURCE and name not in missing)


def write_formats(
    model: torch.nn.Module, example: torch.Tensor, folder: Path, formats: Sequence[str]
) -> list[str]:
    """Writes a model in further formats, each checked against it on a batch of real inputs.

    Args:
        model: takes prepared inputs, on the CPU, in evaluation mode; of torch alone.
        example: a batch of prepared inputs.
        folder: where to.
        formats: of `chosen_formats`; one that cannot hold the model (`onnx` has no operator for a
            part of it, or a graph would depend on values) is passed over where others are asked
            for too.

    Returns:
        A sentence on each format that was passed over.

    Raises:
        ToolkitError: a format cannot be written, or gives other scores.
    """
    import torch

    if not formats:
        return []
    skipped = []
    with torch.no_grad():
        expected = model(example)
    for name in formats:
        path = folder / FILES[name]
        try:
            found = _WRITERS[name](model, example, path)
        except _UnfitError as error:
            if len(formats) == 1:
                raise
            skipped.append(f"{error.message} {error.hint}")
            continue
        _compare(name, expected, found)
    return skipped


class _UnfitError(ToolkitError):
    """A format cannot hold what a model does: no operator, or a graph that depends on values."""


def _state_dict(model: torch.nn.Module, example: torch.Tensor, path: Path) -> torch.Tensor:
    import torch

    torch.save(dict(model.state_dict()), path)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    with torch.no_grad():
        found: torch.Tensor = model(example)
    return found


def _torch_export(model: torch.nn.Module, example: torch.Tensor, path: Path) -> torch.Tensor:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of torch's own, on weights that share memory.
        torch.export.save(_traced(model, example), path)
    found: torch.Tensor = torch.export.load(path).module()(example)
    return found.detach()


def _traced(model: torch.nn.Module, example: torch.Tensor) -> Any:
    """The model's graph for batches of any size.

    Raises:
        _UnfitError: what it does depends on the inputs' values, which a graph cannot say.
    """
    import torch

    try:
        with torch.no_grad(), _silence():
            return torch.export.export(
                model,
                (_several(example),),
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                strict=False,
            )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _UnfitError(
            f"torch.export cannot trace {type(model).__name__}: {first}",
            hint="Without --to, `toolkit export` writes model.py and its weights, which hold it.",
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps back the graphs that torch prints and logs where it cannot go on."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def _several(example: torch.Tensor) -> torch.Tensor:
    """A batch of more than one sample."""
    import torch

    return example if len(example) >= BATCH else torch.cat([example] * BATCH)


def _onnx(model: torch.nn.Module, example: torch.Tensor, path: Path) -> torch.Tensor:
    import onnxruntime
    import torch

    program = _traced(model, example)
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    decompositions = sorted(name for name in names if "linalg_eig" in name or "linalg_svd" in name)
    if decompositions:
        raise _UnfitError(
            f"{type(model).__name__} decomposes matrices ({decompositions[0]}), for which ONNX has"
            " no operator.",
            hint="Use --to torch-export, whose file needs torch alone.",
        )
    torch.onnx.export(
        program, (), path, input_names=["inputs"], output_names=["scores"], external_data=False
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    return torch.from_numpy(found)


_WRITERS: dict[str, Callable[[torch.nn.Module, torch.Tensor, Path], torch.Tensor]] = {
    "torch-export": _torch_export,
    "onnx": _onnx,
    "state-dict": _state_dict,
}
"""Each writes a file, and returns the scores that it gives."""


def _compare(name: str, expected: torch.Tensor, found: torch.Tensor) -> None:
    scale = max(1.0, float(expected.abs().max()))
    difference = float((found.double() - expected.double()).abs().max())
    if found.shape != expected.shape or not difference <= TOLERANCE * scale:
        raise ToolkitError(
            f"The model in the format {name} gives other scores than the trained one (by"
            f" {difference:.3g}).",
            hint="Without --to, `toolkit export` writes model.py and its weights: they are right.",
        )
