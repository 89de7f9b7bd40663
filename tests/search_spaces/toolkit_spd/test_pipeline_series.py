"""Pipelines on series and on groups: their moments, and what no fitted number may depend on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import covariance

from toolkit.contracts import Splits, TaskInfo
from toolkit.errors import SpaceError
from toolkit.space import Choice, is_point, sample
from toolkit.testing import check_search_space
from toolkit_arrays.series import SeriesArraysTask
from toolkit_arrays.spd import SpdArraysTask
from toolkit_spd.pipeline.design import baseline
from toolkit_spd.pipeline.learner import PipelineLearner
from toolkit_spd.pipeline.rows import (
    RowsSpec,
    band_limited,
    estimated_covariance,
    moments,
    scaled_moments,
)
from toolkit_spd.pipeline.space import SpdPipelineOptions, SpdPipelineSpace

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(12, 30, 48)
LABELS = np.arange(48) % 3
GROUPS = np.arange(48) // 12
SPACE = SpdPipelineSpace(SpdPipelineOptions())


def _series(channels: int = 4) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    made = [rng.normal(size=(channels, length)) for length in LENGTHS]
    for one, label, group in zip(made, LABELS, GROUPS, strict=True):
        one[0] *= 1 + label
        one *= 1 + 0.5 * group
        one += rng.normal(size=(channels, 1))
    return made


def _padded(series: list[np.ndarray[Any, Any]]) -> torch.Tensor:
    found = np.full((len(series), len(series[0]), LENGTHS.max()), np.nan)
    for row, one in zip(found, series, strict=True):
        row[:, : one.shape[1]] = one
    return torch.from_numpy(found)


def _spec(**changes: Any) -> RowsSpec:
    plain = RowsSpec(
        size=4, bands=[], crop=[0.0, 1.0], windows=[1], velocities=False, time_rows=0, context=0
    )
    return {**plain, **changes}  # type: ignore[typeddict-item]


@pytest.mark.parametrize("estimator", ["sample", "oas", "ledoit_wolf"])
@pytest.mark.parametrize("crop", [(0.0, 1.0), (0.25, 1.0)])
def test_covariances_of_series_are_numpys_and_scikit_learns(
    estimator: str, crop: tuple[float, float]
) -> None:
    series = _series()
    spec = _spec(crop=list(crop), velocities=True, time_rows=2)
    found = moments(_padded(series), spec, fourth=True)
    matrices = estimated_covariance(found, estimator)[:, 0].numpy()
    for one, mean, matrix in zip(series, found.mean[:, 0].numpy(), matrices, strict=True):
        length = one.shape[1]
        begin, end = round(crop[0] * length), round(crop[1] * length)
        rows = np.concatenate([one, np.gradient(one, axis=1)])[:, begin:end].T
        share = (np.arange(end - begin) + 0.5) / (end - begin)
        rows = np.hstack([rows, np.sqrt(2) * np.cos(np.pi * share[:, None] * [1, 2])])
        if estimator == "sample":
            expected = np.cov(rows, rowvar=False)
        else:
            expected = getattr(covariance, estimator)(rows)[0]
        np.testing.assert_allclose(mean, rows.mean(0), atol=1e-12)
        np.testing.assert_allclose(matrix, expected, atol=1e-12)


def test_estimators_see_rows_as_they_are_scaled() -> None:
    """Moments are kept unscaled; shrinkage of scaled rows follows from them."""
    series, scale = _series(), torch.tensor([1.0, 3.0, 0.2, 1.0], dtype=torch.float64)
    own = moments(_padded(series), _spec(), fourth=True)
    multiplied = moments(_padded(series) * scale[:, None], _spec(), fourth=True)
    for estimator in ("sample", "oas", "ledoit_wolf"):
        torch.testing.assert_close(
            estimated_covariance(scaled_moments(own, scale), estimator),
            estimated_covariance(multiplied, estimator),
        )


def test_windows_and_bands_are_channels_and_short_series_have_them() -> None:
    short = torch.randn(3, 4, 5, dtype=torch.float64)
    short[0, :, 2:] = torch.nan
    found = moments(short, _spec(windows=[1, 2], bands=[[0.1, 0.2], [0.2, 0.4]]))
    assert found.covariance.shape == (3, 6, 4, 4)
    assert bool(found.covariance.isfinite().all()) and bool((found.samples >= 2).all())


def test_a_band_keeps_what_lies_in_it_in_place() -> None:
    time = torch.arange(512, dtype=torch.float64)
    within, below = torch.sin(0.3 * time), torch.sin(0.02 * time)  # 0.048 and 0.003 of the rate
    lengths = torch.tensor([512])
    kept = band_limited((within + below).expand(1, 1, 512), lengths, [0.025, 0.1])[0, 0]
    inner = slice(128, -128)
    torch.testing.assert_close(kept[inner], within[inner], atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", ["series", "grouped_series", "grouped_spd"])
def test_the_space_keeps_the_contract_on_every_kind(kind: str) -> None:
    grouped = kind.startswith("grouped")
    if kind.endswith("series"):
        inputs = _padded(_series())[:6]
        shape: tuple[int, ...] = (4 + grouped, inputs.shape[2])
        number = torch.ones(6, 1, inputs.shape[2], dtype=torch.float64)
    else:
        factor = torch.randn(6, 2, 5, 9, dtype=torch.float64)
        inputs, shape = factor @ factor.mT, (3, 5, 5)
        number = torch.eye(5, dtype=torch.float64).expand(6, 1, 5, 5)
    if grouped:
        inputs = torch.cat([inputs, number], 1)
    info = TaskInfo(kind, shape, 3, 60, shortest=12)
    check_search_space(SPACE, info, inputs, samples=3)
    tree = SPACE.parameters(info)
    assert all(is_point(tree, anchor) for anchor in SPACE.anchors(info))


def test_what_of_series_cannot_be_read_is_refused_in_a_sentence() -> None:
    info = TaskInfo("series", (4, 200), 3, 60, rate=160.0, shortest=200)
    assert "0.050000-0.187500" in SPACE.parameters(info).members["bands"].options
    for option, wrong in (("bands", "0.2-0.7"), ("crops", "0.5-0.2"), ("windows", "two")):
        options = SpdPipelineOptions.model_validate({option: [wrong]})
        with pytest.raises(SpaceError, match=rf"space\.{option}: '{wrong}' cannot be read"):
            SpdPipelineSpace(options).parameters(info)
    with pytest.raises(SpaceError, match="two channels at least"):
        SPACE.parameters(TaskInfo("series", (1, 200), 3, 60))
    point = {**baseline("tangent_lr", 0.01, info), "mean": 0.25}
    assert SPACE.build(point, info), "a mean that the options may name"
    with pytest.raises(SpaceError, match="crop"):
        SPACE.build({**point, "crop": "1-0"}, info)


@dataclass
class _Trial:
    splits: Any
    task: Any
    device = torch.device("cpu")


def _archive(path: Path, kind: str, changed: bool) -> Any:
    """A task of four groups; what the fourth holds, and says of it, may be others."""
    series, labels = _series(), LABELS.copy()
    held_out = GROUPS == 3
    if changed:
        labels[held_out] = (labels[held_out] + 1) % 3
        for number in np.flatnonzero(held_out):
            series[number] = series[number][::-1] * 50 + 1
    options = {"data": path, "grouped": True, "test_groups": ["2"], "val_groups": ["3"]}
    if kind == "spd":
        x = np.stack([np.cov(one) + 0.1 * np.eye(4) for one in series])
        np.savez(path, X=x, y=labels, groups=GROUPS)
        return SpdArraysTask(SpdArraysTask.Options.model_validate(options))
    rows = np.concatenate([one.T for one in series])
    np.savez(path, X=rows, lengths=LENGTHS, y=labels, groups=GROUPS)
    return SeriesArraysTask(
        SeriesArraysTask.Options.model_validate({**options, "output": "series"})
    )


@pytest.mark.parametrize("kind", ["spd", "series"])
def test_nothing_fitted_moves_when_what_is_held_out_changes(kind: str, tmp_path: Path) -> None:
    """On every preparation: neither labels nor inputs of a held-out group have a say."""
    tasks = [_archive(tmp_path / f"{c}.npz", kind, c) for c in (False, True)]
    info, rng = tasks[0].info(), random.Random(0)
    tree = SPACE.parameters(info)
    points = [*SPACE.anchors(info), *(sample(tree, rng) for _ in range(8))]
    for decision, node in tree.members.items():  # every option of every decision
        if decision != "classifier" and isinstance(node, Choice):
            for option, inner in zip(node.options, node.trees, strict=True):
                chosen = option if inner is None else {option: sample(inner, rng)}
                points.append({**points[0], decision: chosen})
    splits = [task.load(tmp_path, 0) for task in tasks]
    assert not torch.equal(splits[0].val.tensors[1], splits[1].val.tensors[1])
    for point in points:
        states, scores = [], []
        for own, task in zip(splits, tasks, strict=True):
            learner = SPACE.build({**point, "classifier": "ridge"}, info)
            assert isinstance(learner, PipelineLearner)
            learner.fit(_Trial(own, task))  # type: ignore[arg-type]
            states.append(learner.model.state_dict())
            with torch.inference_mode():
                scores.append(learner.predict(own.train.tensors[0]))
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            assert torch.equal(value, states[1][name]), (name, point)
        assert torch.equal(*scores)


def test_recentring_takes_out_what_each_group_mixes() -> None:
    """Vectors of recentred groups do not know how each one's amplifier was set."""
    x = np.stack([np.cov(one) + 0.1 * np.eye(4) for one in _series()])
    # Orthogonal mixtures would be left over as such: these are multiples of the identity.
    mixed = np.array([1.0, 7.0, 0.1, 3.0])[GROUPS, None, None] * x
    number = torch.from_numpy(1.0 + GROUPS)[:, None, None] * torch.eye(4, dtype=torch.float64)
    info = TaskInfo("grouped_spd", (2, 4, 4), 3, 48)
    point = {**baseline("tangent_lr", 1e-9, info), "recentring": "matrices"}
    vectors = []
    for given in (x, mixed):
        inputs = torch.stack([torch.from_numpy(given), number], 1)
        learner = SPACE.build(point, info)
        assert isinstance(learner, PipelineLearner)
        taken = learner.representation.take(inputs)
        vectors.append(learner.representation.vectors(learner.representation.matrices(taken)))
    torch.testing.assert_close(vectors[0], vectors[1], atol=1e-8, rtol=0)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rank_deficient_series_of_any_scale_give_finite_scores(
    scale: float, dtype: torch.dtype
) -> None:
    """The average reference takes a rank; a channel is constant; some have few samples."""
    series = _series(6)
    for one in series:
        one[5] = 3.0
        one[:5] -= one[:5].mean(0)
    found = np.full((48, 6, 30), np.nan)
    for row, one in zip(found, series, strict=True):
        row[:, : one.shape[1]] = one
    number = np.broadcast_to(1.0 + GROUPS[:, None, None], (48, 1, 30))
    inputs = torch.from_numpy(np.concatenate([scale * found, number], 1)).to(dtype)
    info, rng = TaskInfo("grouped_series", (7, 30), 3, 48, shortest=12), random.Random(1)
    tree = SPACE.parameters(info)
    data = torch.utils.data.TensorDataset(inputs, torch.from_numpy(LABELS))
    for point in [*SPACE.anchors(info), *(sample(tree, rng) for _ in range(8))]:
        learner = SPACE.build({**point, "classifier": "ridge"}, info)
        assert isinstance(learner, PipelineLearner)
        taken = learner.representation.take(data.tensors[0])
        learner.fit_to(taken, data.tensors[1], Splits(data, data, lambda: data))
        assert learner.predict(inputs).isfinite().all(), point
