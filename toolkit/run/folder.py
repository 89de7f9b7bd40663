"""The run folder: what lies where in it, and whose recipe it belongs to."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.base.errors import DamagedLedgerError, RecipeError, ResumeError
from toolkit.base.files import (
    is_inside,
    read_within,
    remove_tree,
    special_kind,
    write_atomically,
)
from toolkit.base.places import NOT_TEXT, fault_of_bytes
from toolkit.base.plain import finite
from toolkit.contracts import Direction
from toolkit.run.content import by_content
from toolkit.run.differences import differing
from toolkit.run.facts import (
    CREATED,
    DATA,
    DIRECTIONS,
    HOLDINGS,
    OBJECTIVES,
    PURPOSE,
    RECIPE,
    SMOKE_JOB,
    SMOKE_PASSED,
)
from toolkit.run.holdings import differences_in_words
from toolkit.run.ledger import Ledger
from toolkit.run.lock import lock
from toolkit.run.records import Phase, TrialRecord

MAY_CHANGE = (
    "budget.trials",
    "budget.time",
    "budget.total",
    "budget.epochs",
    "budget.failures",
    "resources",
    "sweep.total",
    "track",
)
"""Keys of the recipe (with what is below them) that a resumed run may have other values for."""

SEARCH = PURPOSE.default
"""Purpose of a run that searches."""

Complete: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Compatible: TypeAlias = Callable[[Mapping[str, Any], Collection[str]], Collection[str]]

_ARCHIVE = re.compile(r"\.?[0-9a-f]{8,}\.npz(\.\d+\.part)?")
"""Arrays that a Python program gave."""
_BEFORE_LEDGER: Mapping[str, re.Pattern[bytes] | None] = {
    ".lock": re.compile(rb"(pid \d+ on |$)"),
    "engine.log": re.compile(rb"(\d{4}-\d\d-\d\d [\d:,]{12} |$)"),
    "data": None,
    **dict.fromkeys(f"ledger.sqlite{end}" for end in ("", "-wal", "-shm", "-journal")),
}
"""What a run folder may hold before a ledger has something in it, as where its start was cut short;
with how a file begins that the toolkit wrote."""

_OF_START = ("recipe.yaml", "recipe.resolved.yaml", "manifest.json", "events.jsonl", "report.html")
"""What the start of a run writes beside that."""

SMOKE_FOLDER, PREPARE_FOLDER = Path("trials", "smoke"), Path("trials", "prepare")
"""Within the run folder: of the first batch, and of what a space prepares."""

_PARTS = ("ledger.sqlite", "trials", "final", "best", "data", "exports", "tests")
"""What is written to, or in, and not put in its place as a whole."""
TRIAL_PARTS = ("checkpoint", "metrics.jsonl", "stdout.log", "stderr.log")
"""The same of a trial's folder."""

CHECKPOINT = Path("checkpoint") / "state.pt"
"""Within a trial's folder."""


