"""AdaMod."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch


class AdaMod(torch.optim.Optimizer):
    r"""Adam whose step of each weight is bounded by its own long-term mean.

    With :math:`\eta_t = lr / (\sqrt{\hat v_t} + \epsilon)` and
    :math:`b_t = \beta_3 b_{t-1} + (1 - \beta_3) \eta_t`, the step is
    :math:`\min(\eta_t, b_t) \hat m_t` (Ding et al., "An adaptive and momental bound method for
    stochastic learning", 2019). Weight decay is decoupled.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "beta3": beta3,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            for name in ("first", "second", "bound"):
                state[name] = torch.zeros_like(parameter)
        (beta1, beta2), beta3 = group["betas"], group["beta3"]
        gradient = parameter.grad
        assert gradient is not None
        state["step"] += 1
        step = state["step"].item()
        state["first"].lerp_(gradient, 1 - beta1)
        state["second"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (state["second"] / (1 - beta2**step)).sqrt_().add_(group["eps"])
        rate = group["lr"] / root
        state["bound"].lerp_(rate, 1 - beta3)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        bounded = torch.minimum(rate, state["bound"])
        parameter.addcmul_(bounded, state["first"], value=-1 / (1 - beta1**step))
