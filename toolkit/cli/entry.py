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
    from toolkit.cli.completion.scripts import VARIABLE

    shell = os.environ.get(VARIABLE)
    if shell:
        from toolkit.cli.completion.words import answer

        sys.stdout.write("".join(f"{word}\n" for word in answer(sys.argv[1:], shell)))
        return
    from toolkit.cli.app import main as run

    run()
