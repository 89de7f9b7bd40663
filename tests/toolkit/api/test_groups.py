"""Models that recentre groups: what they say of themselves, and what they need of new data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import toolkit
from command_line import IN_PROCESS
from perceptrons import fit_in_few_steps
from toolkit.errors import DataError, RecipeError

RNG = np.random.default_rng(0)
GROUPS = np.array(["anna", "bert", "cleo", "dora"])[np.arange(96) // 24]
Y = np.arange(96) % 2
LENGTHS = RNG.integers(20, 40, 96)
SERIES = RNG.normal(size=(96, 4, 40))
SERIES[Y == 1, :2] *= 1.6
# Each person has a mixture of channels of their own, so that classes differ more than they do.
MIXTURES = np.eye(4) + 0.8 * RNG.normal(size=(4, 4, 4))
SERIES = MIXTURES[np.arange(96) // 24] @ SERIES


def search(home: Path, recentring: str = "matrices", trials: int = 3, **task: Any) -> toolkit.Run:
    np.savez(home / "mine.npz", X=SERIES, y=Y, groups=GROUPS, lengths=LENGTHS)
    final = {"seeds": 1, "random": 0, "baselines": False, "ensemble": 2, "hand_over": "ensemble"}
    words = {
        "name": "groups",
        "task": {
            "name": "series_arrays",
            "data": str(home / "mine.npz"),
            "output": "series",
            "grouped": True,
            **task,
        },
        "space": {"name": "spd_pipeline", "recentring": [recentring]},
        "strategy": "random",
        "validation": "groups",
        "budget": {"trials": trials},
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"epochs": 2, "final": final},
    }
    return toolkit.search(words, plugins=[IN_PROCESS], output=home / "run")


@pytest.fixture(scope="module", autouse=True)
def perceptrons() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        fit_in_few_steps(patch)
        yield


@pytest.fixture(scope="module")
def recentred(tmp_path_factory: pytest.TempPathFactory) -> toolkit.Run:
    """A finished search whose models recentre groups; to be read alone."""
    return search(tmp_path_factory.mktemp("recentred"))


def test_a_recentred_model_says_so_and_needs_whole_groups(
    home: Path, recentred: toolkit.Run
) -> None:
    run = recentred
    card = (run.folder / "best" / "card.md").read_text()
    assert "transductive" in card and "whole groups" in card
    assert "fitted at once" in card and "batch_size" not in card
    assert "transductive" in run.report().read_text()
    test = GROUPS == "dora"
    np.savez(home / "new.npz", X=SERIES[test], lengths=LENGTHS[test], groups=GROUPS[test])
    found = run.predictions(home / "new.npz")
    accuracy = float((np.array(found.predicted) == Y[test].astype(str)).mean())
    assert accuracy == pytest.approx(run.outcome.test_of("ensemble")["accuracy"].mean)
    assert accuracy > 0.8, "people's own mixtures are taken out"
    np.savez(home / "none.npz", X=SERIES[test], lengths=LENGTHS[test])
    with pytest.raises(DataError, match="do not say who or what each one is from"):
        run.predictions(home / "none.npz")
    with pytest.raises(DataError, match="The group 'emil' has one input"):
        run.predictions(SERIES[:3], groups=["dora", "dora", "emil"])
    with pytest.raises(DataError, match=r"'groups' has shape \(2,\), but there are 3 inputs"):
        run.predictions(SERIES[:3], groups=["dora", "dora"])


def test_the_exported_file_takes_series_with_their_groups(
    home: Path, recentred: toolkit.Run
) -> None:
    run = recentred
    scope: dict[str, Any] = {"__name__": "model", "__file__": str(run.folder / "best/model.py")}
    exec((run.folder / "best" / "model.py").read_text(), scope)
    model = scope["Model"].load()
    some = [torch.tensor(s[:, :n]) for s, n in zip(SERIES[72:], LENGTHS[72:], strict=True)]
    names = model.predict((some, torch.full((24,), 7)))
    np.savez(home / "new.npz", X=SERIES[72:], lengths=LENGTHS[72:], groups=GROUPS[72:])
    predicted = run.predict(home / "new.npz")
    assert names == predicted.astype(str).tolist()
    assert predicted.dtype.kind == Y.dtype.kind, "whole numbers, as labels are"
    with pytest.raises(ValueError, match="recentres groups, and takes a pair"):
        model.predict(some)


def test_a_model_that_recentres_nothing_needs_no_groups(home: Path) -> None:
    run = search(home, recentring="none", trials=1)
    assert "transductive" not in (run.folder / "best" / "card.md").read_text()
    longer = np.concatenate([SERIES, SERIES], axis=2)
    assert len(run.predictions(longer[:5]).predicted) == 5, "series may be longer than known ones"


def test_only_a_space_that_reads_groups_takes_them(home: Path) -> None:
    np.savez(home / "mine.npz", X=SERIES @ SERIES.swapaxes(1, 2), y=Y, groups=GROUPS)
    task = {"name": "spd_arrays", "data": str(home / "mine.npz"), "grouped": True}
    with pytest.raises(RecipeError, match="grouped_spd data, and the space spd_cell"):
        toolkit.validate({"name": "x", "task": task, "space": "spd_cell"})
