"""`toolkit plugins check` names what is missing, each thing in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run_toolkit
from toolkit import check_plugin

HALF = '''
from toolkit import contracts
from toolkit.contracts import Exhausted, Proposal
from toolkit.space import sample
import random

class Forgetful(contracts.Strategy):
    class Options(contracts.Options):
        speed: int = 3

    def setup(self, context):
        self.space = context.space

    def ask(self):
        return Proposal(sample(self.space, random.Random()))

    def tell(self, trial, state, values):
        values["value"]

class Unfinished(contracts.Task):
    """Data to come."""
'''
SPACE = '''
from toolkit.contracts import Learner, SearchSpace
from toolkit.space import Group, Int

class Frozen(SearchSpace):
    """Networks with a layer that never learns."""

    accepts = frozenset({"image"})

    def parameters(self, task):
        return Group(width=Int(2, 4))

    def build(self, architecture, task):
        import torch
        layers = torch.nn.Flatten(), torch.nn.LazyLinear(architecture["width"])
        model = torch.nn.Sequential(*layers, torch.nn.Linear(architecture["width"], task.classes))
        model(torch.zeros(1, *task.shape))
        model[0].unused = torch.nn.Linear(2, 2)
        return Learner(model)
'''


def faults(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    return {f"{f.plugin}: {f.promise}": f.fault for f in check_plugin(path) if f.fault}


def test_a_strategy_and_a_task_hear_what_they_lack(tmp_path: Path) -> None:
    found = faults(tmp_path / "half.py", HALF)
    assert "lacks info, load, metrics" in found["task unfinished: it fulfils its contract"]
    assert "no docstring" in found["strategy forgetful: it says what it is"]
    assert "speed: give Field(" in found["strategy forgetful: every option is explained"]
    assert "equal histories give equal proposals" in " ".join(found)
    (heard,) = (f for p, f in found.items() if "proposals are points of the tree" in p)
    assert "KeyError" in heard and "half.py:" in heard


def test_a_space_is_tried_on_data_that_a_task_brings_along(tmp_path: Path) -> None:
    found = faults(tmp_path / "frozen.py", SPACE)
    assert "unused" in found["search space frozen: every weight learns"]
    other = SPACE.replace('"image"', '"sound"').replace("Frozen", "Loud")
    assert list(faults(tmp_path / "loud.py", other).values()) == [
        "There is no task that brings along data of kind sound. "
        "Give a recipe that names this space and a task with data: --recipe FILE."
    ]


def test_the_command_ends_with_the_code_of_plugin_faults(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(HALF)
    answer = run_toolkit("plugins", "check", tmp_path / "half.py", "--json")
    assert answer.code == 5
    assert {"plugin", "promise", "fault"} == set(json.loads(answer.out.splitlines()[0]))
    answer = run_toolkit("plugins", "check", tmp_path / "absent.py")
    assert answer.code == 5 and "There is no plugin at" in answer.err


@pytest.mark.parametrize("words", [["new"], ["new", "task"], ["check"]])
def test_missing_words_are_usage_errors(words: list[str]) -> None:
    answer = run_toolkit("plugins", *words)
    assert answer.code == 2 and "Missing argument" in answer.err
