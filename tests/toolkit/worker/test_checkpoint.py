"""Checkpoints survive damage, and stand and fall with the report that follows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.run.folder import CHECKPOINT
from toolkit.worker.checkpoint import Checkpoint

pytestmark = pytest.mark.faults


def saved(folder: Path, *epochs: int) -> Checkpoint:
    checkpoint = Checkpoint(folder)
    for epoch in epochs:
        checkpoint.write({"epoch": epoch, "weights": torch.full((64,), float(epoch))})
        checkpoint.settle()
    return checkpoint


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, truncate, empty])
def test_a_damaged_checkpoint_is_left_for_the_one_before_it(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    saved(tmp_path, 1, 2, 3)
    damage(tmp_path / CHECKPOINT)
    found = Checkpoint(tmp_path)
    state = found.read()
    assert state is not None and state["epoch"] == 2
    assert torch.equal(state["weights"], torch.full((64,), 2.0))
    assert len(found.warnings) == 1 and "is damaged" in found.warnings[0]

    damage((tmp_path / CHECKPOINT).with_name("before.pt"))
    assert Checkpoint(tmp_path).read() is None, "and else the training begins anew"


def test_what_is_no_file_is_left_for_the_one_before_it(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    (tmp_path / CHECKPOINT).unlink()
    (tmp_path / CHECKPOINT).mkdir()
    found = Checkpoint(tmp_path)
    state = found.read()
    assert state is not None and state["epoch"] == 1 and "cannot be read" in found.warnings[0]


def test_what_was_never_told_of_is_not_gone_on_from(tmp_path: Path) -> None:
    saved(tmp_path, 1).write({"epoch": 2})
    killed = Checkpoint(tmp_path)
    killed.forget_unsettled()
    state = killed.read()
    assert state is not None and state["epoch"] == 1


def test_a_kill_between_two_renames_leaves_the_one_before(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    (tmp_path / CHECKPOINT).unlink()
    found = Checkpoint(tmp_path)
    state = found.read()
    assert found.exists and state is not None and state["epoch"] == 1 and not found.warnings


def test_checkpoints_of_earlier_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    path.parent.mkdir()
    torch.save({"epoch": 4}, path)
    assert Checkpoint(tmp_path).read() == {"epoch": 4}
    truncate(path)
    damaged = Checkpoint(tmp_path)
    assert damaged.read() is None and damaged.warnings


def test_states_that_are_no_plain_values_are_the_plugins_fault(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.write({"path": Path("x")})
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        checkpoint.read()
