"""Ctrl-C at any moment: exit code 130, no traceback, nothing left at work."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from light_workers import NO_TENSORS
from toolkit.base import interruption

pytestmark = pytest.mark.faults
STRATEGY = """
import ctypes
import time

from toolkit import contracts


class HangOptions(contracts.Options):
    how: str


class Hang(contracts.Strategy):
    Options = HangOptions

    def setup(self, context):
        pass

    def tell(self, trial, state, values):
        pass

    def ask(self):
        open("asked", "w").close()
        if self.options.how == "swallow":
            while True:
                try:
                    time.sleep(3600)
                except BaseException:
                    pass
        if self.options.how == "library":  # no Python code runs again, signal or not
            libc, mutex, condition = ctypes.CDLL(None), *map(ctypes.create_string_buffer, (64, 64))
            libc.pthread_mutex_lock(mutex)
            libc.pthread_cond_wait(condition, mutex)
"""
TINY = Path(__file__).with_name("tiny_plugin")


@pytest.mark.parametrize("how", ["swallow", "library"])
def test_a_hanging_ask_ends_at_the_second_ctrl_c(
    how: str,
    tmp_path: Path,
    run: Any,
    children_of: Callable[[int], list[int]],
    left_behind: Callable[[list[int]], list[int]],
) -> None:
    plugin = tmp_path / "hang.py"
    plugin.write_text(STRATEGY)
    command = [sys.executable, "-m", "toolkit", "search", str(run.recipe), "-o", str(run.folder)]
    found = [NO_TENSORS, Path(__file__).parents[3]]  # Nothing is computed.
    options = [
        "--plugin",
        str(TINY),
        "--plugin",
        str(plugin),
        f"strategy={{name: hang, how: {how}}}",
    ]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **run.environment, "PYTHONPATH": os.pathsep.join(map(str, found))},
    )
    run.processes.append(process)
    until = time.monotonic() + 60
    while not (tmp_path / "asked").exists() and time.monotonic() < until:
        time.sleep(0.05)
    workers = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the first one waits for what runs"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert left_behind(workers) == []


@pytest.mark.parametrize("moment", ["while modules are loaded", "in a destructor", "in a command"])
def test_ctrl_c_at_the_start_ends_a_command_with_130(moment: str, tmp_path: Path) -> None:
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "typer.py").write_text(
        f"try:\n    {kill}; import time; time.sleep(60)\nexcept BaseException:\n    pass\n"
    )
    code = {
        "while modules are loaded": "from toolkit.cli.entry import main; main()",
        "in a destructor": "class Thing:\n"
        f"    def __del__(self):\n        {kill}\n        for _ in range(99): pass\n"
        "from toolkit.base import interruption as i\n"
        "i.heed()\nwith i.unwinding():\n    Thing()\nprint('survived')",
        "in a command": "from toolkit.base import interruption as i\n"
        "i.heed()\nwith i.unwinding():\n    try:\n"
        f"        {kill}\n        for _ in range(99): pass\n"
        f"    except KeyboardInterrupt:\n        {kill}\nprint('survived')",
    }[moment]
    path = os.pathsep.join([str(tmp_path), str(Path(interruption.__file__).parents[2])])
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "error: Interrupted.\n"


def test_little_is_imported_before_ctrl_c_is_heeded() -> None:
    root = Path(interruption.__file__).parents[1]
    found: set[str] = set()
    for name in ("__init__.py", "cli/__init__.py", "cli/entry.py", "base/interruption.py"):
        for node in ast.parse((root / name).read_text()).body:
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    own = {name for name in found if name.startswith("toolkit")}
    assert own == {"toolkit.base.interruption"}
    assert found - own == {"__future__", "contextlib", "importlib", "os", "signal", "sys"}


def test_an_ignored_ctrl_c_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interruption.heed()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
