"""The state of a worker's process: seeded for each job, and after it as it was before."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def seed_everything(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def restored() -> Iterator[None]:
    """Restores at its end what code often sets for the whole process and forgets.

    That is the working folder, the environment, the umask, NumPy's answers to floating-point
    errors, and torch's default dtype and device, gradient mode, anomaly mode, deterministic
    algorithms, choice of cuDNN kernels, precision of matrix products and number of threads. Seeds
    are not restored: each job sets its own.
    """
    import numpy as np
    import torch
    from torch.backends import cudnn

    with ExitStack() as later:

        def keep(get: Callable[[], object], put: Callable[..., object]) -> None:
            value = get()
            later.callback(lambda: get() == value or put(value))

        later.callback(_put_environment, dict(os.environ))
        with suppress(OSError):  # The folder may have been removed, before the job or by it.
            later.callback(_put_folder, Path.cwd())
        later.callback(os.umask, _umask())
        keep(np.geterr, lambda errors: np.seterr(**errors))
        keep(torch.get_default_dtype, torch.set_default_dtype)
        keep(torch.get_default_device, _put_default_device)
        keep(torch.is_grad_enabled, torch.set_grad_enabled)
        keep(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly)
        keep(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode)
        keep(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
        keep(torch.get_num_threads, torch.set_num_threads)
        for name in ("enabled", "benchmark", "deterministic"):
            later.callback(setattr, cudnn, name, getattr(cudnn, name))
        yield


def _put_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _put_folder(before: Path) -> None:
    with suppress(OSError):
        os.chdir(before)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _put_default_device(before: object) -> None:
    import torch

    # None takes the default away: a device set by name would slow every call that makes a tensor.
    torch.set_default_device(None if str(before) == "cpu" else str(before))
