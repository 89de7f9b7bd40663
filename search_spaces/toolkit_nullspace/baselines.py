"""Hand-made networks to train beside what a search finds. Imports nothing heavy."""

from __future__ import annotations

from typing import Any

from toolkit.contracts import Architecture

NULL = {
    "rho": 1.0,
    "rho_end": 1.0,
    "classes_per_batch": 10,
    "samples_per_class": 10,
    "ridge": 1e-3,
    "whiten": True,
}


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
