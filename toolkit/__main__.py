"""The `toolkit` command, and `python -m toolkit`: words for a shell, or the command line.

Ctrl-C is heeded before anything heavy is imported.
"""

from __future__ import annotations

import os
import sys

from toolkit.base.interruption import heed
from toolkit.completion.scripts import VARIABLE


def main() -> None:
    """Answers a shell that asks for words at once; else runs the command line."""
    heed()
    shell = os.environ.get(VARIABLE)
    if shell:
        from toolkit.completion.words import answer

        sys.stdout.write("".join(f"{word}\n" for word in answer(sys.argv[1:], shell)))
        return
    from toolkit.cli import main as run

    run()


if __name__ == "__main__":
    main()
