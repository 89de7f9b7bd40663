"""How a job ends that has stopped or raised, told apart by what a run has to do next."""

from __future__ import annotations

import ctypes
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from toolkit.base.errors import ExitCode, ToolkitError
from toolkit.base.plain import encodable, shortened, text_of
from toolkit.base.room import LEAST, free_bytes, tells_of_full_disk
from toolkit.contracts import Fault, Outcome, TrialState

_STOPPED = {"pruned": TrialState.PRUNED, "drain": TrialState.QUEUED}


def stopped(reason: str, asked: bool) -> Outcome:
    """How a job ends that its code has stopped; on its own account it may be pruned alone."""
    if not asked and reason != "pruned":
        error = f"Its code raised StopTrial({reason!r}), though it was not asked to stop."
        return Outcome(TrialState.FAILED, error=shortened(error))
    return Outcome(_STOPPED.get(reason, TrialState.PRUNED))


def raised(error: BaseException, folder: Path) -> Outcome:
    """How a job ends that has raised; one that found a disk full is to be gone on with."""
    if tells_of_full_disk(error) or free_bytes(folder) < LEAST:
        return Outcome(
            TrialState.QUEUED, error=f"A disk is full ({shortened(text_of(error), 500)})."
        )
    if isinstance(error, ToolkitError):
        message, hint = encodable(error.message), encodable(error.hint)
        known = error.exit_code in tuple(ExitCode)
        fault = Fault(message, hint, error.exit_code if known else ExitCode.PLUGIN)
        return Outcome(TrialState.FAILED, error=text_of(error), fault=fault)
    short = _what_ran_out(error)
    state = TrialState.OOM if short else TrialState.FAILED
    text = f"{short}\n{traceback.format_exc()}" if short else traceback.format_exc()
    return Outcome(state, error=encodable(text.rstrip()))


def _what_ran_out(error: BaseException) -> str:
    """Says which memory an error tells of that it ran out, the GPU's or the host's, if any."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return "The GPU's memory (CUDA) ran out: a smaller batch or model needs less of it."
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in text_of(error)
    ):
        return "The host's memory ran out: a smaller batch or model needs less of it."
    return ""


def free_memory() -> None:
    """Gives back what memory a job that ran out of it has left taken."""
    import gc

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim_memory()


def trim_memory() -> None:
    """Gives freed memory back to the system, which glibc would keep for this process."""
    with suppress(AttributeError, OSError):  # Another C library has no such function.
        ctypes.CDLL(None).malloc_trim(0)
