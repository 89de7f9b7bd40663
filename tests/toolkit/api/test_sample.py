"""Samples of a run's generator as files: each class and seed has its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import toolkit
from toolkit.api import sample as sampling

NAMES = ("a b", "a/b", "..", "::", "5", "x" * 300, "caf\udce9")


@pytest.fixture(autouse=True)
def generator(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(name: str, count: int, seed: int) -> torch.Tensor:
        torch.Generator().manual_seed(seed)
        return torch.full((count, 1, 2, 2), NAMES.index(name) / 10)

    model = SimpleNamespace(classes=NAMES, sample=make)
    monkeypatch.setattr(sampling, "_generator", lambda folder: model)


def test_no_class_writes_over_anothers_images(tmp_path: Path) -> None:
    to = tmp_path / "to"
    written = [sampling.write_samples(tmp_path, name, 2, 0, to) for name in NAMES]
    paths = [path for own in written for path in own]
    assert len(set(paths)) == len({path.read_bytes() for path in paths}) * 2 == 2 * len(NAMES)
    assert sorted(paths) == sorted(to.iterdir())
    assert (to / "5-seed0-0.png").exists()


def test_a_seed_that_no_generator_takes_is_answered(tmp_path: Path) -> None:
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(toolkit.ToolkitError, match="64 bits"):
            sampling.write_samples(tmp_path, "5", 1, seed, tmp_path / "to")
    assert not (tmp_path / "to").exists()
