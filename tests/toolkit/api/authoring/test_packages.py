"""What `toolkit plugins new` writes runs as written: package, test and recipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command_line import IN_PROCESS, run_toolkit
from toolkit import check_plugin, new_plugin
from toolkit.api.authoring.scaffold import GROUPS
from toolkit.errors import RecipeError
from toolkit.registry import Registry
from toolkit.testing.executors import Jobs, a_job_is_heard_from_its_beginning_to_its_end

TRIED = ("search-space", "task", "strategy")
"""Kinds whose plugins need no process of their own to be tried."""


@pytest.mark.parametrize("kind", TRIED)
def test_a_new_plugin_keeps_every_promise_and_its_recipe_runs(kind: str, tmp_path: Path) -> None:
    name = f"fresh_{GROUPS[kind]}"
    new_plugin(kind, name, tmp_path)
    findings = list(check_plugin(tmp_path / name))
    assert len(findings) > 6 and not [each for each in findings if each.fault]
    small = ["budget.trials=2", "train.final.random=0", "train.final.baselines=false"]
    here = ["--plugin", ".", "--plugin", IN_PROCESS, "resources.executor=in_process"]
    answer = run_toolkit("search", "recipe.yaml", *here, *small, folder=tmp_path / name)
    assert answer.code == 0, answer.err
    assert (tmp_path / name / "runs" / name / "best/model.py").is_file()


def test_a_new_executor_runs_jobs_and_its_recipe_is_right(tmp_path: Path) -> None:
    new_plugin("executor", "fresh_executor", tmp_path)
    project = tmp_path / "fresh_executor"
    jobs = Jobs(Registry([project]).get("executors", "fresh_executor"), tmp_path, workers=1)
    try:
        a_job_is_heard_from_its_beginning_to_its_end(jobs)
    finally:
        jobs.executor.close()
    assert run_toolkit("validate", "recipe.yaml", "--plugin", ".", folder=project).code == 0


@pytest.mark.slow
def test_a_new_package_installs_and_passes_its_own_test(tmp_path: Path) -> None:
    new_plugin("strategy", "climbing-plants", tmp_path)
    project, site = tmp_path / "climbing_plants", tmp_path / "site"
    install = ["pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site]
    subprocess.run([sys.executable, "-m", *install, project], check=True, capture_output=True)
    assert (site / "climbing_plants/strategy.py").is_file()
    assert Registry([site / "climbing_plants"]).names("strategies")
    (entry,) = site.glob("climbing_plants-*.dist-info/entry_points.txt")
    assert "climbing_plants = climbing_plants.strategy:ClimbingPlants" in entry.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=project, capture_output=True, text=True
    )
    assert "7 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("strategi", "mine", r"did you mean strategy"),
        ("task", "Mine!", "expected lower-case letters"),
        ("task", "json", "a Python module json already"),
        ("task", "class", "expected lower-case letters"),
    ],
)
def test_what_cannot_be_written_is_refused(kind: str, name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=says):
        new_plugin(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    new_plugin("task", "twice_written", tmp_path)
    with pytest.raises(RecipeError, match="is there already"):
        new_plugin("task", "twice_written", tmp_path)
