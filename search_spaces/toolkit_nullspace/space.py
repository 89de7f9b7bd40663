"""The search space `nullspace_head`: which network, and a head in the null space or connected."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from toolkit.contracts import Architecture, DataPath, Direction, Options, SearchSpace, TaskInfo
from toolkit.errors import SpaceError, ToolkitWarning
from toolkit.space import Group
from toolkit_nullspace.baselines import baselines, rivals
from toolkit_nullspace.design import Design, read_design
from toolkit_nullspace.tree import IMAGENET, build_tree, restrict

if TYPE_CHECKING:
    import networkx

    from toolkit_nullspace.learner import NullspaceLearner

SMALL = 32
"""Side in pixels up to which a first recipe has small networks alone."""
ENOUGH = 500
"""Training images from which a first recipe judges trials on the task's own validation part."""
NARROW: Mapping[str, Any] = {
    "backbone": "smallcnn",
    "backbone.smallcnn.width": [8, 32],
    "backbone.smallcnn.kernel": 3,
    "projection.gap_linear.dim": [32, 256],
    "projection.conv.dim": [32, 256],
    "head.fc.hidden": "none",
    "augmentation": [0.0, 0.3],
    "optimiser": "adamw",
    "optimiser.adamw.lr": [0.001, 0.01],
    "schedule": ["onecycle", "cosine"],
}
OF_CLASSES: Mapping[str, Any] = {"head": ["fc", "nullspace"]}
LEAST_SIDE = {"vgg": 32, "smallcnn": 2, "resnet": 4}
"""Pixels below which a backbone's map would be empty, or a single point from the start."""


class NullspaceOptions(Options):
    """Options of the space `nullspace_head`."""

    only: Mapping[str, Any] = Field(
        default_factory=dict,
        description="what to search less of, by path: a value, a list of them, or [low, high],"
        " as in {head: [fc, nullspace], backbone.vgg.depth: 16}",
    )
    image_sizes: tuple[PositiveInt, ...] = Field(
        (), description="sides to resize images to, in pixels; as they are if empty"
    )
    flip: bool = Field(False, description="mirror training images left to right at random")
    pretrained: Literal["never", "if_present", "require"] = Field(
        "if_present",
        description="offer VGG16-BN and ResNet18 with their ImageNet weights, from local files",
    )
    weights: Mapping[Literal["vgg16_bn", "resnet18"], DataPath] = Field(
        default_factory=dict,
        description="torchvision's checkpoints; by default those in torch's own cache",
    )
    published: bool = Field(
        False, description="offer the parts of the published networks, as they were"
    )


