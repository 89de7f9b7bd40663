"""What docs/python.md shows works as shown, from its first fence to its last."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parent.parent / "docs" / "python.md"


@pytest.fixture
def one_core() -> Iterator[None]:
    """One worker at a time: what the page shows is small."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("one_core")
def test_the_page_on_the_python_api_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
