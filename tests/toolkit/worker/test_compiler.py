"""torch's compiler costs a worker nothing until something is compiled, and then works as ever."""

from __future__ import annotations

import subprocess
import sys

BEFORE = """
import gc
import importlib.util
import sys
from types import SimpleNamespace

from toolkit.worker.main import _make_runner

_make_runner(SimpleNamespace(threads=1, recipe={}, plugin_paths=[], device="cpu"))
import torch

assert gc.isenabled() and gc.get_freeze_count(), "what is imported is looked through no more"
weights = torch.nn.Linear(2, 1)
optimisers = [
    torch.optim.AdamW(weights.parameters()),
    torch.optim.SGD(weights.parameters(), 0.1, 0.9),
    torch.optim.LBFGS(weights.parameters()),
]

def loss():
    for each in optimisers:
        each.zero_grad()
    found = weights(torch.ones(3, 2)).square().mean()
    found.backward()
    return found

first = float(loss().detach())
for each in optimisers:
    each.step(loss)
    each.load_state_dict(each.state_dict())
assert float(loss().detach()) < first


@torch.compiler.disable(recursive=False)
def doubled(x):
    return 2 * x

assert doubled(3) == 6 and doubled.__name__ == "doubled"
assert importlib.util.find_spec("torch._dynamo").origin == torch._dynamo.__file__
assert not [name for name in sys.modules if name.startswith(("torch._dynamo.", "sympy"))]
"""
AFTER = """
import torch._dynamo.testing
from torch._dynamo.testing import CompileCounter

counted = CompileCounter()
compiled = torch.compile(lambda x: (x.sin() + 1).cos(), backend=counted)
x = torch.ones(3)
assert torch.equal(compiled(x), (x.sin() + 1).cos())
assert counted.frame_count == 1
assert doubled(3) == 6 and list(torch.compiler.disable(weights).parameters())
assert torch._dynamo is sys.modules["torch._dynamo"]
assert torch._dynamo.__file__ and torch._dynamo.testing.CompileCounter is CompileCounter
for each in optimisers:
    each.zero_grad()
optimisers[0].add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
"""


def test_optimisers_do_without_it_and_what_is_compiled_later_is_compiled() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE + AFTER], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
