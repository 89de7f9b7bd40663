"""Where the `toolkit` command begins: words for a shell, or the command line.

Ctrl-C is heeded before anything heavy is imported.
"""

from __future__ import annotations

import os
import sys

from toolkit.base.interruption import heed


def main() -> None:
    """Answers a shell that asks for words at once; else runs the command line."""
    heed()
    _look_for_garbage_less()
    from toolkit.cli.completion.scripts import VARIABLE

    shell = os.environ.get(VARIABLE)
    if shell:
        from toolkit.cli.completion.words import answer

        sys.stdout.write("".join(f"{word}\n" for word in answer(sys.argv[1:], shell)))
        return
    from toolkit.cli.app import main as run

    run()


def _look_for_garbage_less() -> None:
    """Saves a third of the time that imports and the end of Python take once torch is in.

    What is imported stays, so that to look through it again and again finds nothing, and at the end
    the system takes all memory back at once.
    """
    import atexit
    import gc

    gc.set_threshold(10_000, 20, 50)
    atexit.register(gc.freeze)
