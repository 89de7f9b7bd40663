"""`search` and `retrain`: a recipe run to its end in a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from toolkit.api.architectures import (
    ArchitectureLike,
    RunLike,
    given_point,
    going_on,
    run_folder,
    settling,
    warn_of_other_data,
)
from toolkit.api.endings import settled
from toolkit.api.given import Given, Overrides, RecipeLike, gather
from toolkit.api.run import Run
from toolkit.api.totals import additions
from toolkit.base.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.run.events import OnEvent as EngineListener
    from toolkit.run.following import Event

    OnEvent: TypeAlias = Callable[[Event], object]


def search(
    recipe: RecipeLike,
    *,
    output: str | Path | None = None,
    workers: int | None = None,
    executor: str | None = None,
    warm_start: RunLike = None,
    extend: Mapping[str, float | str] | Sequence[str] | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: OnEvent | None = None,
    progress: bool | None = None,
    overrides: Overrides = None,
    **words: Any,
) -> Run:
    """Runs a recipe: searches, trains what was found, tests it, exports it.

    The same call on the same run folder goes on with it. Trials run in processes of their own.

    Args:
        recipe: a recipe's file, the name of a shipped recipe, or a mapping. A mapping may leave
            out `version` and `name`, and may hold arrays for tasks that take them:
            `{"task": {"name": "spd_arrays", "X": X, "y": y}, "space": "spd_cell"}`.
        output: the run folder; by default `runs/NAME`.
        workers: trials at once; by default as many as there are cores or GPUs.
        executor: where trials run, such as `"local"` or `"nni"`.
        warm_start: an earlier run, whose trials the strategy is told first.
        extend: what to add to the run's totals: `{"trials": 50}`, `{"time": "10m"}`.
        plugins: local plugins, each a `.py` file or a package folder.
        on_event: called with each event of the run. What it raises ends the run.
        progress: print a line for each event but epochs. By default in a notebook and on a
            terminal, where `on_event` is not given.
        overrides: changes of the recipe by dotted key, `{"train.lr": 0.01}`, or as on the command
            line, `["train.lr=0.01", "~fidelity"]`.
        words: changes by word of the recipe: `strategy="optuna.tpe"`. A mapping changes what it
            names and leaves the rest, `train={"lr": 0.01}`; one that names a plugin takes the
            place of the whole word, as do new objectives and constraints.

    Returns:
        The run, which has ended well.

    Raises:
        RecipeError: the recipe or an argument is wrong.
        RunFailedError: no trial ended well, or too many failed; it has the run.
        RunInterrupted: Ctrl-C, or SIGTERM, after the current epochs; a KeyboardInterrupt. The
            second one ends them at once. In a thread, signals are not heeded.
        ToolkitError: the run cannot go on; the error's class says which kind of fault it is.
    """
    from toolkit.base.clock import SYSTEM

    began = SYSTEM.monotonic()  # What is imported and read from here on counts, too.
    from toolkit.engine import run_search
    from toolkit.problem import assemble

    given = gather(recipe, overrides, words, plugins)
    if executor is not None:
        given = given.changed(f"resources.executor={executor}")
    folder = given.output(output)
    more = additions(extend)
    with given.stored(folder) as stored:
        code = run_search(
            assemble(stored.recipe, given.registry),
            folder,
            workers=workers,
            on_event=listener(on_event, progress),
            earlier=None if warm_start is None else run_folder(warm_start),
            extend=more,
            began=began,
        )
    return settled(Run(folder), code)


def retrain(
    recipe: RecipeLike,
    architecture: ArchitectureLike = None,
    *,
    from_run: RunLike = None,
    output: str | Path | None = None,
    workers: int | None = None,
    plugins: Sequence[str | Path] = (),
    on_event: OnEvent | None = None,
    progress: bool | None = None,
    overrides: Overrides = None,
    **words: Any,
) -> Run:
    """Trains a given architecture as a recipe says, tests it and exports it; searches nothing.

    It is trained `train.final.seeds` times beside the recipe's baselines and random architectures.

    Args:
        recipe: see `search`, as for the arguments that are not described here.
        architecture: to be trained: itself, or the path of an `architecture.json`.
        from_run: an earlier run whose best architecture, with its searched values, is trained;
            beside an architecture, the run whose exported weights its trainings begin with, where
            the space can.
        output: the run folder; by default `runs/NAME-retrain`.

    Returns:
        The run, which has ended well.

    Raises:
        As `search` does.
    """
    given = gather(recipe, overrides, words, plugins)
    chosen_in = from_run
    if architecture is not None and from_run is not None:
        given = given.changed(*going_on(given.recipe, given.registry, from_run))
        chosen_in = None
    point = given_point(architecture, chosen_in, given.source)
    if point is None:
        raise RecipeError(
            "No architecture is given.",
            hint="Name a file with --architecture FILE, or a run with --from RUN.",
        )
    output = given.output(output, "-retrain")
    return train_point(
        given, point, output, workers, on_event, progress=progress, chosen_in=chosen_in
    )


def test(
    run: RunLike,
    trial: int | None = None,
    *,
    workers: int | None = None,
    on_event: OnEvent | None = None,
    progress: bool | None = None,
) -> Run:
    """Trains and tests a trial of a run that was not tested with it; the run's outcome stays.

    Args:
        run: which has been tested.
        trial: its number; by default the best so far.
        workers, on_event, progress: see `search`.

    Returns:
        A run of its own, in `tests/trial-NUMBER` of the run's folder.

    Raises:
        As `search` does.
    """
    from toolkit.api.further import ALONE, TESTS, trial_to_test
    from toolkit.api.ledger import reading, require_run
    from toolkit.run.facts import PLUGIN_PATHS

    assert run is not None
    home = run_folder(run)
    require_run(home)
    record = trial_to_test(home, trial)
    with reading(home) as ledger:
        plugins = ledger.get(PLUGIN_PATHS)
    given = gather(home / "recipe.resolved.yaml", ALONE, {}, plugins)
    folder = home / TESTS / f"trial-{record.number}"
    return train_point(
        given, dict(record.point or {}), folder, workers, on_event, progress=progress
    )


def train_point(
    given: Given,
    point: Mapping[str, Any],
    folder: Path,
    workers: int | None,
    on_event: OnEvent | None,
    *,
    progress: bool | None = None,
    chosen_in: RunLike = None,
) -> Run:
    """Trains a point as a recipe says, in a folder; searches nothing.

    Where the run that it was chosen in is of other data, it is said.
    """
    from toolkit.engine import run_retraining
    from toolkit.problem import assemble

    with given.stored(folder) as stored:
        if stored.recipe.searched:
            stored = stored.changed(*settling(stored.recipe, point))
        problem = assemble(stored.recipe, given.registry, architecture=point["architecture"])
        if chosen_in is not None:
            warn_of_other_data(run_folder(chosen_in), problem)
        code = run_retraining(
            problem,
            folder,
            workers=workers,
            on_event=listener(on_event, progress),
        )
    return settled(Run(folder), code)


def listener(on_event: OnEvent | None, progress: bool | None = None) -> EngineListener | None:
    """Returns what an engine calls, for a function that takes an `Event`.

    Args:
        on_event: the function.
        progress: print events too; None: where somebody looks, and no function is given.
    """
    from toolkit.api.progress import is_watched, show

    shown = progress if progress is not None else on_event is None and is_watched()
    if on_event is None:
        return show if shown else None
    import time

    from toolkit.run.following import Event

    def hear(name: str, facts: Mapping[str, Any]) -> None:
        if shown:
            show(name, facts)
        on_event(Event(name, facts, round(time.time(), 3)))

    return hear
