"""Riemannian SGD and Adam over Stiefel, SPD and Euclidean parameters in one optimiser.

Parameters say by their class where they live (`manifolds`). All matrices of one manifold and shape
are moved together by batched products and one batched retraction.

Tangent vectors, and with them momenta, are kept in coordinates whose norm is the Riemannian one:

- Stiefel: ambient, projected again at each new point (embedded metric);
- SPD: whitened, :math:`P^{1/2} \\operatorname{sym}(G) P^{1/2}` for a Euclidean gradient G. Keeping
  these numbers from one point to the next is an isometric vector transport.

Adam follows Bécigneul and Ganea (ICLR 2019): the second moment of a matrix is one number, the mean
square of its gradient's coordinates, so that the step is a tangent vector.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .functional.congruence import congruence
from .functional.spectral import EXP, SQRT, spectral, symmetrize
from .functional.stiefel import project_tangent, retract_cholesky, retract_qr
from .manifolds import SpdParameter, StiefelParameter

_LARGEST_QR = 30
"""Above this many rows the Cholesky form of the QR retraction is the faster."""


class EuclideanStep:
    """Plain steps for one parameter of any shape."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameters = [parameter]
        self.point: Tensor = parameter.detach()

    def coordinates(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the gradient."""
        return gradients[0]

    def transported(self, momentum: Tensor) -> Tensor:
        """Return a momentum of the last point, seen at this one."""
        return momentum

    def mean_square(self, tangent: Tensor) -> Tensor:
        """Return each entry's square."""
        return tangent.square()

    def move(self, tangent: Tensor, length: float) -> None:
        """Go along a tangent vector."""
        self.point.add_(tangent, alpha=length)


class MatrixStep:
    """Steps for all matrices of one manifold and one shape (..., n, m), as one (N, n, m)."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.point = self._gather([parameter.detach() for parameter in parameters])

    @staticmethod
    def _gather(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([each.reshape(-1, *each.shape[-2:]) for each in tensors])

    def _scatter(self, point: Tensor) -> None:
        sizes = [each.numel() // point[0].numel() for each in self.parameters]
        for parameter, piece in zip(self.parameters, point.split(sizes), strict=True):
            parameter.detach().copy_(piece.view_as(parameter))

    def mean_square(self, tangent: Tensor) -> Tensor:
        """Return one number a matrix, (N, 1, 1)."""
        return tangent.square().mean((-2, -1), keepdim=True)


class StiefelStep(MatrixStep):
    """Tangent projection and QR retraction."""

    def coordinates(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the Riemannian gradient (N, n, m)."""
        return project_tangent(self.point, self._gather(gradients))

    def transported(self, momentum: Tensor) -> Tensor:
        """Return a momentum of the last point, projected at this one."""
        return project_tangent(self.point, momentum)

    def move(self, tangent: Tensor, length: float) -> None:
        """Go along a tangent vector and retract."""
        retract = retract_qr if tangent.shape[-2] <= _LARGEST_QR else retract_cholesky
        self._scatter(retract(self.point + length * tangent))


class SpdStep(MatrixStep):
    """Whitened gradient and the exponential map of the affine-invariant metric."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters)
        self.root = spectral(self.point, SQRT)[0]

    def coordinates(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return the whitened Riemannian gradient (N, n, n)."""
        return congruence(self.root, symmetrize(self._gather(gradients)))

    def transported(self, momentum: Tensor) -> Tensor:
        """Return a momentum of the last point, in this point's frame."""
        return momentum

    def move(self, tangent: Tensor, length: float) -> None:
        """Go along the geodesic."""
        self._scatter(congruence(self.root, spectral(length * tangent, EXP)[0]))


Step = EuclideanStep | StiefelStep | SpdStep


def plan_steps(parameters: Iterable[nn.Parameter]) -> list[Step]:
    """Group parameters into steps: matrices by manifold, shape and type, others one by one."""
    steps: list[Step] = []
    matrices: dict[tuple[Any, ...], list[nn.Parameter]] = {}
    for parameter in parameters:
        if isinstance(parameter, StiefelParameter | SpdParameter):
            key = (type(parameter), parameter.shape[-2:], parameter.dtype, parameter.device)
            matrices.setdefault(key, []).append(parameter)
        else:
            steps.append(EuclideanStep(parameter))
    for (manifold, *_), group in matrices.items():
        steps.append(StiefelStep(group) if manifold is StiefelParameter else SpdStep(group))
    return steps


@torch.no_grad()
def move_parameters(
    parameters: Sequence[nn.Parameter], directions: Sequence[Tensor], step: float
) -> None:
    """Move each parameter by `-step` times the Riemannian gradient that its direction stands for.

    Parameters
    ----------
    parameters, directions : sequences
        Parameters, moved in place on their manifolds, and Euclidean gradients of their shapes.
    step : float
        Step length.
    """
    by_parameter = {id(each): way for each, way in zip(parameters, directions, strict=True)}
    for each in plan_steps(parameters):
        tangent = each.coordinates([by_parameter[id(owner)] for owner in each.parameters])
        each.move(tangent, -step)


class RiemannianOptimizer(Optimizer):
    """What SGD and Adam share: grouping, and state kept with each parameter.

    State lives with each parameter, in its own shape, so that state dictionaries do not depend on
    the grouping and a parameter without gradient is simply left out of a step.
    """

    def _advance(self, step: Step, group: dict[str, Any]) -> None:
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step along the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for step in plan_steps(each for each in group["params"] if each.grad is not None):
                self._advance(step, group)
        return loss

    def _gradient(self, step: Step, weight_decay: float) -> Tensor:
        gradients = [cast(Tensor, each.grad) for each in step.parameters]
        if weight_decay and isinstance(step, EuclideanStep):
            gradients = [gradients[0] + weight_decay * step.point]
        return step.coordinates(gradients)

    def _load(self, step: Step, name: str, like: Tensor) -> Tensor:
        """Read one state tensor of the step's parameters; zeros where there is none yet."""
        pieces = []
        for parameter in step.parameters:
            state = self.state[parameter]
            if name not in state:
                euclidean = isinstance(step, EuclideanStep)
                matrices = (math.prod(parameter.shape[:-2]), *like.shape[1:])
                state[name] = like.new_zeros(like.shape if euclidean else matrices)
            pieces.append(state[name])
        return pieces[0] if isinstance(step, EuclideanStep) else torch.cat(pieces)

    def _store(self, step: Step, name: str, value: Tensor) -> None:
        if isinstance(step, EuclideanStep):
            self.state[step.parameters[0]][name] = value
            return
        sizes = [len(self.state[parameter][name]) for parameter in step.parameters]
        for parameter, piece in zip(step.parameters, value.split(sizes), strict=True):
            self.state[parameter][name] = piece.clone()


class RiemannianSGD(RiemannianOptimizer):
    """Stochastic gradient descent with momentum on the parameters' own manifolds.

    Parameters
    ----------
    params : iterable
        Parameters or groups, as for any optimiser.
    lr : float
        Learning rate.
    momentum : float
        Share of the last direction that is kept.
    weight_decay : float
        Euclidean parameters only.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.025,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def _advance(self, step: Step, group: dict[str, Any]) -> None:
        direction = self._gradient(step, group["weight_decay"])
        if group["momentum"]:
            last = step.transported(self._load(step, "momentum", direction))
            direction = group["momentum"] * last + direction
            self._store(step, "momentum", direction)
        step.move(direction, -group["lr"])


class RiemannianAdam(RiemannianOptimizer):
    """Adam on the parameters' own manifolds (Bécigneul and Ganea, ICLR 2019).

    Parameters
    ----------
    params : iterable
        Parameters or groups, as for any optimiser.
    lr : float
        Learning rate: the root mean square of the entries of a full step.
    betas : tuple of float
        Decay of the first and second moment.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        Euclidean parameters only, decoupled (as in AdamW).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    def _advance(self, step: Step, group: dict[str, Any]) -> None:
        first, second = group["betas"]
        gradient = self._gradient(step, 0.0)
        momentum = step.transported(self._load(step, "momentum", gradient))
        momentum = momentum.lerp(gradient, 1 - first)
        fresh = step.mean_square(gradient)
        square = self._load(step, "square", fresh).lerp(fresh, 1 - second)
        count = self._load(step, "count", fresh) + 1
        for name, value in (("momentum", momentum), ("square", square), ("count", count)):
            self._store(step, name, value)
        scale = (square / (1 - second**count)).sqrt().add_(group["eps"])
        tangent = momentum / (1 - first**count) / scale
        if group["weight_decay"] and isinstance(step, EuclideanStep):
            step.point.mul_(1 - group["lr"] * group["weight_decay"])
        step.move(tangent, -group["lr"])
