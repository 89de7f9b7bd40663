"""A search as a scikit-learn classifier, and as a regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from toolkit.api.given import gather
from toolkit.api.ledger import reading
from toolkit.api.search import search
from toolkit.base.errors import RecipeError, ToolkitError
from toolkit.run.status import objectives

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike, NDArray

BATCH = 256
_SYMMETRIC = 1e-5
"""Largest asymmetry of a matrix, as a fraction of its largest entry."""


class SearchEstimator(BaseEstimator):
    """What a search as a classifier and as a regressor share: see `SearchClassifier`."""

    _needs: Mapping[str, Any] = {}
    """Options of the task that reads the arrays."""

    def __init__(
        self,
        recipe_or_space: Any = "spd_pipeline",
        *,
        budget: Any = 20,
        strategy: Any = None,
        task: Any = None,
        test_size: float = 0.1,
        words: Mapping[str, Any] | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        output: str | Path | None = None,
        plugins: Sequence[str | Path] = (),
        verbose: int | bool = 0,
    ) -> None:
        self.recipe_or_space = recipe_or_space
        self.budget = budget
        self.strategy = strategy
        self.task = task
        self.test_size = test_size
        self.words = words
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.output = output
        self.plugins = plugins
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _search(self, inputs: NDArray[Any], targets: NDArray[Any], groups: Any) -> None:
        """Searches on arrays, and keeps what was found."""
        arrays = {"X": inputs, "y": targets}
        if groups is not None:
            arrays["groups"] = np.asarray(groups)
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run" if self.output is None else Path(self.output)
            run = search(
                self._recipe(),
                output=folder,
                workers=self.n_jobs,
                plugins=self.plugins,
                progress=bool(self.verbose),
                **self._words(arrays),
            )
            found, outcome = run.best, run.outcome
            assert found is not None and outcome is not None
            with reading(folder) as ledger:
                metric = next(iter(objectives(ledger)))
            self.best_point_ = dict(found.point)
            self.best_score_ = found.values.get(metric)
            self.handed_over_ = run.handed_over
            self.test_scores_ = _tested(run)
            self.trials_ = run.rows()
            self.model_files_ = {
                path.name: path.read_bytes()
                for path in (folder / "best").iterdir()
                if path.name in ("model.py", "weights.safetensors")
            }
            if self.output is not None:
                self.run_ = run
        self._model: torch.nn.Module | None = None

    def _outputs(self, X: ArrayLike) -> torch.Tensor:
        """What the model gives for each input, in double precision."""
        import torch

        check_is_fitted(self)
        inputs = validate_data(self, X, reset=False, **_CHECKS)
        _check_dimensions(inputs)
        if inputs.shape[1] != self.channels_:
            raise ValueError(
                f"X has {inputs.shape[1]} channels, but {type(self).__name__} was fitted with"
                f" {self.channels_}."
            )
        model, parts = self._loaded(), []
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH]))
                parts.append(model(batch).double())
        return torch.cat(parts)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_model": None}

    def _recipe(self) -> Any:
        """The recipe; for a space's name one of that space."""
        given = self.recipe_or_space
        if isinstance(given, str) and given in _spaces(self.plugins):
            return {**_LEAN, "name": given, "task": self.task, "space": given}
        return given

    def _words(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """What changes in the recipe: the data, their division, the budget, the seed."""
        words = dict(self.words or {})
        name = self.task or _task_of(self._recipe(), self.plugins) or _guessed(arrays["X"])
        size = float(self.test_size)
        if not 0 < size < 1:
            raise ValueError(f"test_size is {self.test_size!r}, expected a share from 0 to 1.")
        ratio = [0.75 * (1 - size), 0.25 * (1 - size), size]
        words["task"] = {**arrays, "split_ratio": ratio, **self._needs, **words.get("task", {})}
        if _task_of(self._recipe(), self.plugins) != name:
            words["task"] = {"name": name, **words["task"]}
        if self.strategy is not None:
            words["strategy"] = self.strategy
        if self.budget is not None:
            words["budget"] = _budget(self.budget)
        seed = self.random_state
        if not isinstance(seed, int):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        words["train"] = {"seed": seed, **words.get("train", {})}
        return words

    def _loaded(self) -> torch.nn.Module:
        """The model, made of its files when it is first asked for."""
        if self._model is None:
            from toolkit.export.loading import load_file

            with TemporaryDirectory() as scratch:
                for name, content in self.model_files_.items():
                    (Path(scratch) / name).write_bytes(content)
                model = load_file(Path(scratch)).Model.load()
            if model.preparation is None:
                raise ToolkitError(
                    "What was found predicts prepared inputs alone: its task does not say in torch"
                    " how raw ones are prepared.",
                    hint="Take a task whose model.py takes raw data, such as spd_arrays.",
                )
            self._model = model.eval()
        return self._model


class SearchClassifier(ClassifierMixin, SearchEstimator):
    """Searches a space on the data that `fit` is given, and predicts with what it hands over.

    ::

        classifier = toolkit.SearchClassifier("spd_pipeline", budget=20)
        cross_val_score(classifier, X, y)

    Each `fit` is a run of its own: trials in worker processes, judged on folds of the training
    data; then the final trainings, and a test on a share of the samples that nothing else sees.

    Args:
        recipe_or_space: a search space's name; or a recipe, by its name, as a file or a mapping,
            whose task is given the arrays.
        budget: trials; or a text of time, such as `"2m"`; or the recipe's mapping.
        strategy: what to try next; None for the recipe's, or `auto`.
        task: the task that reads the arrays. None for the recipe's; with a space alone
            `spd_arrays` for SPD matrices, `series_arrays` for other arrays of three dimensions,
            `image_arrays` for those of four.
        test_size: share of the samples that the run tests on, where no groups are given.
        words: further words of the recipe, such as `{"train": {"epochs": 20}}`.
        random_state: seed of the run; None draws one.
        n_jobs: trials at once; None for as many as there are cores or GPUs.
        output: the run folder; None for one that is deleted after the fit. A folder that holds a
            run of the same data goes on with it.
        plugins: paths of local plugins.
        verbose: 0 for a fit that says nothing, 1 for a line for each event of its run.

    Attributes:
        classes_: labels in the order of `predict_proba`.
        channels_: second dimension of X.
        best_point_: what the search found.
        best_score_: its value of the first objective, on validation data.
        test_scores_: mean of each metric of the network that is handed over, in the test.
        trials_: the search's trials, as `Run.rows` has them.
        handed_over_: which network predicts, and whether the search found it.
        run_: the run, where `output` was given.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SearchClassifier:
        """Searches.

        Args:
            X: (N, n, n) SPD matrices, (N, channels, time) series, or what `task` reads; real.
            y: labels (N,).
            groups: whom each sample is from, (N,): then folds and the test are of whole groups.

        Raises:
            ValueError: X or y is not what is expected.
            ToolkitError: the run failed.
        """
        inputs, labels = validate_data(self, X, y, **_CHECKS)
        _check_dimensions(inputs)
        self.channels_ = inputs.shape[1]
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Classifier can't train when only one class is present ({self.classes_[0]!r})."
            )
        self._search(inputs, codes.astype(np.int64), groups)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Returns the label of each input, (N,)."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Returns a probability for each input and class, (N, classes)."""
        probabilities: NDArray[np.float64] = self._outputs(X).softmax(-1).numpy()
        return probabilities


class SearchRegressor(RegressorMixin, SearchEstimator):
    """Searches a space for a model of continuous targets; as `SearchClassifier` but for classes.

    ::

        regressor = toolkit.SearchRegressor("spd_cell", budget=20)
        cross_val_score(regressor, X, y)

    Args:
        recipe_or_space: a space that gives values, or a recipe, see `SearchClassifier`.
        budget, strategy, task, test_size, words, random_state, n_jobs, output, plugins, verbose:
            see `SearchClassifier`.

    Attributes:
        channels_, best_point_, best_score_, test_scores_, trials_, handed_over_, run_: see
            `SearchClassifier`.
    """

    _needs: Mapping[str, Any] = {"target": "continuous"}

    def __init__(
        self,
        recipe_or_space: Any = "spd_cell",
        *,
        budget: Any = 20,
        strategy: Any = None,
        task: Any = None,
        test_size: float = 0.1,
        words: Mapping[str, Any] | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        output: str | Path | None = None,
        plugins: Sequence[str | Path] = (),
        verbose: int | bool = 0,
    ) -> None:
        super().__init__(
            recipe_or_space,
            budget=budget,
            strategy=strategy,
            task=task,
            test_size=test_size,
            words=words,
            random_state=random_state,
            n_jobs=n_jobs,
            output=output,
            plugins=plugins,
            verbose=verbose,
        )

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SearchRegressor:
        """Searches.

        Args:
            X: (N, n, n) SPD matrices, (N, channels, time) series, or what `task` reads; real.
            y: targets (N,), finite numbers.
            groups: whom each sample is from, (N,): then folds and the test are of whole groups.

        Raises:
            ValueError: X or y is not what is expected.
            ToolkitError: the run failed.
        """
        inputs, targets = validate_data(self, X, y, y_numeric=True, **_CHECKS)
        _check_dimensions(inputs)
        self.channels_ = inputs.shape[1]
        self._search(inputs, np.asarray(targets, np.float64), groups)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Returns the value of each input, (N,), in the units of the targets."""
        values: NDArray[np.float64] = self._outputs(X)[:, 0].numpy()
        return values


_LEAN: Mapping[str, Any] = {
    "validation": "folds",
    "train": {"final": {"seeds": 1, "random": 0}},
}
"""What a space's own recipe says beside its plugins: no more trainings than a prediction needs."""
_CHECKS: dict[str, Any] = {"ensure_2d": False, "allow_nd": True, "dtype": "numeric"}


def _check_dimensions(inputs: NDArray[Any]) -> None:
    if inputs.ndim < 3:
        raise ValueError(
            f"Found array with dim {inputs.ndim}, while dim >= 3 is required: (N, n, n) matrices,"
            " (N, channels, time) series or images. Reshape your data, or take a classifier for"
            " tables."
        )


def _spaces(plugins: Sequence[str | Path]) -> list[str]:
    from toolkit.registry import Registry

    return Registry(plugins).names("search_spaces")


def _task_of(recipe: Any, plugins: Sequence[str | Path]) -> str | None:
    """The task that a recipe names, if it names one."""
    if isinstance(recipe, Mapping):
        task = recipe.get("task")
        named = task.get("name") if isinstance(task, Mapping) else task
        return named if isinstance(named, str) else None
    return gather(recipe, plugins=plugins).recipe.task.name


def _guessed(inputs: NDArray[Any]) -> str:
    """The task that reads such arrays."""
    if inputs.ndim == 4:
        return "image_arrays"
    if inputs.ndim != 3:
        raise RecipeError(
            f"X has {inputs.ndim} dimensions, and no task is known that reads such arrays.",
            hint="Name one with the argument `task`.",
        )
    few = inputs[:16]
    square = few.shape[1] == few.shape[2]
    if square and np.abs(few - few.swapaxes(1, 2)).max() <= _SYMMETRIC * np.abs(few).max():
        return "spd_arrays"
    return "series_arrays"


def _budget(budget: Any) -> dict[str, Any]:
    if isinstance(budget, Mapping):
        return dict(budget)
    return {"time" if isinstance(budget, str) else "trials": budget}


def _tested(run: Any) -> dict[str, float]:
    """Means of the test of the network that `best/` holds."""
    outcome = run.outcome
    held = [each for each in run.networks if each.name == outcome.handed_over]
    values = held[0].test if held else outcome.test
    return {name: statistic.mean for name, statistic in values.items()}
