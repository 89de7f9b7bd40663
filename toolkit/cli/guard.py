"""What happens when a command does not end well: one line, a hint, an exit code."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TextIO, TypeVar, cast

import typer

from toolkit.base.errors import ExitCode, ToolkitError, ToolkitWarning
from toolkit.base.interruption import unwinding
from toolkit.base.secrets import masked

P = ParamSpec("P")
T = TypeVar("T")
_FORMAT = warnings.formatwarning
_folders: list[Path] = []
_GONE = (errno.EPIPE, errno.EIO, errno.ENXIO)
"""What writing to a pipe without a reader, or to a terminal that is gone, answers."""
_STREAMS = {"<stdout>": "standard output", "<stderr>": "standard error"}
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


_PATH_FAULTS = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)


def working_in(folder: Path) -> None:
    """Tell where the traceback of an unexpected error belongs."""
    _folders.append(folder)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """A command that answers its errors as the `toolkit` command does.

    An error of the user's is one line and a hint, without traceback. An unexpected one is one line
    that says where its traceback was written. A reader that went away (`| head`) is no error.
    """

    @wraps(command)
    def answering(*args: P.args, **kwargs: P.kwargs) -> None:
        warnings.formatwarning = _in_one_line
        try:
            _require_working_folder()
            with unwinding():
                command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort):
            raise
        except ToolkitError as error:
            say_error(error.message, error.hint)
            sys.exit(int(error.exit_code))
        except BrokenPipeError:
            silence(sys.stdout)
            sys.exit(int(ExitCode.OK))
        except KeyboardInterrupt as stop:
            from toolkit import RunInterrupted

            if isinstance(stop, RunInterrupted):
                _say_how_to_go_on(stop.exit_code)
                sys.exit(stop.exit_code)
            say_error("Interrupted.")
            sys.exit(130)
        except Exception as error:
            _say_unforeseen(error)
            sys.exit(int(ExitCode.ENGINE))

    return answering


def _in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A plugin's warning to the user; others keep the place they come from."""
    if issubclass(category, ToolkitWarning):
        return f"warning: {masked(str(message))}\n"
    return _FORMAT(message, category, filename, lineno, line)


def _say_how_to_go_on(code: int) -> None:
    how = "by Ctrl-C" if code == 130 else "by a signal"
    words = shlex.join(["toolkit", *_without_extensions(sys.argv[1:])])
    typer.secho(f"Stopped {how}; nothing is lost. To go on:\n  {words}", err=True)


def _without_extensions(words: Sequence[str]) -> list[str]:
    """A command without `--extend`: what it adds has been added, and would be once more."""
    kept = [word for word in words if not word.startswith("--extend=")]
    while "--extend" in kept:
        place = kept.index("--extend")
        del kept[place : place + 2]
    return kept


def _say_unforeseen(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
        place = error.filename or (_folders[-1] if _folders else "standard output")
        hint = "Check the disk's space and permissions."
        if place in _STREAMS.values():
            hint = "Send it to another file, or make room where it goes."
        say_error(f"{place}: {error.strerror}.", hint)
        return
    if isinstance(error, OSError) and error.errno in _PATH_FAULTS and error.filename:
        say_error(f"{error.filename}: {error.strerror}.", "Give another path, or mend this one.")
        return
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        say_error("The working folder is not there any more.", "Change into another one.")
        return
    first_line = (str(error).splitlines() or [""])[0]
    say_error(
        f"Unexpected {type(error).__name__}: {first_line}",
        f"This is a defect of the toolkit or of a plugin; its traceback is in {_keep_traceback()}",
    )


def _require_working_folder() -> None:
    """Refuses to begin where paths mean nothing, and some libraries cannot be loaded."""
    if not _has_working_folder():
        raise ToolkitError(
            "The working folder is not there any more.", hint="Change into another one."
        )


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def say_error(message: str, hint: str = "") -> None:
    """Print an error, and what to do about it, on standard error."""
    colour = None if "NO_COLOR" not in os.environ else False
    typer.secho(f"error: {masked(message)}", fg="red", err=True, color=colour)
    if hint:
        typer.secho(f"hint: {masked(hint)}", err=True, color=colour)


def tolerate(stream: TextIO) -> TextIO:
    """A stream whose reader may go away, or be no good at some characters, without ending a run."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return cast(TextIO, _Tolerant(stream))


class _Tolerant:
    """Writes as long as somebody reads; then what is written goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._try(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        self._try(self._stream.flush, None)

    def _try(self, act: Callable[[], T], otherwise: T) -> T:
        try:
            return act()
        except OSError as error:
            if error.errno not in _GONE:
                name = getattr(self._stream, "name", "")
                error.filename = _STREAMS.get(name, name)
                raise
            silence(self._stream)
            return otherwise


def silence(stream: TextIO) -> None:
    """Let what is still to be written to a stream nobody reads any more go nowhere."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _keep_traceback() -> Path:
    import tempfile

    text = masked(traceback.format_exc())
    for folder in reversed(_folders):
        if folder.is_dir():
            log = folder / "engine.log"
            with suppress(OSError), log.open("a", encoding="utf-8") as stream:
                stream.write(text)
                return log
    try:
        descriptor, name = tempfile.mkstemp(prefix="toolkit-error-", suffix=".log")
    except OSError:  # There is no folder for temporary files.
        typer.echo(text, err=True)
        return Path("what is above")
    os.close(descriptor)
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)
