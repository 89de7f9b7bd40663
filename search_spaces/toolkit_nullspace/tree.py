"""The parameter tree: backbone, projection, head, and how they learn. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.base.spelling import nearest
from toolkit.errors import SpaceError
from toolkit.space import Choice, Float, Group, Int, Node

ACTIVATION = Choice(["relu", "gelu", "silu"])
IMAGENET = {"vgg16_imagenet": "vgg16_bn", "resnet18_imagenet": "resnet18"}
"""Backbones whose published weights can be used, and torchvision's name of each."""


def build_tree(
    side: int,
    classes: int,
    per_class: int,
    sizes: Sequence[int],
    imagenet: Sequence[str],
    published: bool,
) -> Group:
    """All that can be decided.

    Args:
        side: shorter side of the smallest image a network sees, in pixels.
        classes: number of classes; 0 where values are to be given, and heads are connected alone.
        per_class: training samples of an average class.
        sizes: sides of the images to choose from; none for the images as they are.
        imagenet: backbones of `IMAGENET` to offer.
        published: offer the parts of the published networks that a search does not need.
    """
    members: dict[str, Node] = {}
    if sizes:
        members["image_size"] = Choice(list(sizes))
    members["backbone"] = _backbone(side, imagenet)
    projections: dict[str, Node | None] = {
        name: Group(dim=_dim(classes)) for name in ("gap_linear", "conv")
    }
    if published:
        projections["pool7"] = None
    members["projection"] = Choice(projections)
    members["head"] = _head(classes, per_class, published) if classes else _of_values(published)
    members["optimiser"] = _optimiser()
    members["schedule"] = _schedule(published)
    members["augmentation"] = Float(0.0, 1.0)
    return Group(members)


def _dim(classes: int) -> Int:
    """At least as many features as there are contrasts."""
    low = max(32, classes - 1)
    return Int(low, max(1024, 2 * low), log=True)


