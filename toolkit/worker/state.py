"""The state of a worker's process: seeded for each job, and after it as it was before."""

from __future__ import annotations

import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.base.posix import resource

_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CORE,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_STACK,
)


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

    That is the working folder, the environment, the umask, the locale, where modules are imported
    from, filters of warnings, levels of logging, handlers of signals, timers, limits of resources,
    the depth of recursion, the collection of garbage, the timeout of sockets and the precision of
    decimals; NumPy's answers to floating-point errors and its print options; and torch's default
    dtype and device, gradient mode, anomaly mode, deterministic algorithms, choice of cuDNN and
    oneDNN kernels, precision of matrix products, flushing of denormal numbers and number of
    threads. Seeds are not restored: each job sets its own.
    """
    import numpy as np
    import torch
    from torch.backends import cudnn, mkldnn

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
        keep(_flushes_denormals, torch.set_flush_denormal)
        keep(np.get_printoptions, lambda options: np.set_printoptions(**options))
        for name in ("enabled", "benchmark", "deterministic", "allow_tf32"):
            later.callback(setattr, cudnn, name, getattr(cudnn, name))
        later.callback(setattr, mkldnn, "enabled", mkldnn.enabled)
        _keep_of_python(keep, later)
        yield


def _keep_of_python(keep: Callable[..., None], later: ExitStack) -> None:
    """What `restored` keeps of the interpreter and its standard library."""
    import decimal

    later.callback(_put_list, sys.path, list(sys.path))
    later.enter_context(warnings.catch_warnings())
    later.callback(_put_list, logging.root.handlers, list(logging.root.handlers))
    later.callback(logging.root.setLevel, logging.root.level)
    later.callback(logging.disable, logging.root.manager.disable)
    later.callback(decimal.setcontext, decimal.getcontext().copy())
    keep(sys.getrecursionlimit, sys.setrecursionlimit)
    keep(gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable())
    keep(socket.getdefaulttimeout, socket.setdefaulttimeout)
    keep(partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL))
    for limit in _LIMITS:
        keep(partial(resource.getrlimit, limit), partial(_put_limit, limit))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        if signal.getitimer(timer) == (0.0, 0.0):  # Whoever has set one needs it yet.
            later.callback(signal.setitimer, timer, 0)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD):
            keep(partial(signal.getsignal, number), partial(_put_handler, number))


def _put_list(held: list[Any], before: list[Any]) -> None:
    held[:] = before


def _put_limit(limit: int, before: tuple[int, int]) -> None:
    with suppress(ValueError, OSError):  # Only root may raise a hard limit again.
        resource.setrlimit(limit, before)


def _put_handler(number: signal.Signals, before: Any) -> None:
    if before is not None:  # None: it was not set by Python, which cannot put it back.
        signal.signal(number, before)


def _flushes_denormals() -> bool:
    return sys.float_info.min / 2 == 0


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
