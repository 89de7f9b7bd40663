"""The tree of the space, and the rivals of a point in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.contracts import Architecture
from toolkit.space import Choice, Float, Group, Int, Node
from toolkit_gan.design import FREE, LAYERS, MIXTURE, RATES, opened

STAGES = ("bn", "bn_ft", "ft", "scratch")
MIXINGS = ("linear", "softmax", "sparsemax", "none")


def build_tree(stages: Sequence[str], mixings: Sequence[str], augment: bool) -> Group:
    """The whole tree, of these stages and ways of mixing."""
    residual = Choice({"on": Group(l2=Float(1e-3, 10.0, log=True)), "off": None})
    own = {
        "linear": Group(l1=Float(1e-4, 1.0, log=True), residual=residual, per_layer=_switch()),
        "softmax": Group(residual=residual, per_layer=_switch()),
        "sparsemax": Group(residual=residual, per_layer=_switch()),
        "none": Group(l2=Float(1e-3, 10.0, log=True)),
    }
    carried: dict[str, Node] = {"start": Choice(["nearest", "mean"]), "freeze_d": Int(0, 3)}
    rows: dict[str, Node] = {
        "mixing": Choice({name: own[name] for name in mixings}),
        "layers": Choice(list(LAYERS)),
        "lr_g": Float(1e-3, 2e-2, log=True),
    }
    of_stage = {
        "bn": Group({**rows, **carried}),
        "bn_ft": Group(
            {
                **rows,
                "bn_share": Float(0.05, 0.5),
                "lr_ft": Float(1e-4, 2e-3, log=True),
                **carried,
            }
        ),
        "ft": Group({"lr_g": Float(1e-4, 2e-3, log=True), **carried}),
        "scratch": Group(lr_g=Float(3e-4, 3e-3, log=True)),
    }
    changes = Group(translation=Float(0.0, 0.25), cutout=_switch())
    return Group(
        stage=Choice({name: of_stage[name] for name in stages}),
        lr_d=Float(1e-4, 2e-3, log=True),
        d_steps=Int(1, 4),
        ema=Choice([0.0, 0.9, 0.99, 0.999]),
        augmentation=Choice({"none": None, "diffaug": changes} if augment else ["none"]),
    )


def rivals(found: Architecture) -> dict[str, Architecture]:
    """What was found with its transfer exchanged: other stages, and free rows.

    All else is as it was found; a rival's own rates are defaults, not searched for.
    """
    kind, stage = opened(found["stage"])
    mixing, _ = opened(stage.get("mixing", ""))
    carried = {"start": stage.get("start", "nearest"), "freeze_d": stage.get("freeze_d", 0)}

    def rows(mixed: Mapping[str, Any], name: str) -> dict[str, Any]:
        return {"mixing": mixed, "layers": "all", **RATES[name], **carried}

    options = {
        "bn": {"bn": rows(MIXTURE, "bn")},
        "bn_ft": {"bn_ft": rows(MIXTURE, "bn_ft")},
        "free_rows": {"bn": rows(FREE, "bn")},
        "ft": {"ft": {**RATES["ft"], **carried}},
        "scratch": {"scratch": dict(RATES["scratch"])},
    }
    own = "free_rows" if kind == "bn" and mixing == "none" else kind
    options[own] = {kind: dict(stage)}
    return {name: {**found, "stage": option} for name, option in options.items()}


def hand_made() -> list[Architecture]:
    """Points to try first: plain fine-tuning and the published rule, at usual rates."""
    carried = {"start": "nearest", "freeze_d": 0}
    rest = {"lr_d": 0.0005, "d_steps": 1, "ema": 0.99, "augmentation": "none"}
    return [
        {"stage": {"ft": {**RATES["ft"], **carried}}, **rest},
        {"stage": {"bn": {"mixing": MIXTURE, "layers": "all", **RATES["bn"], **carried}}, **rest},
    ]


def published() -> Architecture:
    """The published protocol for CIFAR: rows first, then all, at small rates, from the mean.

    Read in the authors' code and written anew; what is a fault there is none here: weights are no
    further normalised, residuals begin at 0, and the source rows stay as they are.
    """
    rows = {"mixing": MIXTURE, "layers": "all", "lr_g": 2e-4, "bn_share": 0.5, "lr_ft": 2e-4}
    stage = {"bn_ft": {**rows, "start": "mean", "freeze_d": 0}}
    return {"stage": stage, "lr_d": 2e-4, "d_steps": 1, "ema": 0.0, "augmentation": "none"}


def _switch() -> Choice:
    return Choice([True, False])
