"""What an architecture means: its tree point read into plain settings. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.contracts import TaskInfo
from toolkit_nullspace.tree import IMAGENET

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TAPER = (800, 500, 300)
"""Hidden layers of the published network with a fully connected head."""
STAGE = 100 / 220
"""Share of a training before the published second stage: 100 of about 220 epochs."""
STAGE_FACTOR = 0.1
STAGE_SHIFT = (1e-5, 1e-3)
"""Published lambda of the two stages."""


@dataclass(frozen=True)
class NullSettings:
    """The null-space loss, its batches and its classifier."""

    objective: str
    rho: float
    rho_end: float
    classes_per_batch: int
    samples_per_class: int
    ridge: float = 1e-3
    whiten: bool = True


@dataclass(frozen=True)
class Design:
    """A network and how it learns.

    Attributes:
        network: keyword arguments of `network.Network`.
        head: `fc`, `nullspace`, `fc_after_null` or `joint`.
        null: None for `fc`.
        alpha: weight of the null-space loss beside cross-entropy (`joint`).
        second: epochs and learning rate of the head trained afterwards (`fc_after_null`).
        imagenet: torchvision's name of the weights to start from, or None.
        freeze: blocks of the backbone, from the image on, that do not learn.
        backbone_lr: multiplier of the backbone's learning rate.
    """

    network: Mapping[str, Any]
    head: str
    optimiser: str
    optimiser_settings: Mapping[str, float]
    schedule: str
    schedule_settings: Mapping[str, float]
    augmentation: float
    null: NullSettings | None = None
    label_smoothing: float = 0.0
    alpha: float = 0.0
    second: tuple[int, float] = (0, 0.0)
    imagenet: str | None = None
    freeze: int = 0
    backbone_lr: float = 1.0

    def rho_at(self, progress: float) -> float:
        """The ridge after a share of the training, annealed geometrically."""
        assert self.null is not None
        return self.null.rho * float(self.null.rho_end**progress)

    def lr_factor(self, progress: float, epochs: int) -> float:
        """Factor on the learning rate after a share of the training.

        `geometric` multiplies by gamma each epoch. `onecycle` rises from 1/25 for the first 30 %
        and falls to 1e-4 of that, along cosines (Smith and Topin, 2018). `two_stage` is the
        published one: constant, then a tenth, multiplied by gamma each epoch.
        """
        settings = self.schedule_settings
        done = math.floor(progress * epochs + 1e-9)
        if self.schedule == "onecycle":
            if progress < 0.3:
                return _cosine(1 / 25, 1.0, progress / 0.3)
            return _cosine(1.0, 1 / 25e4, (progress - 0.3) / 0.7)
        if self.schedule == "two_stage":
            late = done - math.floor(STAGE * epochs)
            return 1.0 if late < 0 else STAGE_FACTOR * settings["gamma"] ** late
        factor = 1.0
        if self.schedule == "geometric":
            factor = settings["gamma"] ** done
        elif self.schedule == "cosine":
            factor = _cosine(1.0, 0.0, progress)
        warmup = settings.get("warmup", 0.0)
        return factor * min(1.0, (progress + 1e-3) / warmup) if warmup > 0 else factor

    def shift_at(self, progress: float) -> float:
        """The published lambda, which the objective `reference` takes off its eigenvalues."""
        late = self.schedule == "two_stage" and progress >= STAGE
        return STAGE_SHIFT[late]


def read_design(architecture: Mapping[str, Any], task: TaskInfo) -> Design:
    """Read a point of the tree, or a baseline, for these data."""
    channels, height, width = task.shape
    side = architecture.get("image_size")
    size = None if side is None or (side, side) == (height, width) else [side, side]
    backbone, imagenet, freeze, multiplier = _backbone(architecture["backbone"])
    maps = map_size(backbone, size or [height, width])
    projection, settings = split(architecture["projection"])
    head, of_head = split(architecture["head"])
    hidden, dropout = _hidden(of_head.get("hidden", "none"))
    post = of_head.get("post")
    null = None
    if "objective" in of_head:
        objective, of_objective = split(of_head["objective"])
        post = of_objective["post"]
        null = NullSettings(
            objective,
            of_head["rho"],
            of_head["rho_end"],
            min(of_head["classes_per_batch"], task.classes),
            of_head["samples_per_class"],
            of_head.get("ridge", 1e-3),
            of_head.get("whiten", True),
        )
    optimiser, of_optimiser = split(architecture["optimiser"])
    schedule, of_schedule = split(architecture["schedule"])
    network = {
        "channels": channels,
        "classes": task.width,
        "values": task.outputs == "values",
        "backbone": backbone,
        "map_size": maps,
        "projection": projection,
        "dim": settings.get("dim", 0),
        "post": post or "none",
        "hidden": hidden if head != "nullspace" else [],
        "dropout": dropout,
        "size": size,
        "mean": list(IMAGENET_MEAN if imagenet else (0.5,) * channels),
        "std": list(IMAGENET_STD if imagenet else (0.5,) * channels),
    }
    return Design(
        network,
        head,
        optimiser,
        of_optimiser,
        schedule,
        of_schedule,
        architecture["augmentation"],
        null,
        of_head.get("label_smoothing", 0.0),
        of_head.get("alpha", 0.0),
        (of_head.get("epochs", 0), of_head.get("lr", 0.0)),
        imagenet,
        freeze,
        multiplier,
    )


def split(chosen: Any) -> tuple[str, dict[str, Any]]:
    """Label and parameters of a choice: `{"fc": {...}}` or `"none"`."""
    if isinstance(chosen, dict):
        label, settings = next(iter(chosen.items()))
        return label, settings
    return chosen, {}


def _backbone(chosen: Any) -> tuple[dict[str, Any], str | None, int, float]:
    kind, settings = split(chosen)
    if kind not in IMAGENET:
        return {"kind": kind, **settings}, None, 0, 1.0
    plain = (
        {"kind": "vgg", "depth": 16} if kind.startswith("vgg") else {"kind": "resnet", "depth": 18}
    )
    return plain, IMAGENET[kind], settings["freeze"], settings["lr_multiplier"]


def map_size(backbone: Mapping[str, Any], size: list[int]) -> list[int]:
    """Height and width of the backbone's map, from the shapes alone."""
    if backbone["kind"] == "resnet":
        halvings = 5 if backbone["depth"] == 18 else 2
        return [-(-side // 2**halvings) for side in size]
    halvings = 5 if backbone["kind"] == "vgg" else backbone["depth"] - 1
    return [side // 2**halvings for side in size]


def _hidden(chosen: Any) -> tuple[list[int], float]:
    kind, settings = split(chosen)
    if kind == "none":
        return [], 0.0
    if kind == "taper":
        return list(TAPER), settings["dropout"]
    return [settings["width"]] * (2 if kind == "two" else 1), settings["dropout"]


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
