"""Nothing waits for the device: forward and backward never look at a value, nor send one.

Tensors of the device `meta` have shapes and no values. Whatever would make a host wait for a GPU,
`item`, a branch on a tensor, a mask as an index, raises there; and `NoCopies` refuses lists that
would have to be copied to the device first. (`torch.linalg.eigh` itself looks for failures on a
GPU; that is torch's, and no other decomposition is offered.)
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from toolkit.contracts import TaskInfo
from toolkit_spd.catalogue import KEEPING, REDUCING, make_operation
from toolkit_spd.cell import Mixture
from toolkit_spd.maps import SpdMap
from toolkit_spd.networks import SpdNet
from toolkit_spd.operations import Setting
from toolkit_spd.space import SpdCellOptions, SpdCellSpace

GEOMETRIES = ["affine_invariant", "log_euclidean"]
TASK = TaskInfo("spd", (1, 8, 8), 3, 100)
CASES = [
    *((name, 6, False) for name in KEEPING if name != "none"),
    *((name, 3, True) for name in REDUCING if name != "none"),
]


class NoCopies(TorchFunctionMode):
    """Refuse what makes tensors of Python's numbers."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        assert name not in {"tensor", "as_tensor", "new_tensor", "from_numpy"}, function
        if name in {"__getitem__", "__setitem__"}:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(each, list) for each in index), index
        return function(*args, **(kwargs or {}))


def matrices(*shape):
    return torch.empty(*shape, dtype=torch.float64, device="meta", requires_grad=True)


@pytest.mark.parametrize("dispersion", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(("name", "size_out", "reducing"), CASES)
def test_operations_never_wait(name, size_out, reducing, geometry, dispersion):
    setting = Setting(
        2,
        2,
        6,
        size_out,
        geometry,
        "sparsemax",
        2,
        1e-4,
        rectify_relative=True,
        dispersion=dispersion,
    )
    operation = make_operation(name, setting, reducing).to("meta")
    x = matrices(5, 2, 6, 6)
    with NoCopies():
        mapped = operation(SpdMap.from_matrix(x))
        (mapped.matrix.sum() + mapped.logarithm.sum()).backward()
    assert x.grad is not None
    operation.eval()
    with torch.no_grad():
        assert operation(SpdMap.from_matrix(x)).logarithm.shape == (5, 2, size_out, size_out)


@pytest.mark.parametrize("relaxation", ["sparsemax", "softmax", "sigmoid", "entmax15"])
@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_the_supernet_waits_for_nothing_but_which_operations_are_alive(mixing, relaxation):
    space = SpdCellSpace(SpdCellOptions(mixing=mixing, relaxation=relaxation))
    model = space.supernet(TASK).model
    mixtures = {kind: model.mixture(model.weights(kind).detach()) for kind in model.kinds}
    model = model.to("meta")
    mixtures = {
        kind: Mixture(mixture.weights.to("meta").requires_grad_(), mixture.active)
        for kind, mixture in mixtures.items()
    }
    x = matrices(4, 1, 8, 8)
    with NoCopies():
        model(x, mixtures).sum().backward()
    assert x.grad is not None
    assert all(mixture.weights.grad is not None for mixture in mixtures.values())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_reference_networks_never_wait(batch_norm):
    network = SpdNet(1, [8, 5, 3], 3, batch_norm=batch_norm).to("meta")
    x = matrices(4, 1, 8, 8)
    with NoCopies():
        network(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x[[0, 2]],
        lambda x: x + torch.tensor([1.0, 2.0, 3.0], device=x.device),
    ],
)
def test_what_waits_is_caught(wait):
    with pytest.raises((RuntimeError, NotImplementedError, AssertionError)), NoCopies():
        wait(matrices(3))
