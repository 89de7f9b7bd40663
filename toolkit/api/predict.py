"""Predictions of a run's model for data that came after it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from toolkit.api.ledger import reading
from toolkit.base.errors import DataError, ToolkitError, ToolkitWarning
from toolkit.base.files import json_within
from toolkit.base.places import expanded
from toolkit.export.predictions import Predictions
from toolkit.export.sizes import Sizes, warn_of_sizes
from toolkit.run.weights import PREPARATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from toolkit.contracts import NewInputs, Task

BATCH = 256


_NO_DATA = "{task} reads no data of a user's: there is nothing new to predict."
_BY_HAND = "best/model.py takes inputs that are prepared as best/card.md says."


def exported(folder: Path) -> Path:
    """Returns the folder of a run's exported model.

    Raises:
        ToolkitError: the run has exported none yet.
    """
    best = folder / "best"
    if not (best / "model.py").is_file():
        raise ToolkitError(
            f"{folder} has exported no model yet.",
            hint=f"`toolkit status {folder}` says how far it is.",
        )
    return best


@dataclass(frozen=True)
class Prepared:
    """What `best/` says of how its inputs are prepared.

    Attributes:
        fitted: see `Splits.fitted`.
        classes: their names.
        shape: of an input; None where any length will do.
        transductive: whether new data must come in whole groups.
        outputs: what the model gives, see `TaskInfo.outputs`.
        sizes: how large the training inputs were; None where that is not known.
    """

    fitted: Mapping[str, Any]
    classes: tuple[str, ...]
    shape: tuple[int | None, ...]
    transductive: bool
    outputs: str = "scores"
    sizes: Sizes | None = None

    @classmethod
    def read(cls, best: Path) -> Prepared:
        """Reads it.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is not there, or malformed.
        """
        kept = json_within(best, best / PREPARATION)
        shape = tuple(None if size is None else int(size) for size in kept["shape"])
        classes = tuple(map(str, kept["classes"]))
        whole_groups = bool(kept.get("transductive", False))
        outputs = str(kept.get("outputs", "scores"))
        sizes = Sizes.read(kept.get("sizes"))
        return cls(kept["fitted"], classes, shape, whole_groups, outputs, sizes)

    def fits(self, found: tuple[int, ...]) -> bool:
        """Whether an input of a shape is one that the model takes."""
        pairs = zip(found, self.shape, strict=False)
        return len(found) == len(self.shape) and all(a == b or b is None for a, b in pairs)

    def differs_in_words(self, found: tuple[int, ...]) -> str:
        """Says what new inputs are and what the model takes, without the channel of groups."""
        grouped = int(self.sizes is not None and self.sizes.kind.startswith("grouped_"))
        ours, theirs = self._own(self.shape, grouped), self._own(found, grouped)
        made, taken = _sizes(theirs), _sizes(ours)
        said = f"The new data make inputs of shape {made}, and the model takes {taken}"
        channels = [shape[0] if len(shape) == 2 else shape[-1] for shape in (theirs, ours)]
        of_channels = self.sizes is not None and self.sizes.kind.endswith(("series", "spd"))
        if of_channels and len(ours) == len(theirs) and channels[0] != channels[1]:
            said += f": {channels[0]} channels, and the training's had {channels[1]}"
        return f"{said}."

    @staticmethod
    def _own(shape: tuple[int | None, ...], grouped: int) -> tuple[int | None, ...]:
        first = shape[:1]
        return tuple(None if size is None else size - grouped for size in first) + shape[1:]


def _sizes(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def predict(folder: Path, data: Any, groups: Any = None) -> Predictions:
    """Predicts with the model in a run's `best/`.

    Of data that are far from those of the training in size or length a `ToolkitWarning` tells.

    Args:
        folder: the run folder.
        data: a path of data as the run's task reads them, labels not needed; or an array of them,
            or an .npy file of one, for tasks that take arrays.
        groups: who or what each input of an array is from (N,), which models need that recentre
            groups; a file holds them itself, as the training's did.

    Raises:
        DataError: the data are missing, malformed, or of another shape than the model's; or the
            model recentres groups, and there are none, or one has a single input.
        ToolkitError: the run has exported no model yet, or its task reads no data of a user's.
    """
    import numpy as np

    from toolkit.export import load_model

    best = exported(folder)
    new, kept = _prepared(folder, data, groups)
    classes, found = kept.classes, tuple(new.inputs.shape[1:])
    if not len(new.inputs):
        raise DataError("There is nothing to predict: the data are empty.")
    if not kept.fits(found):
        raise DataError(
            kept.differs_in_words(found),
            hint="Give data of the same channels, in the same order, as those of the training.",
        )
    if kept.transductive:
        _check_groups(new.groups)
    batch = len(new.inputs) if kept.transductive else BATCH
    model = load_model(best).eval()
    doubts = [] if kept.transductive else warn_of_sizes(kept.sizes, new.inputs, model)
    for text in (*new.warnings, *doubts):
        warnings.warn(ToolkitWarning(text), stacklevel=2)
    outputs, novelty = _outputs(model, new.inputs, batch)
    of = tuple(new.names)
    if kept.outputs == "values":
        none = np.empty((len(outputs), 0))
        return Predictions(of, (), none, values=outputs[:, 0].double().numpy())
    probabilities = outputs.double().softmax(-1).numpy()
    names = classes or tuple(map(str, range(probabilities.shape[1])))
    return Predictions(of, names, probabilities, novelty=novelty)


def _check_groups(groups: Any) -> None:
    """Refuses data that a model cannot recentre."""
    import numpy as np

    if groups is None:
        raise DataError(
            "The model recentres each group by all of its inputs, and the new data do not say who"
            " or what each one is from.",
            hint="Add an array of groups, called as in the training data, or give `groups` with an"
            " array.",
        )
    names, counts = np.unique(groups, return_counts=True)
    for name in names[counts < 2][:1].tolist():
        raise DataError(
            f"The group {name!r} has one input, and the model recentres each group by all of its"
            " inputs: nothing would be left of it.",
            hint="Give all recordings of a group together, two of different classes at least.",
        )


def _prepared(folder: Path, data: Any, groups: Any) -> tuple[NewInputs, Prepared]:
    """The new inputs, and what the model takes."""
    from toolkit.problem.joined import JOINED, flat
    from toolkit.registry import plugin_code

    try:
        kept = Prepared.read(folder / "best")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolkitError(
            f"{folder / 'best' / PREPARATION} says nothing of how inputs are prepared.",
            hint="Runs of earlier versions have none: give the search's command again after moving"
            " best/ away, so that it is exported anew.",
        ) from error
    with _as_path(data, groups) as (path, names):
        tasks = _tasks(folder, path, names)
        each = kept.fitted[JOINED] if len(tasks) > 1 else [kept.fitted]
        with plugin_code("task.new_inputs"):
            made = [task.new_inputs(own) for task, own in zip(tasks, each, strict=True)]
        new = made[0]
        if new is not None and len(made) > 1:
            known = [own for own in made if own is not None]
            told = dict.fromkeys(text for own in known for text in own.warnings)
            new = replace(new, inputs=flat([own.inputs for own in known]), warnings=[*told])
    if new is None:
        raise ToolkitError(_NO_DATA.format(task="The run's task"), hint=_BY_HAND)
    return new, kept


@contextmanager
def _as_path(data: Any, groups: Any) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """Where the data lie, and the options that name their arrays where they were given as such."""
    from toolkit.datasets.arrays import read_array, write_arrays
    from toolkit.datasets.live import to_array

    if isinstance(data, str | Path):
        path = expanded(data).absolute()
        if not path.exists():
            raise DataError(f"There is no {path}.", hint="Name a file or a folder of new data.")
        if path.suffix.lower() != ".npy" or path.is_dir():
            yield path, {}
            return
        data = read_array(path)

    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "new.npz"
        arrays = {"X": to_array(data, "X")}
        if groups is not None:
            arrays["groups"] = to_array(groups, "groups")
        write_arrays(path, arrays)
        yield path, {name: name for name in arrays}


def _tasks(folder: Path, path: Path, arrays: Mapping[str, str]) -> list[Task]:
    """The run's task, as the handed-over point has it, with other data.

    There are several where members of an ensemble prepare the data in different ways.
    """
    from toolkit.base.plain import digest
    from toolkit.contracts.jobs import ENSEMBLE
    from toolkit.problem import is_ensemble
    from toolkit.recipe import from_checked
    from toolkit.recipe.options import build
    from toolkit.recipe.values import fill
    from toolkit.registry import Registry
    from toolkit.run.facts import OUTCOME, PLUGIN_PATHS, RECIPE

    with reading(folder) as ledger:
        recipe, paths, outcome = ledger.get(RECIPE), ledger.get(PLUGIN_PATHS), ledger.get(OUTCOME)
        handed = outcome.trainings_of(outcome.handed_over) if outcome else []
        record = ledger.trial(handed[0].number) if handed else None
    if recipe is None:
        raise ToolkitError(f"{folder} holds no run.", hint="Name a run folder.")
    registry, choice = Registry(paths), from_checked(recipe).task
    cls: type[Task] = registry.get("tasks", choice.name)
    if "data" not in cls.Options.model_fields:
        raise ToolkitError(_NO_DATA.format(task=f"The task {choice.name}"), hint=_BY_HAND)
    point = (record.point or {}) if record else {}
    points = [point]
    if is_ensemble(point.get("architecture") or {}):
        points = [member["point"] for member in point["architecture"][ENSEMBLE]]
    different = {digest(fill(choice.options, own.get("task") or {})): own for own in points}
    if arrays and "X" not in cls.arrays:
        raise DataError(
            f"The task {choice.name} reads files, and no array of new data.",
            hint="Give the path of what it reads, as its option `data` has it.",
        )
    named = {cls.arrays[name]: array for name, array in arrays.items() if cls.arrays.get(name)}
    tasks: list[Task] = []
    for own in different.values():
        options = fill(choice.options, own.get("task") or {})
        changed = {"options": {**options, **named, "data": str(path)}}
        tasks.append(build(registry, "tasks", choice.model_copy(update=changed)))
    return tasks


def _outputs(
    model: torch.nn.Module, inputs: torch.Tensor, batch: int
) -> tuple[torch.Tensor, NDArray[np.float64] | None]:
    """What a model gives for inputs (N, classes), or (N, 1), and how novel they are to it (N,)."""
    import torch

    model.eval()
    parts, known = [], []
    measure = getattr(model, "novelty", None)
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            parts.append(model(inputs[start : start + batch]))
            if measure is not None and (own := measure(parts[-1])) is not None:
                known.append(own.double())
    novelty = torch.cat(known).numpy() if len(known) == len(parts) else None
    return torch.cat(parts), novelty
