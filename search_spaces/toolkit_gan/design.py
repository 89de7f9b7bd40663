"""An architecture of the space, read: which stage, how rows are made, what both networks do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit_gan.augmentation import Augmentation

LAYERS = ("all", "early", "late")
"""Whose rows learn, by the layers' place: all, the first half, the other half."""
BN_STAGES = ("bn", "bn_ft")
RATES: Mapping[str, Mapping[str, float]] = {
    "bn": {"lr_g": 0.005},
    "bn_ft": {"lr_g": 0.005, "bn_share": 0.25, "lr_ft": 0.0005},
    "ft": {"lr_g": 0.0005},
    "scratch": {"lr_g": 0.001},
}
"""What each stage has of its own where a rival of another stage was found."""
MIXTURE: Mapping[str, Any] = {
    "linear": {"l1": 0.01, "residual": {"on": {"l2": 0.01}}, "per_layer": True}
}
FREE: Mapping[str, Any] = {"none": {"l2": 0.01}}
"""Rows without a mixture: batch statistics adaptation (Noguchi and Harada, ICCV 2019)."""


@dataclass(frozen=True)
class Design:
    """One way of carrying a generator to new classes.

    Attributes:
        stage: `bn` (rows alone), `bn_ft` (rows, then all), `ft` (all), `scratch` (all, fresh).
        mixing: `linear`, `softmax`, `sparsemax`; `none` and `free` are rows of their own, which the
            stages `bn` and `ft` call so.
        residual, per_layer, l1, l2: of the rows, see `toolkit_gan.rows`.
        layers: whose rows learn in the stage `bn`, one of `LAYERS`.
        bn_share: share of the steps before all of the generator learns.
        lr_g, lr_ft, lr_d: rates.
        nearest: start from the nearest source class; else from the mean of all.
        freeze_d: convolutions of the discriminator that do not learn.
        d_steps, decay, augmentation: see `toolkit_gan.duel.Play`.
    """

    stage: str
    mixing: str
    residual: bool
    per_layer: bool
    l1: float
    l2: float
    layers: str
    bn_share: float
    lr_g: float
    lr_ft: float
    lr_d: float
    nearest: bool
    freeze_d: int
    d_steps: int
    decay: float
    augmentation: Augmentation | None

    @property
    def keeps_trunk(self) -> bool:
        """Whether all but the rows stays as it is in the source generator."""
        return self.stage == "bn"

    def learning(self, count: int) -> range:
        """Which of so many normalised layers' rows learn."""
        half = count // 2
        return {"all": range(count), "early": range(half), "late": range(half, count)}[self.layers]


def read(architecture: Mapping[str, Any]) -> Design:
    """Reads a point of the tree, or a rival of one."""
    kind, stage = opened(architecture["stage"])
    mixing, rows = opened(stage.get("mixing", "free"))
    residual, of_residual = opened(rows.get("residual", "on"))
    augmentation, changes = opened(architecture["augmentation"])
    return Design(
        stage=kind,
        mixing=mixing,
        residual=residual == "on",
        per_layer=bool(rows.get("per_layer", True)),
        l1=float(rows.get("l1", 0.0)),
        l2=float(rows.get("l2", of_residual.get("l2", 0.0))),
        layers=str(stage.get("layers", "all")),
        bn_share=float(stage.get("bn_share", float(kind == "bn"))),
        lr_g=float(stage["lr_g"]),
        lr_ft=float(stage.get("lr_ft", stage["lr_g"])),
        lr_d=float(architecture["lr_d"]),
        nearest=stage.get("start", "nearest") == "nearest",
        freeze_d=int(stage.get("freeze_d", 0)),
        d_steps=int(architecture["d_steps"]),
        decay=float(architecture["ema"]),
        augmentation=Augmentation(float(changes["translation"]), bool(changes["cutout"]))
        if augmentation == "diffaug"
        else None,
    )


def opened(chosen: Any) -> tuple[str, Mapping[str, Any]]:
    """The option of a choice, and what was decided below it."""
    if isinstance(chosen, Mapping):
        ((name, below),) = chosen.items()
        return str(name), below
    return str(chosen), {}
