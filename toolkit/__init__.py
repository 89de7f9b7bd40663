"""A plugin-based toolkit for AutoML and neural architecture search.

    import toolkit

    run = toolkit.search("spd_drone_quick", strategy="optuna.tpe", budget={"trials": 12})
    run.trials(), run.best, run.model()

Everything in `__all__` is imported when it is first asked for, so that `import toolkit` is quick.
Plugin authors import from `toolkit.contracts`, `toolkit.space` and `toolkit.errors`, and test with
`toolkit.testing`; CONTRIBUTING.md lists all that is public.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # To import typing takes longer than all else before a Ctrl-C is heeded.
if TYPE_CHECKING:
    from typing import Any

    from toolkit.api.authors import check_plugin, new_plugin
    from toolkit.api.classifier import SearchClassifier, SearchRegressor
    from toolkit.api.compare import compare
    from toolkit.api.endings import RunFailedError, RunInterrupted, ToolkitError
    from toolkit.api.evaluate import Evaluation, evaluate
    from toolkit.api.listing import describe_plugin, list_plugins, list_recipes, recipe_schema
    from toolkit.api.run import Event, Run, Statistics
    from toolkit.api.runs import compare_runs, delete_run, list_runs
    from toolkit.api.search import retrain, search, test
    from toolkit.api.start import write_recipe
    from toolkit.api.study import Study
    from toolkit.api.sweep import Sweep, sweep
    from toolkit.api.validate import load_recipe, validate

__version__ = "0.1.0"
__all__ = [
    "Evaluation",
    "Event",
    "Run",
    "RunFailedError",
    "RunInterrupted",
    "SearchClassifier",
    "SearchRegressor",
    "Statistics",
    "Study",
    "Sweep",
    "ToolkitError",
    "check_plugin",
    "compare",
    "compare_runs",
    "delete_run",
    "describe_plugin",
    "evaluate",
    "list_plugins",
    "list_recipes",
    "list_runs",
    "load_recipe",
    "new_plugin",
    "recipe_schema",
    "retrain",
    "search",
    "sweep",
    "test",
    "validate",
    "write_recipe",
]

_HOMES = {
    "Evaluation": "toolkit.api.evaluate",
    "Event": "toolkit.run.following",
    "Run": "toolkit.api.run",
    "RunFailedError": "toolkit.api.endings",
    "RunInterrupted": "toolkit.api.endings",
    "SearchClassifier": "toolkit.api.classifier",
    "SearchRegressor": "toolkit.api.classifier",
    "Statistics": "toolkit.base.summary",
    "Study": "toolkit.api.study",
    "Sweep": "toolkit.api.sweep",
    "ToolkitError": "toolkit.api.endings",
    "check_plugin": "toolkit.api.authors",
    "compare": "toolkit.api.compare",
    "compare_runs": "toolkit.api.runs",
    "delete_run": "toolkit.api.runs",
    "describe_plugin": "toolkit.api.listing",
    "evaluate": "toolkit.api.evaluate",
    "list_plugins": "toolkit.api.listing",
    "list_recipes": "toolkit.api.listing",
    "list_runs": "toolkit.api.runs",
    "load_recipe": "toolkit.api.validate",
    "new_plugin": "toolkit.api.authors",
    "recipe_schema": "toolkit.api.listing",
    "retrain": "toolkit.api.search",
    "search": "toolkit.api.search",
    "sweep": "toolkit.api.sweep",
    "test": "toolkit.api.search",
    "validate": "toolkit.api.validate",
    "write_recipe": "toolkit.api.start",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