class NullspaceHeadSpace(SearchSpace):
    """Backbone, projection, head, optimiser, schedule and augmentation, all at once.

    Abdelpakey and Shehata, "NullSpaceNet: Nullspace Convolutional Neural Network with
    Differentiable Loss Function" (arXiv 2004.12058), set against fully connected heads of equal
    deployed cost. Values are given by fully connected heads alone: a null space is one of classes.
    """

    Options = NullspaceOptions
    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    gives: ClassVar[frozenset[str]] = frozenset({"scores", "values"})
    measures: ClassVar[Mapping[str, Direction]] = {
        "collapse_ratio": "minimize",
        "collapse_ratio_raw": "minimize",
        "novelty_auroc": "maximize",
    }
    exchanged: ClassVar[str] = "head"
    options: NullspaceOptions

    def parameters(self, task: TaskInfo) -> Group:
        """The whole tree for these images, restricted by `only`."""
        channels, height, width = _check(task)
        sizes = self.options.image_sizes
        side = min(sizes) if sizes else min(height, width)
        self._check_sides(side, channels)
        per_class = task.train_size // (task.classes or 1)
        offered = [name for name in IMAGENET if self._wants(name) and channels == 3 and side >= 32]
        tree = build_tree(side, task.classes, per_class, sizes, offered, self.options.published)
        kept = restrict(tree, self.options.only)
        assert isinstance(kept, Group)
        return kept

    @classmethod
    def first_recipe(cls, task: TaskInfo) -> Mapping[str, Any]:
        """Return small networks for small images, judged after some epochs, and few trainings.

        Images of up to 32 pixels a side are told apart by a few narrow layers, which two cores
        train in seconds; from some hundred training images on, one validation part judges well.
        """
        final = {"seeds": 1, "random": 1}
        found: dict[str, Any] = {"train": {"final": final}}
        if task.train_size >= ENOUGH:
            found["validation"] = "own"
        if min(task.shape[1:]) > SMALL:
            return found
        return {
            **found,
            "space": {"only": {**NARROW, **(OF_CLASSES if task.outputs == "scores" else {})}},
            "fidelity": {"epochs": 5},
            "train": {"epochs": 15, "final": final},
        }

    @classmethod
    def unmeasurable(cls, task: TaskInfo) -> Mapping[str, str]:
        """Novelty, unless the task leaves classes out; none of it where targets are values."""
        if task.outputs == "values":
            return dict.fromkeys(cls.measures, "It is about classes, and the targets are values.")
        if task.leaves_out:
            return {}
        return {"novelty_auroc": "Leave classes out, for example task.novel_classes=[0]."}

    def build(self, architecture: Architecture, task: TaskInfo) -> NullspaceLearner:
        """A network with fresh or ImageNet weights, and its learner."""
        from toolkit_nullspace.learner import NullspaceLearner
        from toolkit_nullspace.network import Network
        from toolkit_nullspace.pretrained import load_backbone

        _check(task)
        design = read_design(architecture, task)
        if 0 in design.network["map_size"]:
            kind = design.network["backbone"]["kind"]
            raise SpaceError(
                f"Images of {task.shape[1]} x {task.shape[2]} pixels are too small for {kind}.",
                hint="Give space.image_sizes, for example [32].",
            )
        network = Network(**design.network)
        if design.imagenet is not None:
            path = self._weights(design.imagenet)
            if path is not None:
                load_backbone(network.backbone, design.imagenet, path)
            else:
                _warn_of_missing(design.imagenet)
        return NullspaceLearner(network, design, flip=self.options.flip)

    def graph(self, architecture: Architecture, task: TaskInfo) -> networkx.DiGraph:
        """A chain of the network's parts, with what it learns by beside it."""
        import networkx

        design = read_design(architecture, task)
        graph = networkx.DiGraph()
        names = list(_labels(design))
        for name, label in _labels(design).items():
            group = "learning" if name == "learning" else "network"
            graph.add_node(name, label=label, group=group)
        for left, right in itertools.pairwise(names):
            graph.add_edge(left, right)
        return graph

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        """Averages and a linear layer; a deep head; the null-space head, by the same training."""
        _, height, width = _check(task)
        sizes = self.options.image_sizes
        found = baselines(min(height, width), sizes[0] if sizes else None)
        if task.outputs == "values":
            del found["null_space"]
        return found

    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        """The same network under every head: what the space is about; none for values."""
        if task.outputs == "values":
            return {}
        return rivals(architecture, task.classes, task.train_size // task.classes)

    def _wants(self, name: str) -> bool:
        """Whether to offer a backbone with ImageNet weights: they are there, or asked for."""
        if self.options.pretrained == "never":
            return False
        found = self._weights(IMAGENET[name]) is not None
        if not found and self.options.pretrained == "require":
            raise SpaceError(
                _missing(IMAGENET[name]),
                hint="Or leave out space.pretrained to train from scratch.",
            )
        asked = self.options.only.get("backbone", ())
        wanted = name in ([asked] if isinstance(asked, str) else asked)
        if wanted and not found:
            _warn_of_missing(IMAGENET[name])
        return found or wanted

    def _weights(self, name: str) -> Path | None:
        """The checkpoint's path, or None where it is not on disk.

        Raises:
            SpaceError: a path was given, and nothing is there.
        """
        given = self.options.weights.get(name)  # type: ignore[call-overload]
        if given is not None:
            if not given.is_file():
                raise SpaceError(
                    f"space.weights: there is no file {given}.",
                    hint=f"It should be torchvision's {name}-<hash>.pth; leave the option out to"
                    " train from scratch.",
                )
            return Path(given)
        found = sorted(_cache().glob(f"{name}-*.pth"))
        return found[0] if found else None

    def _check_sides(self, side: int, channels: int) -> None:
        asked = self.options.only.get("backbone", ())
        for name in [asked] if isinstance(asked, str) else asked:
            least = LEAST_SIDE.get("vgg" if name in IMAGENET else name, 0)
            if side < least:
                raise SpaceError(
                    f"Images of {side} pixels are too small for the backbone {name}, which needs"
                    f" at least {least}.",
                    hint=f"Give space.image_sizes, for example [{least}].",
                )
            if name in IMAGENET and channels != 3:
                raise SpaceError(
                    f"{name} was trained on colour images, and these have {channels} channel"
                    f"{'s' if channels > 1 else ''}.",
                    hint="Give task.channels: 3, or use a backbone without ImageNet weights.",
                )
        if side < 2:
            raise SpaceError(
                f"Images of {side} pixel are too small for any backbone.",
                hint="Give space.image_sizes, for example [32].",
            )


def _check(task: TaskInfo) -> tuple[int, int, int]:
    if len(task.shape) != 3:
        raise SpaceError(
            f"One image has shape {task.shape}; expected are (channels, height, width)."
        )
    if task.outputs == "values":
        return task.shape[0], task.shape[1], task.shape[2]
    if task.classes < 2:
        raise SpaceError("The data hold one class only; a classifier needs at least two.")
    if task.train_size < 2 * task.classes:
        raise SpaceError(
            f"There are {task.train_size} training images for {task.classes} classes; a head in"
            " the null space needs at least two of each.",
            hint="Add images, or leave classes out.",
        )
    return task.shape[0], task.shape[1], task.shape[2]


def _warn_of_missing(name: str) -> None:
    warnings.warn(ToolkitWarning(f"{_missing(name)} Training from scratch."), stacklevel=3)


def _missing(name: str) -> str:
    return (
        f"ImageNet weights of {name} are not on this machine: give torchvision's {name}-<hash>.pth"
        f" as space.weights.{name}, or put it into {_cache()}."
    )


def _cache() -> Path:
    """Folder of torch's downloaded checkpoints."""
    base = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    home = os.environ.get("TORCH_HOME")
    return (Path(home).expanduser() if home else base / "torch") / "hub" / "checkpoints"


def _labels(design: Design) -> dict[str, str]:
    """Every setting of a design, node by node."""
    network = design.network
    size = "" if network["size"] is None else f" to {network['size'][0]} px"
    backbone = " ".join(f"{k}={v}" for k, v in network["backbone"].items() if k != "kind")
    start = f" from {design.imagenet}, {design.freeze} frozen, lr x {design.backbone_lr:.4g}"
    dim = f" {network['dim']}" if network["dim"] else ""
    hidden = "-".join(map(str, [*network["hidden"], network["classes"]]))
    dropout = f" dropout={network['dropout']!r}" if network["hidden"] else ""
    head = {
        "fc": f"fc {hidden}{dropout} smoothing={design.label_smoothing!r}",
        "nullspace": "null-space classifier",
        "fc_after_null": f"fc {hidden}{dropout} afterwards, {design.second[0]} epochs"
        f" lr={design.second[1]!r}",
        "joint": f"fc {hidden}{dropout} smoothing={design.label_smoothing!r} with null loss"
        f" x {design.alpha!r}",
    }[design.head]
    null = "" if design.null is None else f" {_settings(vars(design.null))}"
    return {
        "image": f"image{size}",
        "backbone": f"{network['backbone']['kind']} {backbone}{start if design.imagenet else ''}",
        "projection": f"{network['projection']}{dim} {network['post']}",
        "head": head + null,
        "learning": f"{design.optimiser} {_settings(design.optimiser_settings)};"
        f" {design.schedule} {_settings(design.schedule_settings)};"
        f" augmentation={design.augmentation!r}",
    }


def _settings(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
