"""What POSIX systems alone offer. Where it is missing, importing this says so in a sentence."""

from __future__ import annotations

import sys

from toolkit.base.errors import ToolkitError

try:
    import fcntl
    import resource
except ModuleNotFoundError as missing:
    raise ToolkitError(
        f"This needs Linux or another POSIX system; the Python here is for"
        f" {sys.platform}: {missing}.",
        hint="On Windows, install and run the toolkit inside WSL 2.",
    ) from missing

__all__ = ["fcntl", "resource"]
