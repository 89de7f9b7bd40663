"""Several heads at once, weighted: what a supernet ends in that searches for one."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ..maps import SpdMap


class HeadMixture(nn.Module):
    """The weighted sum of the scores of several heads.

    Parameters
    ----------
    heads : mapping
        Heads by name, in the order of the weights.
    """

    def __init__(self, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.choices = nn.ModuleDict(heads)

    def forward(self, x: SpdMap, weights: Tensor, active: Sequence[bool]) -> Tensor:
        """Map (B, C, n, n) to scores (B, classes); heads that are not active are left out."""
        pairs = zip(self.choices.values(), weights.unbind(), active, strict=True)
        terms = [weight * head(x) for head, weight, on in pairs if on]
        total: Tensor = sum(terms[1:], terms[0])
        return total
