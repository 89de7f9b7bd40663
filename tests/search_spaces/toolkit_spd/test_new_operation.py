"""What CONTRIBUTING.md tells about a new operation is all that it takes."""

import re
import textwrap
import types
from pathlib import Path

import torch

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo
from toolkit_spd import catalogue
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

GUIDE = Path(__file__).parents[3] / "CONTRIBUTING.md"
TASK = TaskInfo("spd", (1, 6, 6), 2, 100)


def test_an_operation_is_a_class_a_line_and_a_word(monkeypatch):
    section = GUIDE.read_text(encoding="utf-8").partition("## A new operation in the SPD space")[2]
    code = textwrap.dedent(re.search(r" *```python\n(.*?)```", section, re.S).group(1))
    module = types.ModuleType("toolkit_spd.log_gate")
    module.__package__ = "toolkit_spd"
    exec(code, module.__dict__)
    monkeypatch.setitem(catalogue.KEEPING, "log_gate", module.LogGateOperation)
    words = re.search(r"normal_ops: \[(.*?)\]", section).group(1).split(", ")

    space = SpdCellSpace(SpdCellOptions(normal_ops=tuple(words)))
    supernet = space.supernet(TASK)
    supernet.loss((random_spd(5, 1, 6, 6), torch.tensor([0, 1, 0, 1, 0]))).backward()
    gates = [each for name, each in supernet.model.named_parameters() if name.endswith(".gate")]
    assert gates and all(bool(each.grad.isfinite().all()) for each in gates)
    assert "log_gate" in str(space.parameters(TASK))