def _backbone(side: int, imagenet: Sequence[str]) -> Choice:
    depths = [depth for depth in (2, 3, 4) if side // 2 ** (depth - 1) >= 2] or [1]
    kinds: dict[str, Node] = {
        "smallcnn": Group(
            depth=Choice(depths),
            width=Int(8, 64, log=True),
            kernel=Choice([3, 5]),
            activation=ACTIVATION,
        )
    }
    if side >= 32:
        kinds["vgg"] = Group(
            depth=Choice([11, 13, 16]),
            multiplier=Choice([0.125, 0.25, 0.5, 1.0]),
            batch_norm=Choice([True, False]),
            activation=ACTIVATION,
        )
    kinds["resnet"] = Group(
        depth=Choice([8, 14, 20, 32, 18] if side >= 32 else [8, 14, 20, 32]),
        multiplier=Choice([0.25, 0.5, 1.0]),
        activation=ACTIVATION,
    )
    for name in imagenet:
        kinds[name] = Group(freeze=Int(0, 5), lr_multiplier=Float(0.01, 1.0, log=True))
    return Choice(kinds)


def _head(classes: int, per_class: int, published: bool) -> Choice:
    post = Choice(["none", "bn", "bn_noaffine", "l2norm"])
    smoothing = Float(0.0, 0.2)
    loss = _null_loss(classes, per_class, published)
    classifier: dict[str, Node] = {
        "ridge": Float(1e-5, 1e-1, log=True),
        "whiten": Choice([True, False]),
    }
    hidden = _hidden(published)
    return Choice(
        {
            "fc": Group(post=post, hidden=hidden, label_smoothing=smoothing),
            "nullspace": Group({**loss, **classifier}),
            "fc_after_null": Group(
                {
                    **loss,
                    **classifier,
                    "hidden": hidden,
                    "epochs": Int(20, 100, log=True),
                    "lr": Float(1e-3, 3e-2, log=True),
                }
            ),
            "joint": Group(
                {
                    **loss,
                    "hidden": hidden,
                    "label_smoothing": smoothing,
                    "alpha": Float(1e-3, 10.0, log=True),
                }
            ),
        }
    )


def _of_values(published: bool) -> Choice:
    """Heads that give values: fully connected, as a null space is one of classes."""
    post = Choice(["none", "bn", "bn_noaffine", "l2norm"])
    return Choice({"fc": Group(post=post, hidden=_hidden(published))})


def _null_loss(classes: int, per_class: int, published: bool) -> dict[str, Node]:
    """Parameters of the loss and its class-balanced batches of classes x samples."""
    free = Choice(["none", "bn", "bn_noaffine", "l2norm"])
    bounded = Choice(["bn_noaffine", "l2norm"])
    objectives = {"log": Group(post=free), "min": Group(post=free), "raw": Group(post=bounded)}
    if published:
        objectives["reference"] = Group(post=Choice(["bn", "bn_noaffine", "l2norm", "none"]))
    # A batch of all classes stays below about 640 samples; two of a class are the least.
    most = max(2, min(64, per_class, 640 // classes))
    return {
        "objective": Choice(objectives),
        "rho": Float(1e-4, 10.0, log=True),
        "rho_end": Float(1e-3, 1.0, log=True),
        "classes_per_batch": Int(min(classes, 5), classes),
        "samples_per_class": Int(min(4, most), most, log=True),
    }


def _hidden(published: bool) -> Choice:
    layers: dict[str, Node | None] = {"none": None}
    for name in ("one", "two"):
        layers[name] = Group(width=Int(128, 4096, log=True), dropout=Float(0.0, 0.5))
    if published:
        layers["taper"] = Group(dropout=Float(0.0, 0.5))
    return Choice(layers)


def _optimiser() -> Choice:
    common: dict[str, Node] = {
        "lr": Float(1e-5, 3e-2, log=True),
        "weight_decay": Float(1e-6, 1e-2, log=True),
    }
    return Choice(
        {
            "adam": Group(common),
            "adamw": Group(common),
            "sgd": Group({**common, "momentum": Float(0.8, 0.99)}),
            "adamod": Group({**common, "beta3": Choice([0.999, 0.9999])}),
        }
    )


def _schedule(published: bool) -> Choice:
    warmup: dict[str, Node] = {"warmup": Float(0.0, 0.2)}
    kinds: dict[str, Node | None] = {
        "constant": Group(warmup),
        "geometric": Group({**warmup, "gamma": Float(0.95, 0.999)}),
        "cosine": Group(warmup),
        "onecycle": None,
    }
    if published:
        kinds["two_stage"] = Group(gamma=Float(0.95, 0.999))
    return Choice(kinds)


def restrict(tree: Node, only: Mapping[str, Any], path: str = "") -> Node:
    """The part of a tree where the decisions in `only` have one of the values given there.

    Args:
        only: path -> a value, a list of values of a choice, or `[low, high]` of a range.

    Raises:
        SpaceError: a path or a value is not of the tree; the message names what is.
    """
    kept = _restrict(tree, only, path)
    paths = list(_paths(tree, path))
    for name in only:
        if name not in paths:
            near = nearest(name, paths)
            raise SpaceError(
                f"space.only: there is no decision {name!r}.",
                hint=f"Is it {near}?" if near else f"There are {', '.join(paths)}.",
            )
    return kept


def _restrict(node: Node, only: Mapping[str, Any], path: str) -> Node:
    prefix = f"{path}." if path else ""
    if isinstance(node, Group):
        return Group(
            {name: _restrict(member, only, prefix + name) for name, member in node.members.items()}
        )
    if isinstance(node, Choice):
        options = _options(node, only[path], path) if path in only else node.options
        trees = {option: node.trees[node.index(option)] for option in options}
        if all(tree is None for tree in trees.values()):
            return Choice(list(options))
        return Choice(
            {
                option: None if tree is None else _restrict(tree, only, f"{prefix}{option}")
                for option, tree in trees.items()
            }
        )
    return _range(node, only[path], path) if path in only else node


def _options(node: Choice, wanted: Any, path: str) -> list[Any]:
    values = wanted if isinstance(wanted, list | tuple) else [wanted]
    for value in values:
        try:
            node.index(value)
        except ValueError:
            raise SpaceError(
                f"space.only: {path} cannot be {value!r}.",
                hint=f"It is one of {', '.join(map(str, node.options))} for these data.",
            ) from None
    return list(values)


def _range(node: Int | Float, wanted: Any, path: str) -> Node:
    ends = wanted if isinstance(wanted, list | tuple) else [wanted, wanted]
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or not numbers or not node.low <= ends[0] <= ends[1] <= node.high:
        raise SpaceError(
            f"space.only: {path} cannot be {wanted!r}.",
            hint=f"Give a number from {node.low:g} to {node.high:g}, or [low, high] within.",
        )
    if isinstance(node, Int):
        return Int(int(ends[0]), int(ends[1]), log=node.log)
    return Float(float(ends[0]), float(ends[1]), log=node.log)


def _paths(node: Node, path: str) -> list[str]:
    prefix = f"{path}." if path else ""
    if isinstance(node, Group):
        return [p for name, member in node.members.items() for p in _paths(member, prefix + name)]
    if isinstance(node, Choice):
        below = [
            p
            for option, tree in zip(node.options, node.trees, strict=True)
            if tree is not None
            for p in _paths(tree, f"{prefix}{option}")
        ]
        return [path, *below]
    return [path]
