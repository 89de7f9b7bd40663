"""Hand-made networks to train beside what a search finds. Imports nothing heavy."""

from __future__ import annotations

from typing import Any

from toolkit.contracts import Architecture
from toolkit_nullspace.design import split

NULL: dict[str, Any] = {
    "rho": 1.0,
    "rho_end": 1.0,
    "classes_per_batch": 10,
    "samples_per_class": 10,
    "ridge": 1e-3,
    "whiten": True,
}

AFTER = {"hidden": "none", "epochs": 50, "lr": 1e-2}
JOINT = {"alpha": 1.0, "label_smoothing": 0.0}
_LOSS = ("objective", "rho", "rho_end", "classes_per_batch", "samples_per_class")
SETTINGS = {
    "nullspace": (*_LOSS, "ridge", "whiten"),
    "fc": ("post", "hidden", "label_smoothing"),
    "fc_after_null": (*_LOSS, "ridge", "whiten", "hidden", "epochs", "lr"),
    "joint": (*_LOSS, "hidden", "label_smoothing", "alpha"),
}
"""What each head of the tree has to be told."""


def baselines(side: int, image_size: int | None) -> dict[str, Architecture]:
    """The default null-space head and fully connected ones, on the same small network.

    `linear` and `null_space` cost the same once deployed; `average` has no projection at all;
    `perceptron` is a head in the style of VGG.

    Args:
        side: shorter side of the images, in pixels.
        image_size: what they are resized to, or None.
    """
    heads: dict[str, tuple[Any, Any]] = {
        "null_space": (
            {"conv": {"dim": 256}},
            {"nullspace": {"objective": {"log": {"post": "bn"}}, **NULL}},
        ),
        "linear": ({"conv": {"dim": 256}}, _connected("bn", "none")),
        "average": ("gap", _connected("none", "none")),
        "perceptron": (
            {"conv": {"dim": 256}},
            _connected("bn", {"two": {"width": 512, "dropout": 0.5}}),
        ),
    }
    return {
        name: _around(projection, head, image_size or side, image_size)
        for name, (projection, head) in heads.items()
    }


def _connected(post: str, hidden: Any) -> dict[str, Any]:
    return {"fc": {"post": post, "hidden": hidden, "label_smoothing": 0.0}}


def _around(projection: Any, head: Any, side: int, image_size: int | None) -> Architecture:
    depth = max(d for d in (1, 2, 3, 4) if side // 2 ** (d - 1) >= 2 or d == 1)
    cnn = {"depth": depth, "width": 16 if side <= 48 else 32, "kernel": 3, "activation": "relu"}
    size = {} if image_size is None else {"image_size": image_size}
    return {
        **size,
        "backbone": {"smallcnn": cnn},
        "projection": projection,
        "head": head,
        "optimiser": {"adamw": {"lr": 1e-3, "weight_decay": 1e-4}},
        "schedule": "onecycle",
        "augmentation": 0.0,
    }


def rivals(architecture: Architecture, classes: int, per_class: int) -> dict[str, Architecture]:
    """The same network under each head, by the head's name; one of them is the network itself.

    Backbone, projection, optimiser, schedule and augmentation stay as they are, and so do the
    settings of the head that another one has, too. Heads without hidden layers cost the same once
    deployed, as each is a linear layer; a network with hidden layers also meets the other heads
    that keep these.

    Args:
        architecture: a point of the tree, or one of `baselines`.
        classes: number of classes.
        per_class: training images of an average class.
    """
    settings = split(architecture["head"])[1]
    post = settings.get("post") or split(settings["objective"])[1]["post"]
    defaults = {"objective": {"log": {"post": post}}, **NULL, **AFTER, **JOINT, "post": post}
    defaults["classes_per_batch"] = min(classes, NULL["classes_per_batch"])
    defaults["samples_per_class"] = max(
        2, min(NULL["samples_per_class"], per_class, 640 // classes)
    )
    given = {**defaults, **settings}
    hidden = settings.get("hidden", "none")
    heads = {"null_space": _pick("nullspace", given)}
    for layers, suffix in (("none", ""), (hidden, "_perceptron")):
        if not suffix or hidden != "none":
            own = {**given, "hidden": layers}
            heads["perceptron" if suffix else "linear"] = _pick("fc", own)
            heads[f"{'perceptron' if suffix else 'linear'}_after_null"] = _pick(
                "fc_after_null", own
            )
            heads[f"joint{suffix}"] = _pick("joint", own)
    return {name: {**architecture, "head": head} for name, head in heads.items()}


def _pick(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A head of a kind from more settings than it has."""
    return {kind: {name: settings[name] for name in SETTINGS[kind]}}
