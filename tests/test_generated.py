"""What scripts/generate_docs.py makes of the code is current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_references_and_completions_are_current() -> None:
    script = Path(__file__).parent.parent / "scripts" / "generate_docs.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}Run: python scripts/generate_docs.py"
