"""What all tasks of generation share: which images are for what, and how samples are judged.

Of each target class a fixed part is for the test, a fixed part for validation (and the judge), and
the shots are drawn from the rest under the run's seed. Source classes are for pre-training, but for
a tenth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PositiveInt

from toolkit.contracts import (
    DataPath,
    Direction,
    Judged,
    Name,
    Options,
    Splits,
    Survey,
    Task,
    TaskInfo,
)
from toolkit.errors import DataError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch.utils.data import Dataset

    from toolkit_images.generation.judge import Bench, Judge, JudgedImages, Seeing

TEST, VALIDATION, SOURCE_VALIDATION = 0.6, 0.25, 0.1
"""Shares of a target class's images, and of a source class's."""
MOST_TEST, MOST_VALIDATION = 600, 300
LEAST_HELD_OUT = 8
"""Images of a class below which distances mean nothing."""
LEAST_SOURCE = 16
TELLS = 1.5
"""How often above chance a judge has to be right."""


class GenerationOptions(Options):
    """Which classes are new, and how many images there are of each."""

    targets: tuple[Name, ...] = Field(
        description="classes to generate, by name or number; all others are source classes",
        min_length=1,
    )
    shots: int = Field(
        25, ge=2, description="images of each target class to learn from, drawn by train.seed"
    )
    most_source: PositiveInt | None = Field(
        None, description="images of each source class that are used at most; all by default"
    )
    inception: DataPath | None = Field(
        None,
        description="file of torch-fidelity's InceptionV3 weights"
        " (weights-inception-2015-12-05-6726825d.pth): distances are then those of its 2048"
        " features, as published ones are, and not of the judge's own; wants a GPU",
    )


@dataclass(frozen=True)
class Images:
    """All images of a task: float32 (N, C, H, W) in [0, 1], labels (N,), names of the classes."""

    pixels: NDArray[Any]
    labels: NDArray[Any]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Division:
    """Indices of images by what they are for; `order` gives target classes and source classes."""

    train: NDArray[Any]
    val: NDArray[Any]
    test: NDArray[Any]
    source: NDArray[Any]
    source_val: NDArray[Any]
    targets: tuple[int, ...]
    sources: tuple[int, ...]


class GenerationTask(Task):
    """Images of target classes are to be generated, judged by class and all together."""

    Options: ClassVar[type[Options]] = GenerationOptions
    options: GenerationOptions
    directions: Mapping[str, Direction] = {
        "class_fid": "minimize",
        "fid": "minimize",
        "kid": "minimize",
        "kmmd": "minimize",
        "kmmd_pixels": "minimize",
        "coverage": "maximize",
        "precision": "maximize",
        "class_accuracy": "maximize",
    }
    shape: ClassVar[tuple[int, int, int]]

    @abstractmethod
    def labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Labels of all images, and the names of the classes.

        Raises:
            DataError: they are missing or malformed.
        """

    @abstractmethod
    def pixels(self, data_dir: Path) -> NDArray[Any]:
        """All images, float32 (N, C, H, W) in [0, 1].

        Raises:
            DataError: they are missing or malformed.
        """

    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.shape

    def info(self) -> TaskInfo:
        """Describe the data, from the labels alone."""
        labels, names = self.labels()
        division = self.divide(labels, names, 0)
        return TaskInfo(
            "image",
            self.image_shape(),
            len(division.targets),
            len(division.train),
            tuple(names[label] for label in division.targets),
            outputs="images",
            source_classes=tuple(names[label] for label in division.sources),
        )

    def survey(self, seed: int) -> Survey:
        """Say how many images of each target class there are for what."""
        labels, names = self.labels()
        division = self.divide(labels, names, seed)
        parts = {"train": division.train, "val": division.val, "test": division.test}
        return Survey(
            {
                part: {names[k]: int((labels[own] == k).sum()) for k in division.targets}
                for part, own in parts.items()
            }
        )

    def load(self, data_dir: Path, seed: int) -> Splits:
        """Read all images, and train the judge or take it out of its cache."""
        import torch

        from toolkit_images.generation.judge import Bench, known_share, trained_judge

        labels, names = self.labels()
        pixels, division = self.pixels(data_dir), self.divide(labels, names, seed)
        order = {old: new for new, old in enumerate((*division.targets, *division.sources))}
        count = len(division.targets)

        def part(own: NDArray[Any]) -> tuple[torch.Tensor, torch.Tensor]:
            new = torch.tensor([order[int(label)] for label in labels[own]], dtype=torch.int64)
            return torch.from_numpy(pixels[own]), new

        seen = [part(division.val), part(division.source)]
        judge = trained_judge(
            torch.cat([images for images, _ in seen]),
            torch.cat([own for _, own in seen]),
            len(order),
            data_dir / "judges",
        )
        seeing = self._seeing(judge)
        targets, sources = Bench(seeing, 0), Bench(seeing, count)
        train = _judged(*part(division.train), targets)
        val = _judged(*part(division.val), targets)
        source_val = _judged(*part(division.source_val), sources)
        # It has learned the validation images, but neither shots nor those held out of the sources.
        share, chance = known_share(train, source_val), 1 / len(order)
        if share < TELLS * chance:
            raise DataError(
                f"The judge tells the class of {share:.0%} of the held-out images, and chance is"
                f" {chance:.0%}: distances between its features would mean nothing.",
                hint="Are the labels those of the images? More images of each class help, too.",
            )
        return Splits(
            train,
            val,
            lambda: _judged(*part(division.test), targets),
            preparation="Images are grey or coloured, their pixels in [0, 1].",
            source=_judged(*part(division.source), sources),
            source_val=source_val,
        )

    def judge(
        self, learner: Judged, held_out: Dataset[Any], device: torch.device
    ) -> dict[str, float]:
        """Compares as many samples of each class with the held-out images."""
        import torch

        from toolkit_images.generation.judge import compare

        data = _of_this_task(held_out)
        real, labels = data.tensors
        made = learner.generate(labels, torch.Generator().manual_seed(1)).to(device)
        return compare(real.to(device), made, labels, data.bench)

    def references(
        self, splits: Splits, held_out: Dataset[Any], device: torch.device
    ) -> dict[str, dict[str, float]]:
        """The shots given again, and real validation images."""
        import torch

        from toolkit_images.generation.judge import compare

        data = _of_this_task(held_out)
        real, labels = data.tensors
        found = {}
        for name, part in (
            ("the shots, given again", splits.train),
            ("real validation images", splits.val),
        ):
            images, own = _of_this_task(part).tensors
            drawing = torch.Generator().manual_seed(0)
            chosen = [_any_of(own, int(label), drawing) for label in labels]
            made = images[torch.tensor(chosen)].to(device)
            found[name] = compare(real.to(device), made, labels, data.bench)
        return found

    def divide(self, labels: NDArray[Any], names: Sequence[str], seed: int) -> Division:
        """Which images are for what under a seed.

        Raises:
            DataError: a target class is none of the data, all are, or one has too few images.
        """
        import numpy as np

        targets = self._targets(names)
        sources = tuple(label for label in range(len(names)) if label not in targets)
        if not sources:
            raise DataError(
                "task.targets: Every class is a target class, and none is left to carry a"
                " generator from.",
                hint="Name fewer target classes; all others are source classes.",
            )
        parts: dict[str, list[NDArray[Any]]] = {
            name: [] for name in ("train", "val", "test", "source", "source_val")
        }
        fixed, drawn = np.random.default_rng(0), np.random.default_rng(seed)
        for label in (*targets, *sources):
            own = fixed.permutation(np.flatnonzero(labels == label))
            if label in sources:
                own = own[: self.options.most_source]
                held = max(round(SOURCE_VALIDATION * len(own)), 2)
                self._refuse_few(len(own), LEAST_SOURCE, names[label])
                parts["source_val"].append(own[:held])
                parts["source"].append(own[held:])
                continue
            test = min(round(TEST * len(own)), MOST_TEST)
            val = min(round(VALIDATION * len(own)), MOST_VALIDATION)
            rest = own[test + val :]
            least = max(LEAST_HELD_OUT, self.options.shots)
            if min(test, val) < LEAST_HELD_OUT or len(rest) < self.options.shots:
                self._refuse(len(own), len(rest), names[label], least)
            parts["test"].append(own[:test])
            parts["val"].append(own[test : test + val])
            parts["train"].append(drawn.permutation(rest)[: self.options.shots])
        return Division(
            **{name: np.concatenate(own) for name, own in parts.items()},
            targets=targets,
            sources=sources,
        )

    def _seeing(self, judge: Judge) -> Seeing:
        """The judge whose features count."""
        if self.options.inception is None:
            return judge
        from toolkit_images.generation.inception import InceptionJudge

        return InceptionJudge(self.options.inception, judge)

    def _targets(self, names: Sequence[str]) -> tuple[int, ...]:
        from toolkit.datasets.names import find_name

        found = []
        for given in self.options.targets:
            known = find_name(given, names)
            if known is None:
                raise DataError(
                    f"task.targets: There is no class {given!r}.",
                    hint=f"There are {', '.join(names)}.",
                )
            found.append(names.index(known))
        if len(set(found)) < len(found):
            raise DataError("task.targets: A class is named twice.", hint="Name each once.")
        return tuple(found)

    def _refuse_few(self, count: int, least: int, name: str) -> None:
        if count < least:
            raise DataError(
                f"The source class {name} has {count} images; at least {least} are needed.",
                hint="Give more images, or leave the class out of the data.",
            )

    def _refuse(self, count: int, rest: int, name: str, least: int) -> None:
        needed = round(least / (1 - TEST - VALIDATION)) + 1
        needed = min(needed, least + MOST_TEST + MOST_VALIDATION)
        raise DataError(
            f"The target class {name} has {count} images, of which {rest} are left for"
            f" {self.options.shots} shots beside the validation and the test part.",
            hint=f"Give {needed} or more images of it, or fewer shots (2 at least).",
        )


def _judged(images: torch.Tensor, labels: torch.Tensor, bench: Bench) -> JudgedImages:
    """A part of the data; labels begin with 0 in each."""
    from toolkit_images.generation.judge import JudgedImages

    return JudgedImages(images, labels - bench.first, bench)


def _of_this_task(data: Dataset[Any]) -> JudgedImages:
    from toolkit_images.generation.judge import JudgedImages

    if not isinstance(data, JudgedImages):
        raise DataError(
            f"Samples can be judged beside images of this task alone, not {type(data).__name__}.",
            hint="Give a part of `load`, as it is.",
        )
    return data


def _any_of(labels: torch.Tensor, label: int, drawing: torch.Generator) -> int:
    import torch

    own = (labels == label).nonzero().flatten()
    return int(own[int(torch.randint(len(own), (), generator=drawing))])