class RunFolder:
    """Paths of one run.

    ::

        recipe.yaml  recipe.resolved.yaml  manifest.json  ledger.sqlite  events.jsonl  engine.log
        trials/0007-3c9e/  final/found-seed0/  best/  report.html
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.recipe = self.path / "recipe.yaml"
        self.resolved = self.path / "recipe.resolved.yaml"
        self.manifest = self.path / "manifest.json"
        self.ledger = self.path / "ledger.sqlite"
        self.events = self.path / "events.jsonl"
        self.log = self.path / "engine.log"
        self.best = self.path / "best"
        self.report = self.path / "report.html"

    @staticmethod
    def trial_name(phase: Phase, number: int, fingerprint: str, label: str, index: int) -> str:
        """A trial's folder within the run folder; `index` is that of a final training's seed."""
        if phase == "final":
            name = re.sub(r"[^A-Za-z0-9_.-]", "_", label)
            if name != label:  # Two labels never share a folder.
                name += f"-{hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
            return f"final/{name}-seed{index}"
        return f"trials/{number:04d}-{fingerprint[:4]}"

    def trial(self, record: TrialRecord) -> Path:
        """Returns a trial's folder.

        Raises:
            LedgerError: it leads out of the run folder.
        """
        return trial_folder(self.path, record)

    def refuse_foreign(self) -> None:
        """Refuses a folder that holds something, but no run, or whose parts lie elsewhere.

        Raises:
            ResumeError: it does; nothing there is written over.
            LedgerError: a link in it leads out of it.
        """
        if told := fault_of_bytes(self.path):
            raise RecipeError(f"{told}, and cannot be a run folder.", hint=NOT_TEXT)
        refuse_links(self.path, self.path, _PARTS)
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise RecipeError(f"{self.path} is no folder.", hint="Name another one with -o.")
        if Ledger.begun(self.ledger) or not self.path.is_dir() or self.manifest.exists():
            return
        foreign = sorted(p.name for p in self.path.iterdir() if not _may_precede_ledger(p))
        if foreign:
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            raise ResumeError(
                f"{self.path} holds {', '.join(foreign[:3])}{more}, and no run of the toolkit.",
                hint="Name a new or an empty folder with -o; nothing there was touched.",
            )

    def lock(self) -> AbstractContextManager[None]:
        """Holds the folder, so that one engine at a time works on it; see `toolkit.run.lock`."""
        return lock(self.path)

    def take_back(self) -> None:
        """Deletes what the start of a new run has made, where nothing came of it.

        A run whose first batch has passed, that knows of a trial, or that holds a checkpoint stays
        as it is, and so does whatever else lies in the folder.
        """
        with closing(Ledger.open(self.ledger)) as ledger:
            if ledger.get(SMOKE_PASSED) or ledger.last_number():
                return
        if any(self.path.glob(f"trials/*/{CHECKPOINT}*")):
            return
        data = self.path / "data"
        given = (
            [] if data.is_symlink() else [p for p in data.glob("*") if _ARCHIVE.fullmatch(p.name)]
        )
        for folder in (SMOKE_FOLDER, PREPARE_FOLDER):
            remove_tree(self.path / folder, self.path)
        for path in (*given, *(self.path / name for name in (*_BEFORE_LEDGER, *_OF_START))):
            if path.is_file() and not path.is_symlink():
                path.unlink()
        for name in ("trials", "data"):
            with suppress(OSError):  # It is not there, or holds more than that.
                (self.path / name).rmdir()

    def claim(
        self,
        ledger: Ledger,
        recipe: Mapping[str, Any],
        text: str | None,
        *,
        objectives: Mapping[str, Direction],
        directions: Mapping[str, Direction],
        data: Mapping[str, str] = {},
        holdings: Mapping[str, Any] = {},
        purpose: Mapping[str, Any] = SEARCH,
        complete: Complete = lambda known: known,
        compatible: Compatible = lambda known, changed: (),
    ) -> bool:
        """Makes the folder the run of a resolved recipe.

        Args:
            ledger: of this folder; it is told what the run is.
            recipe: resolved.
            text: as the user gave it.
            objectives: what is searched for, the primary objective first.
            directions: where each metric and each cost is to go.
            data: digests of the data's content by key of the recipe, see `toolkit.run.content`.
            holdings: what the data hold, see `toolkit.run.holdings`.
            purpose: the command, and what it was given beside the recipe.
            complete: fills in the defaults of what a newer version has added to recipes.
            compatible: which of some changed keys a run that goes on may have other values for.

        Returns:
            Whether it was the run of this recipe already. A run whose first batch has failed has
            nothing to lose, and may have any other recipe.

        Raises:
            ResumeError: it is the run of another recipe; the message lists the differences.
            LedgerError: it holds a run, but the ledger is empty.
        """
        known = ledger.get(RECIPE)
        if known is not None and _nothing_began(ledger):
            known = None
        elif known is not None:
            before = ledger.get(PURPOSE)
            # Before the first batch has passed, data may still be mended.
            content = ledger.get(DATA) if ledger.get(SMOKE_PASSED) else data
            now = {**purpose, **by_content(recipe, data, content)}
            changed = _changed({**before, **by_content(known, content, data)}, now)
            if changed:
                known = complete(known)
                changed = _changed({**before, **by_content(known, content, data)}, now)
            allowed = compatible(known, changed) if changed else ()
            self._refuse_another(changed, allowed, ledger.get(HOLDINGS), holdings)
        elif self.manifest.exists():
            # The manifest is written after the ledger: these trials would mix with the new ones.
            raise DamagedLedgerError(
                f"{self.path} holds a run, but its ledger.sqlite is empty or was deleted.",
                hint="Restore it from a copy, or start again in a new run folder.",
            )
        ledger.put_fact(RECIPE, recipe)
        ledger.put_fact(PURPOSE, purpose)
        ledger.put_fact(OBJECTIVES, objectives)
        ledger.put_fact(DATA, data)
        ledger.put_fact(HOLDINGS, holdings)
        ledger.put_fact(DIRECTIONS, directions)
        if known is None:
            ledger.put_fact(CREATED, time.time())
        ledger.commit(durable=True)
        if known is None or not self.manifest.exists():
            _write(self.manifest, _dump_json(_manifest(recipe)))
        if text is not None and (known is None or not self.recipe.exists()):
            _write(self.recipe, text)
        _write(self.resolved, _dump_yaml(recipe))
        return known is not None

    def _refuse_another(
        self,
        changed: Mapping[str, tuple[Any, Any]],
        allowed: Collection[str],
        held: Mapping[str, Any],
        holds: Mapping[str, Any],
    ) -> None:
        differences = {key: pair for key, pair in changed.items() if key not in allowed}
        if differences:
            told = {
                key: pair
                for key, pair in differences.items()
                # Another plugin has other options, which tell nothing more.
                if key.endswith(".name") or f"{key.partition('.')[0]}.name" not in differences
            }
            lines = differences_in_words(told, held, holds)
            raise ResumeError(
                f"{self.path} is the run of another recipe: {lines}.",
                hint="Name another folder with -o (--from takes this run's trials along), or give"
                " the recipe it was started with, whose searched ranges and choices may be wider.",
            )


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except IsADirectoryError as error:
        raise DamagedLedgerError(
            f"{path} is a folder, where a run keeps a file.", hint="Put it elsewhere."
        ) from error


def refuse_links(run: Path, folder: Path, names: Iterable[str]) -> None:
    """Refuses links out of a run where it would write through them.

    Raises:
        LedgerError: there is one among the names in a folder of the run.
    """
    for name in names:
        path = folder / name
        if path.is_symlink() and not is_inside(run, path):
            raise DamagedLedgerError(
                f"{path} is a link that leads out of the run folder.",
                hint="Nothing there was touched. Put what it leads to in its place, or start again"
                " in a new run folder.",
            )


def _nothing_began(ledger: Ledger) -> bool:
    """Whether the first batch was tried, and has not passed: no trial was ever proposed then."""
    tried = ledger.get(SMOKE_JOB) is not None and not ledger.get(SMOKE_PASSED)
    return tried and not ledger.last_number()


def trial_folder(run: Path, record: TrialRecord) -> Path:
    """Returns a trial's folder within a run folder, whether it is there or not.

    Raises:
        LedgerError: it leads out of the run folder, by its name or by a link.
    """
    folder = run / record.folder
    if not is_inside(run, folder):
        raise DamagedLedgerError(
            f"The ledger in {run} names {record.folder!r} as the folder of trial {record.number},"
            " which is not within the run folder.",
            hint="Nothing there was touched. Start again in a new run folder.",
        )
    return folder


def _may_precede_ledger(path: Path) -> bool:
    """Whether the toolkit may have made what lies in a run folder without a run."""
    if path.name not in _BEFORE_LEDGER:
        return False
    if path.name == "data":
        return path.is_dir() and all(_ARCHIVE.fullmatch(each.name) for each in path.iterdir())
    begins = _BEFORE_LEDGER[path.name]
    if begins is None or special_kind(path):
        return True
    with suppress(OSError):
        return bool(begins.match(read_within(path.parent, path)[:100]))
    return False


def _changed(known: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs and may not."""
    return {
        key: values
        for key, values in differing(known, recipe).items()
        if not any(key == free or key.startswith(f"{free}.") for free in MAY_CHANGE)
    }


def _dump_json(content: Any) -> str:
    return json.dumps(finite(content), indent=2) + "\n"


def _dump_yaml(content: Mapping[str, Any]) -> str:
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(json.loads(json.dumps(content)), stream)
    return stream.getvalue()


def _manifest(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the run was started with and on."""
    return {
        "name": recipe.get("name"),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": sys.argv,
        "working_directory": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


_PACKAGES = ("nas-toolkit", "torch", "torchvision", "numpy", "optuna", "nni", "networkx")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
