"""Cached signals are those the simulator would make, whatever happened to the file."""

from pathlib import Path

import numpy as np
import pytest

from toolkit_drone import cache
from toolkit_drone.cache import cached_signals
from toolkit_drone.parameters import RadarParameters
from toolkit_drone.simulator import simulate

PARAMETERS = RadarParameters(samples=64)
COUNTS = [2, 3, 4]


def _only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_second_call_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cached_signals(PARAMETERS, COUNTS, 0, 0, tmp_path)
    monkeypatch.setattr(cache, "simulate", None)
    kept = cached_signals(PARAMETERS, COUNTS, 0, 0, tmp_path)
    assert np.array_equal(made[0], kept[0])
    assert np.array_equal(made[1], kept[1])


def test_each_fact_has_its_own_file(tmp_path: Path) -> None:
    cached_signals(PARAMETERS, COUNTS, 0, 0, tmp_path)
    cached_signals(PARAMETERS, COUNTS, 1, 0, tmp_path)
    cached_signals(PARAMETERS, COUNTS, 0, 1, tmp_path)
    cached_signals(PARAMETERS, [2, 3, 5], 0, 0, tmp_path)
    cached_signals(PARAMETERS.model_copy(update={"prf_hz": 1e4}), COUNTS, 0, 0, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("damage", ["truncated", "flipped", "rewritten", "text", "empty"])
def test_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    expected, _ = simulate(PARAMETERS, COUNTS, 0)
    cached_signals(PARAMETERS, COUNTS, 0, 0, tmp_path)
    path = _only_file(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif damage == "rewritten":
        arrays = dict(np.load(path))
        arrays["signals"] = arrays["signals"] * 2
        with path.open("wb") as stream:
            np.savez(stream, **arrays)
    else:
        path.write_bytes(b"signals" if damage == "text" else b"")
    for _ in range(2):
        assert np.array_equal(cached_signals(PARAMETERS, COUNTS, 0, 0, tmp_path)[0], expected)
    assert np.array_equal(np.load(_only_file(tmp_path))["signals"], expected)


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    signals, _ = cached_signals(PARAMETERS, COUNTS, 0, 0, blocked / "folder")
    assert len(signals) == 9
