"""Calls into plugins from the engine's loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.errors import PluginError, ToolkitError
from toolkit.registry import describe_failure

logger = logging.getLogger(__name__)


@contextmanager
def plugin_code(what: str) -> Iterator[None]:
    """Says which plugin's code an unforeseen error came from; its traceback goes to engine.log."""
    try:
        yield
    except ToolkitError:
        raise
    except Exception as error:
        logger.exception("%s failed", what)
        raise PluginError(
            f"{what} failed: {describe_failure(error)}.", hint="The traceback is in engine.log."
        ) from error
