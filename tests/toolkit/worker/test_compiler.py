"""A worker imports torch's compiler when something is compiled, and not for an optimiser."""

from __future__ import annotations

import subprocess
import sys

TRAINED = """
import sys
from toolkit.worker.compiler import import_when_used
import_when_used()
import torch

def trained():
    weight = torch.nn.Parameter(torch.ones(3))
    losses = []
    for make in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        optimizer = make([weight], lr=0.1)
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
        for _ in range(2):
            optimizer.zero_grad()
            loss = weight.square().sum()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss))
        optimizer.load_state_dict(optimizer.state_dict())
    return losses

before = trained()
assert "torch._dynamo.eval_frame" not in sys.modules and "triton" not in sys.modules
"""
COMPILED = """
double = torch.compile(lambda x: 2 * x, backend="eager")
assert double(torch.ones(2)).tolist() == [2.0, 2.0]
import torch._dynamo.config
from torch._dynamo import disable
assert sys.modules["torch._dynamo"].__file__ and torch._dynamo.disable is disable
assert trained() == before
real = torch.optim.Optimizer.add_param_group.__wrapped__.__dict__["__dynamo_disable"]
assert real is not torch.optim.Optimizer.add_param_group.__wrapped__
"""


def test_optimisers_do_without_the_compiler_until_something_is_compiled() -> None:
    subprocess.run([sys.executable, "-c", TRAINED + COMPILED], check=True, timeout=120)
