"""The engine's handle on one running manager: its guard process and the socket of its trials."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import toolkit
from toolkit.base.files import remove_tree
from toolkit.contracts.coding import MessageError
from toolkit.errors import RecipeError
from toolkit.executors.channel import Channel
from toolkit_nni.manager.messages import (
    GUARD_WORD,
    OWN_HOME,
    SOCKET,
    TOKEN,
    EndManager,
    GuardWord,
    ManagerBroken,
)

PORT = "TOOLKIT_NNI_PORT"
"""Environment variable with the port of NNI's web page; a free one by default."""
STOP_S = 25.0
"""Time the guard has to end the manager in an orderly way."""
KILL_S = 10.0


class ManagerHandle:
    """Starts a guard, which starts NNI's manager; returns at once.

    Args:
        folder: where the experiment's folder is made, and `guard.log`.
        name: of the experiment.
        concurrency: trials at once.
        optimize_mode: `"maximize"` or `"minimize"`.
        port: of the web page, or None for a free one.
    """

    def __init__(
        self, folder: Path, name: str, concurrency: int, optimize_mode: str, port: int | None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # A socket's path may have a hundred characters, and a run folder's more.
        place = Path(tempfile.mkdtemp(prefix="toolkit-nni-")) / "engine"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(place))
        self.listener.listen(128)
        events, written = os.pipe()
        control, commands = os.pipe()
        trial = [sys.executable, "-P", "-m", "toolkit_nni.manager.trial"]
        settings = {
            "events": written,
            "port": port,
            "socket": str(place),
            "name": name,
            "folder": str(folder.absolute()),
            "concurrency": concurrency,
            "command": shlex.join(["exec", *trial]),
            "working_directory": str(Path.cwd()),
            "optimize_mode": optimize_mode,
        }
        self._place = place
        self.token = secrets.token_urlsafe(24)
        with (folder / "guard.log").open("ab") as log:
            self.guard = subprocess.Popen(
                [sys.executable, "-P", "-m", "toolkit_nni.manager.guard", json.dumps(settings)],
                pass_fds=(written,),
                stdin=control,
                stdout=log,
                stderr=log,
                env=_environment(folder, place, self.token),
                start_new_session=True,
            )
        os.close(written)
        os.close(control)
        self.channel = Channel(events, commands)

    def accept(self) -> Channel:
        """The connection of a tuner or trial that waits for it."""
        return Channel.over(self.listener.accept()[0])

    def write_address(self, path: Path, port: int) -> None:
        """Writes the address of the web page, its token included, for this user's eyes alone."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"http://127.0.0.1:{port}/?token={self.token}\n")

    def words(self) -> Iterator[GuardWord]:
        """What the guard has said by now; `ManagerBroken` where it is gone itself."""
        try:
            yield from self.channel.receive(GUARD_WORD, wait=False)
        except MessageError as error:
            yield ManagerBroken(f"the process that watches it wrote {error}")
        if not self.channel.open:
            yield ManagerBroken("the process that watches it ended")

    def end(self, *, orderly: bool) -> None:
        """End the manager and all below it; `orderly` lets it write its last state first."""
        with suppress(subprocess.TimeoutExpired):
            if orderly and self.channel.send(EndManager()):
                self.guard.wait(STOP_S)
        self.channel.close()
        with suppress(subprocess.TimeoutExpired):
            self.guard.wait(KILL_S)
        if self.guard.poll() is None:
            self.guard.kill()
            self.guard.wait()
        self.listener.close()
        remove_tree(self._place.parent, self._place.parent.parent)


def _environment(folder: Path, place: Path, token: str) -> dict[str, str]:
    """That of the manager: what NNI keeps in a user's home stays in the run folder."""
    home = folder.absolute() / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), OWN_HOME: os.environ.get("HOME", "")}
    variables = {SOCKET: str(place), TOKEN: token, "PYTHONPATH": _python_path()}
    return {**os.environ, **own, **variables}


def wanted_port() -> int | None:
    """The port the user asked for, or None.

    Raises:
        RecipeError: it is none, or somebody listens on it.
    """
    text = os.environ.get(PORT, "")
    if not text:
        return None
    if not (text.isdecimal() and 0 < int(text) < 1 << 16):
        raise RecipeError(f"{PORT}: {text!r} is no port, expected a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise RecipeError(
                f"{PORT}: port {text} cannot be used for NNI's web page: {error.strerror}.",
                hint=f"Choose another, or unset {PORT} to have a free one found.",
            ) from error
    return int(text)


def _python_path() -> str:
    """Where this very toolkit is found, also by processes that NNI starts."""
    own = Path(__file__).parents[2]
    roots = [str(own), str(Path(toolkit.__file__).parents[1])]
    installed = own.name in ("site-packages", "dist-packages")
    known = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, [*([] if installed else roots), known]))
