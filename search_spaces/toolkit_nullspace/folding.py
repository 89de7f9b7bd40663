"""From a trained network to the one that is deployed: fewer layers, the same scores.

In evaluation mode a batch norm is an affine map, so it folds into the linear layer or convolution
before it; and as nothing stands between projection and head, so does the head's first layer
into the projection, wherever that saves parameters. A null-space head and a linear one then cost
the same.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from toolkit_nullspace.backbones import fold
from toolkit_nullspace.network import Network


@torch.no_grad()
def deploy(network: Network, null_dims: int = 0) -> Network:
    """A new network with all that can be folded folded, on the same device, in evaluation mode.

    Args:
        network: trained.
        null_dims: dimensions of the null space whose class points are to be filled in.
    """
    config = {**network.config, "null_dims": null_dims}
    weight, bias, folds = _projected(network)
    head = [layer for layer in network.head if isinstance(layer, nn.Linear)]
    merges = folds and _merging_saves(weight, head[0].weight)
    if merges:
        first = head.pop(0)
        weight, bias = _after(first, weight, bias)
        config["dim"] = len(weight)
    if folds:
        config["post"] = "none"
    deployed = Network(**{**config, "folded": True, "merged": merges})
    deployed.to(next(network.parameters()).device).eval()
    fold(network.backbone, deployed.backbone)
    deployed.mean.copy_(network.mean)
    deployed.std.copy_(network.std)
    target = _weighted(deployed.projection)
    if target is not None:
        target.weight.copy_(weight.reshape(target.weight.shape))
        assert target.bias is not None
        target.bias.copy_(bias)
    if not folds:
        deployed.post.load_state_dict(network.post.state_dict())
    own = [layer for layer in deployed.head if isinstance(layer, nn.Linear)]
    for layer, trained in zip(own, head, strict=True):
        layer.load_state_dict(trained.state_dict())
    if deployed.units is not None and network.units is not None:
        deployed.units.load_state_dict(network.units.state_dict())
    return deployed


def _projected(network: Network) -> tuple[Tensor, Tensor, bool]:
    """Weight (d, inputs) and bias (d,) of projection and batch norm; whether they are all of it.

    Float64. A projection without weights gives empty ones; so do unit rows, which are not linear.
    """
    layer = _weighted(network.projection)
    if layer is None:
        return torch.empty(0, 0), torch.empty(0), False
    assert layer.bias is not None
    weight, bias = layer.weight.flatten(1).double(), layer.bias.double()
    after = network.post
    if isinstance(after, nn.BatchNorm1d):
        mean, variance = cast(Tensor, after.running_mean), cast(Tensor, after.running_var)
        gain = (variance.double() + after.eps).rsqrt()
        gain = gain if after.weight is None else gain * after.weight.double()
        shift = 0.0 if after.bias is None else after.bias.double()
        return weight * gain[:, None], (bias - mean.double()) * gain + shift, True
    return weight, bias, isinstance(after, nn.Identity)


def _merging_saves(projection: Tensor, first: Tensor) -> bool:
    dim, inputs = projection.shape
    return (inputs + 1) * len(first) <= (inputs + 1) * dim + (dim + 1) * len(first)


def _after(layer: nn.Linear, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    own = layer.weight.double()
    return own @ weight, own @ bias + layer.bias.double()


def _weighted(projection: nn.Module) -> nn.Linear | nn.Conv2d | None:
    for layer in projection.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            return layer
    return None
