"""What every task promises."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import Splits, Task
from toolkit.testing.promises import Promise, keep, promise

if TYPE_CHECKING:
    from torch.utils.data import Dataset


def check_task(task: Task, data_dir: Path, *, seed: int = 0) -> None:
    """Checks a task: what it describes is what it loads, and it loads the same every time.

    Args:
        task: the task under test.
        data_dir: a folder it may cache in.
        seed: of the split.

    Raises:
        AssertionError: a promise of `toolkit.contracts.Task` is broken.
    """
    keep(task_promises(task, data_dir, seed))


def task_promises(task: Task, data_dir: Path, seed: int = 0) -> Iterator[Promise]:
    """Yields what a task promises; see `check_task`."""

    def on_parts(check: Callable[..., None], *more: Any) -> Promise:
        loading = partial(task.load, data_dir, seed)
        return promise(check)._replace(check=lambda: check(task, loading(), *more))

    yield promise(info_is_the_same_every_time, task)
    yield on_parts(parts_are_as_described)
    yield promise(equal_seeds_load_equal_parts, task, data_dir, seed)
    yield on_parts(left_out_classes_are_as_described)
    yield on_parts(survey_counts_what_is_loaded, seed)
    yield promise(pool_divides_as_load_does, task, data_dir, seed)
    yield on_parts(source_classes_are_as_described)
    yield promise(every_direction_has_a_metric, task, data_dir, seed)
    yield promise(live_arrays_have_options, task)


def info_is_the_same_every_time(task: Task) -> None:
    """Checks that the description of the data does not change."""
    first, second = task.info(), task.info()
    assert first == second, f"`info` says {first} first and {second} then"


def parts_are_as_described(task: Task, splits: Splits) -> None:
    """Checks sizes, shapes and labels of all parts against `info`."""
    info, size = task.info(), _length(splits.train)
    assert size == info.train_size, (
        f"`info` tells of {info.train_size} training samples, and `load` gives {size}"
    )
    for name, part in _parts(splits).items():
        assert _length(part) > 0, f"the {name} part is empty"
        for position in _ends(part):
            inputs, label = _sample(part, position)
            where = f"input {position} of the {name} part"
            assert tuple(inputs.shape) == info.shape, (
                f"{where} has shape {tuple(inputs.shape)}, and `info` says {info.shape}"
            )
            assert inputs.isfinite().all(), f"{where} holds numbers that are not finite"
            if info.outputs == "values":
                assert math.isfinite(float(label)), f"{where} has the target {float(label)}"
                continue
            assert 0 <= int(label) < info.classes, (
                f"{where} has label {int(label)}, and `info` tells of {info.classes} classes"
            )


def equal_seeds_load_equal_parts(task: Task, data_dir: Path, seed: int = 0) -> None:
    """Checks that the search and the final test see the same split, whichever process loads it."""
    ours, theirs = (_parts(task.load(data_dir, seed)) for _ in range(2))
    for name, part in ours.items():
        sizes = _length(part), _length(theirs[name])
        assert sizes[0] == sizes[1], f"two loads give {sizes[0]} and {sizes[1]} {name} samples"
        for position in _ends(part):
            (x, y), (x_again, y_again) = (_sample(p, position) for p in (part, theirs[name]))
            assert (x == x_again).all() and int(y) == int(y_again), (
                f"two loads give two different samples {position} of the {name} part"
            )


def left_out_classes_are_as_described(task: Task, splits: Splits) -> None:
    """Checks that `info` and `load` agree on whether classes are left out."""
    described, loaded = task.info().leaves_out, splits.novel is not None
    assert described == loaded, (
        f"`info` says leaves_out={described}, and `load` gives {'some' if loaded else 'no'} inputs"
        " of left-out classes"
    )


def survey_counts_what_is_loaded(task: Task, splits: Splits, seed: int = 0) -> None:
    """Checks that a survey, where a task makes one, counts the samples that `load` gives."""
    survey, names = task.survey(seed), task.info().class_names
    if survey is None:
        return
    for name, part in zip(("train", "val", "test"), _parts(splits).values(), strict=True):
        if task.info().outputs == "values":
            count = sum(survey.counts.get(name, {}).values())
            assert count in (0, _length(part)), f"`survey` tells of {count} samples in {name}"
            continue
        labels = Counter(int(_sample(part, index)[1]) for index in range(_length(part)))
        loaded = {names[label] if names else str(label): n for label, n in labels.items()}
        told = {name: count for name, count in survey.counts.get(name, {}).items() if count}
        assert not told or told == loaded, f"`survey` tells of {told} in {name}, `load` {loaded}"


def pool_divides_as_load_does(task: Task, data_dir: Path, seed: int = 0) -> None:
    """Checks that a pool, where a task has one, holds the samples of `load`, divided as they are.

    What is not trained on must not change what is: with the validation samples left out, the
    training samples of a division stay as they were.
    """
    pool = task.pool(data_dir, seed)
    if pool is None:
        return
    ours = _parts(task.load(data_dir, seed))
    for name, part in _parts(pool.own()).items():
        same = _length(part) == _length(ours[name]) and all(
            (_sample(part, at)[0] == _sample(ours[name], at)[0]).all() for at in _ends(part)
        )
        assert same, f"`pool` divides the {name} part otherwise than `load` does"
    fewer = pool.divide(pool.train, pool.val[:1], pool.val[1:]).train
    for at in _ends(fewer):
        same = (_sample(fewer, at)[0] == _sample(ours["training"], at)[0]).all()
        assert same, "which samples are validated on changes the inputs that are trained on"


def source_classes_are_as_described(task: Task, splits: Splits) -> None:
    """Checks that `info` and `load` agree on classes that a model is carried over from."""
    info, parts = task.info(), {"source": splits.source, "source_val": splits.source_val}
    missing = [name for name, part in parts.items() if part is None]
    assert (len(missing) < 2) == bool(info.source_classes), (
        f"`info` tells of {len(info.source_classes)} source classes, and `load` gives no"
        f" {' and no '.join(missing) or 'less than all'}"
    )
    both = set(info.source_classes) & set(info.class_names)
    assert not both, f"{', '.join(sorted(both))} are source classes and target classes at once"
    for name, part in parts.items():
        if part is None:
            continue
        for position in range(_length(part)):
            inputs, label = _sample(part, position)
            assert tuple(inputs.shape) == info.shape and 0 <= int(label) < len(
                info.source_classes
            ), (
                f"sample {position} of {name} has shape {tuple(inputs.shape)} and label"
                f" {int(label)}; {info.shape} and {len(info.source_classes)} classes are expected"
            )


def every_direction_has_a_metric(task: Task, data_dir: Path, seed: int = 0) -> None:
    """Checks that declared metrics are measured, and finite where every answer is right.

    A task that judges images is given real ones back.
    """
    import torch

    classes = task.info().classes
    if task.judge is None and task.info().outputs == "values":
        metrics = task.metrics(torch.arange(3.0)[:, None], torch.arange(3.0))
    elif task.judge is None:
        metrics = task.metrics(torch.eye(classes), torch.arange(classes))
    elif task.info().outputs == "images":
        held_out = task.load(data_dir, seed).val
        with torch.no_grad():
            metrics = task.judge(_Replay(held_out), held_out, torch.device("cpu"))
    else:
        return
    missing = [name for name in task.directions if name not in metrics]
    source = "metrics" if task.judge is None else "judge"
    assert not missing, f"`directions` declares {', '.join(missing)}, and `{source}` gives none"
    wrong = {name: v for name, v in metrics.items() if not math.isfinite(v)}
    assert not wrong, f"with every answer right, `{source}` gives {wrong}"


class _Replay:
    """Gives real images back, each class's in turn."""

    def __init__(self, real: Dataset[Any]) -> None:
        import torch

        self.model: torch.nn.Module = torch.nn.Identity()
        self._real: dict[int, list[Any]] = {}
        for index in range(_length(real)):
            image, label = _sample(real, index)
            self._real.setdefault(int(label), []).append(image)

    def predict(self, inputs: Any) -> Any:
        raise NotImplementedError

    def generate(self, labels: Any, generator: Any) -> Any:
        import torch

        own = Counter[int]()
        images = []
        for label in labels.tolist():
            images.append(self._real[label][own[label] % len(self._real[label])])
            own[label] += 1
        return torch.stack(images)


def live_arrays_have_options(task: Task) -> None:
    """Checks that the arrays a program may give are named by options, beside the path `data`."""
    options = {"data", *filter(None, task.arrays.values())} if task.arrays else set()
    missing = options - task.Options.model_fields.keys()
    assert not missing, f"`arrays` needs the options {', '.join(sorted(missing))}"


def _parts(splits: Splits) -> dict[str, Dataset[Any]]:
    return {"training": splits.train, "validation": splits.val, "test": splits.load_test()}


def _length(part: Dataset[Any]) -> int:
    return len(part)  # type: ignore[arg-type]


def _ends(part: Dataset[Any]) -> tuple[int, int]:
    """The first and the last sample stand for all."""
    return 0, _length(part) - 1


def _sample(part: Dataset[Any], position: int) -> tuple[Any, Any]:
    inputs, label = part[position]
    return inputs, label
