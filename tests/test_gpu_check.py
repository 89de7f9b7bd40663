"""`scripts/gpu_check.sh`: no stage costs another, and the JSON tells what became of each."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
SAY = "import json; print(json.dumps({'work': 'a'}), flush=True)"
CODES = {
    "good": SAY,
    "bad": f"{SAY}; raise SystemExit('no such kernel')",
    "endless": f"{SAY}; import time; time.sleep(3600)",
    "silent": "pass",
}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with a minute to spend."""
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPTS / "gpu_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUDGET_S", 60.0)
    return module


def test_a_stage_that_fails_hangs_or_says_nothing_costs_no_other(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        check,
        "stages",
        lambda checkout: [
            check.Stage(name, [sys.executable, "-c", code], 1 / 40, check.lines)
            for name, code in {**CODES, "last": CODES["good"]}.items()
        ],
    )
    out = tmp_path / "out.json"
    assert check.main(SCRIPTS.parent, tmp_path, out) == 1
    stages = json.loads(out.read_text())["stages"]
    states = {name: stage["state"] for name, stage in stages.items()}
    assert states == {
        "good": "done",
        "bad": "failed",
        "endless": "timed out",
        "silent": "failed",
        "last": "done",
    }
    assert "no such kernel" in stages["bad"]["output"]
    assert stages["endless"]["result"] == [{"work": "a"}], "what was measured is lost"


def test_stages_that_do_not_fit_are_left_out_and_told(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "BUDGET_S", 1.0)
    out = tmp_path / "out.json"
    assert check.main(SCRIPTS.parent, tmp_path, out) == 1
    stages = json.loads(out.read_text())["stages"]
    assert {stage["state"] for stage in stages.values()} == {"left out"}
    assert {"tests", "times", "batches", "drone_gpu", "drone_cpu"} <= set(stages)


def test_a_checkout_is_usable_without_pip(check: ModuleType, tmp_path: Path) -> None:
    check.unpack(SCRIPTS.parent, tmp_path)
    points = (tmp_path / "nas_toolkit-0.1.0.dist-info" / "entry_points.txt").read_text()
    assert "spd_cell = toolkit_spd.space:SpdCellSpace" in points.splitlines()
    assert {"toolkit", "toolkit_spd", "toolkit_supernet"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_later_lines_of_the_same_work_count(check: ModuleType, tmp_path: Path) -> None:
    text = '{"work": "a", "batch": 1, "s": 2}\n{"work": "a", "batch": 1, "s": 3}\n{"work": "b", '
    assert check.lines(tmp_path, text) == [{"work": "a", "batch": 1, "s": 3}]
