"""Any network that a run has trained from scratch, handed over beside the one in `best/`."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

from toolkit.base.errors import RecipeError, ToolkitError, ToolkitWarning
from toolkit.base.files import remove_tree
from toolkit.base.spelling import did_you_mean
from toolkit.contracts import ExportJob, TrialSpec, TrialState
from toolkit.engine.failures import job_failure
from toolkit.engine.handover import chosen_training, model_card, training_of
from toolkit.export.formats import FILES, chosen_formats
from toolkit.problem import Problem
from toolkit.run.facts import DATA, OUTCOME, PLUGIN_PATHS, RECIPE
from toolkit.run.folder import RunFolder
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord
from toolkit.run.selection import best
from toolkit.run.weights import WEIGHTS
from toolkit.worker.jobs import JobRunner


def export(
    folder: Path,
    *,
    network: str | None = None,
    trial: int | None = None,
    output: Path | None = None,
    to: Sequence[str] = (),
) -> Path:
    """Writes a trained network as `best/` holds one: `model.py`, weights, card, drawing.

    Args:
        folder: the run folder, which has been tested.
        network: `found`, a baseline's name, `random-1`, ...: of its trainings, the best on
            validation data.
        trial: the number of a final training, in place of a network.
        output: the folder to write; by default `exports/NETWORK` in the run folder. One that holds
            the same network already gets the formats that are asked for beside what is there.
        to: further formats, see `toolkit.export.formats`; what is passed over is warned of.

    Returns:
        The folder.

    Raises:
        RecipeError: there is no such network or format, or the folder holds something.
        ToolkitError: the run has not been tested yet, or the export failed.
    """
    formats = chosen_formats(to)
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        outcome, recipe, paths = ledger.get(OUTCOME), ledger.get(RECIPE), ledger.get(PLUGIN_PATHS)
        data = ledger.get(DATA)
        trainings = [r for r in ledger.trials("final") if r.state is TrialState.DONE]
        searched = len(ledger.trials("search"))
    if outcome is None or recipe is None:
        raise ToolkitError(
            f"{folder} has not been tested yet, and only networks that are trained from scratch"
            " after the search keep their weights.",
            hint=f"`toolkit status {folder}` says how far it is.",
        )
    problem = Problem.of_checked(recipe, paths)
    chosen = _chosen(problem, trainings, network, trial)
    run = RunFolder(folder)
    target = output or run.path / "exports" / Path(chosen.folder).name.rpartition("-seed")[0]
    there = target.exists() and any(target.iterdir() if target.is_dir() else [target])
    if there and not (formats and (target / WEIGHTS).is_file()):
        more = "a format (--to) is added to a network that is there; " if formats else ""
        raise RecipeError(
            f"{target} holds something.",
            hint=f"{more or 'To add a format, name it (--to); '}else name a new or an empty folder"
            " (-o).",
        )
    new = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}") if there else target
    made = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    card = model_card(problem, outcome, chosen, searched, data)
    job = ExportJob(training_of(run, chosen), asdict(card), str(new.absolute()), formats)
    ended = JobRunner(recipe, paths, "cpu", complains=False).run(
        TrialSpec("export", job, 0, str(run.path / "final" / "export")),
        lambda step, values, records: None,
        lambda: None,
    )
    if ended.state is not TrialState.DONE:
        if made:
            with suppress(OSError):
                target.parent.rmdir()
        again = "" if ended.fault and ended.fault.hint else "Give the same command again."
        raise job_failure("The export failed", ended, again)
    if there:
        _add(new, target, formats)
    for text in ended.warnings:
        warnings.warn(ToolkitWarning(text), stacklevel=2)
    return target


def _add(new: Path, target: Path, formats: Sequence[str]) -> None:
    """Moves formats beside the network that is there; what was written anew goes.

    Raises:
        RecipeError: there is another network, or the files of this one were changed.
    """
    try:
        if any(
            (new / name).read_bytes() != (target / name).read_bytes()
            for name in ("model.py", WEIGHTS)
            if (target / name).is_file()
        ):
            raise RecipeError(
                f"{target} holds another network, or one that was written by another version.",
                hint="Name a new or an empty folder (-o).",
            )
        for name in formats:
            if (new / FILES[name]).is_file():
                (new / FILES[name]).replace(target / FILES[name])
    finally:
        remove_tree(new, new.parent)


def exported_weights(folder: Path) -> Path:
    """Returns the file of weights of the final training that a run handed over.

    Raises:
        ToolkitError: the run has not been tested yet, or has lost the weights.
    """
    with closing(Ledger.open(RunFolder(folder).ledger, read_only=True)) as ledger:
        outcome, recipe, paths = ledger.get(OUTCOME), ledger.get(RECIPE), ledger.get(PLUGIN_PATHS)
        trainings = [r for r in ledger.trials("final") if r.state is TrialState.DONE]
    path = None
    if outcome is not None and recipe is not None:
        chosen = chosen_training(Problem.of_checked(recipe, paths), trainings)
        path = RunFolder(folder).trial(chosen).absolute() / WEIGHTS
    if path is None or not path.is_file():
        raise ToolkitError(
            f"{folder} holds no weights of a final training to go on from.",
            hint=f"`toolkit status {folder}` says how far it is.",
        )
    return path


def _chosen(
    problem: Problem, trainings: list[TrialRecord], network: str | None, trial: int | None
) -> TrialRecord:
    if trial is not None:
        for record in trainings:
            if record.number == trial:
                return record
        numbers = ", ".join(str(record.number) for record in trainings)
        raise RecipeError(
            f"Trial {trial} is no final training, and its weights were not kept.",
            hint=f"Final trainings: {numbers}. `toolkit test RUN --trial N` trains one that is"
            " done.",
        )
    if network is None:
        return chosen_training(problem, trainings)
    own = [record for record in trainings if record.label == network]
    found = best(own, problem.objectives)
    if found is None:
        labels = list(dict.fromkeys(record.label for record in trainings))
        raise RecipeError(
            f"There is no network {network!r}{did_you_mean(network, labels)}.",
            hint=f"There are {', '.join(labels)}.",
        )
    return found
