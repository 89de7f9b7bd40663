"""Failures of plugins' code: told as the plugin's, in one line, with their place."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from toolkit.base.errors import PluginError, ToolkitError
from toolkit.base.interruption import StopRequest
from toolkit.base.plain import shortened, shown, text_of

T = TypeVar("T")
_LONGEST = 2000
"""Characters of a message; a traceback in engine.log has more."""
_HERE = str(Path(__file__).parent)
_at_work = threading.local()
_LOGGER = logging.getLogger("toolkit")


@contextmanager
def plugin_code(what: str) -> Iterator[None]:
    """Runs a plugin's code, and names it in the errors that it did not foresee.

    In a run the traceback goes to engine.log, which then handles the toolkit's log. A process that
    the code has forked and that comes back from it ends here: it would be a second engine.

    Args:
        what: the code, such as `strategy.ask`.

    Raises:
        PluginError: the code raised what is no `ToolkitError`, and no request to stop.
    """
    before, process = code_at_work(), os.getpid()
    _at_work.what = what
    try:
        yield
    except ToolkitError:
        raise
    except (KeyboardInterrupt, StopRequest):
        raise
    except BaseException as error:
        hint = "The fault is in that plugin."
        if _LOGGER.handlers:
            _LOGGER.exception("%s failed", what)
            hint = "The traceback is in engine.log."
        raise PluginError(f"{what} failed: {describe_failure(error)}.", hint=hint) from error
    finally:
        if os.getpid() != process:
            os._exit(1)
        _at_work.what = before


def checked(given: Any, kind: type[T]) -> T:
    """Returns what a plugin's code, the one at work, has returned.

    Raises:
        PluginError: it is of another type.
    """
    if isinstance(given, kind):
        return given
    raise PluginError(f"{code_at_work()} returned {shown(given)}, expected {kind.__name__}.")


def code_at_work() -> str:
    """Returns which plugin's code this thread runs, such as `strategy.ask`; empty where none."""
    return getattr(_at_work, "what", "")


def describe_failure(error: BaseException) -> str:
    """An exception out of a plugin's code in one line, with the place it came from."""
    if isinstance(error, ToolkitError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}:{error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith(_HERE)
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = shortened(" ".join(text_of(error).split()), _LONGEST)
    return f"{type(error).__name__}: {text}{place}"
