"""What docs/python.md shows works as shown, from its first fence to its last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from in_process import InProcess

PAGE = Path(__file__).parent.parent / "docs" / "python.md"


def test_the_page_on_the_python_api_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its ten runs have real jobs, and no worker of their own to start for each.
    monkeypatch.setattr("toolkit.executors.local.LocalExecutor", InProcess)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for fence in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(fence, str(PAGE), "exec"), names)
    assert names["run"].name == "mine"
    assert list(names["trials"]["number"]) == [1, 2, 3]
    with torch.no_grad():
        scores = names["model"](torch.tensor(names["X"])[:, None])
    assert scores.shape == (60, 2)
    assert names["again"].outcome is not None
    assert names["sweep"].table["seeds"].tolist() == [2, 2]
    (said,) = re.findall(r"print\(error\)  # (.*)", PAGE.read_text())
    assert capsys.readouterr().out.splitlines()[-1].startswith(said)
