"""Optional compiled kernels. Without them, or where they do not apply, torch does the work.

The environment variable ``TOOLKIT_SPD_KERNEL`` chooses: ``auto`` (default), ``off``, or the
instruction set ``baseline``, ``avx2`` or ``avx512`` if the processor has it. ``off`` holds for a
GPU's as well.
"""

from functools import partial

from .eigh import batched_eigh
from .library import available
from .loewner import exp_divided, log_divided

__all__ = ["available", "batched_eigh", "exp_divided", "install", "log_divided"]


def install() -> bool:
    """Make the layers compute with the kernels; return whether the CPU's are available.

    Those of a GPU are built when the first matrices come that lie there.
    """
    from ..functional import spectral

    spectral.eigendecompose = batched_eigh
    if not available():
        return False
    for name, compiled in (("log_divided", log_divided), ("exp_divided", exp_divided)):
        plain = getattr(spectral, name, None)
        if plain is not None and not isinstance(plain, partial):
            setattr(spectral, name, partial(compiled, fallback=plain))
    return True
