"""`toolkit.evaluate`: every sample is tested on once a round, by what never saw it."""

from __future__ import annotations

import csv
import json
import signal
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toolkit
from command_line import IN_PROCESS, run_toolkit
from tiny import PLUGINS
from toolkit.base.errors import ToolkitWarning
from toolkit.contracts.outer import OuterFold, parse_folds
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry
from toolkit.report.facts import read_facts
from toolkit.report.watch.runs import Runs
from toolkit_arrays.spd import SpdArraysTask
from toolkit_spd.pipeline.space import SpdPipelineSpace

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(60, 4, 12))
Y = np.arange(60) % 2
SERIES[Y == 1, :2] *= 1.5
X = SERIES @ SERIES.transpose(0, 2, 1) / 12
GROUPS = np.array(["anna", "bert", "cleo", "dora"])[np.arange(60) // 2 % 4]
LOGO = "leave_one_group_out"
FINAL = {"seeds": 2, "random": 0, "baselines": False}


def words(**more: Any) -> dict[str, Any]:
    return {
        "name": "judged",
        "task": {"name": "spd_arrays", "X": X, "y": Y, "groups": GROUPS},
        "space": {"name": "spd_pipeline", "classifiers": ["ridge", "neighbors"]},
        "strategy": "random",
        "budget": {"trials": 2},
        "validation": "own",  # a word, to which `validation.outer` is added
        "resources": {"executor": "in_process", "workers": 1, "threads": 1},
        "train": {"final": FINAL},
        **more,
    }


def evaluate(folds: str = LOGO, **more: Any) -> Any:
    own = {name: more.pop(name) for name in ("from_run", "on_event", "output") if name in more}
    return toolkit.evaluate(words(**more), folds, plugins=[IN_PROCESS], **own)


@pytest.fixture
def problem(home: Path) -> Problem:
    np.savez("given.npz", X=X, y=Y, groups=GROUPS)
    task = {"name": "spd_arrays", "data": "given.npz"}
    recipe = load_recipe({"version": 1, **words(task=task)}, [], Registry([IN_PROCESS]))
    return Problem(recipe, Registry([IN_PROCESS]))


@pytest.mark.parametrize("folds", [LOGO, "groups:2", "stratified:3", "repeated:3x2"])
def test_folds_share_no_sample_and_test_each_once_a_round(problem: Problem, folds: str) -> None:
    tested: list[int] = []
    count = problem.source.outer_count(folds)
    for number in range(1, count + 1):
        inside = problem.in_fold(OuterFold(folds=folds, fold=number))
        pool = inside.source._pool()
        parts = [set(part.tolist()) for part in (pool.train, pool.val, pool.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 60 and all(parts)
        tested += parts[2]
        assert inside.info.train_size == len(parts[0])
        if parse_folds(folds).kind == "groups":
            assert not set(GROUPS[list(parts[2])]) & set(GROUPS[list(parts[0] | parts[1])])
        splits = inside.source.load()
        assert len(splits.load_test()) == len(parts[2])
        alone = X[sorted(parts[0])].trace(axis1=-2, axis2=-1).mean() / 4
        assert splits.fitted["scale"] == pytest.approx(alone), "fitted to what is trained on alone"
    rounds = parse_folds(folds).rounds
    assert sorted(tested) == sorted(list(range(60)) * rounds)


def test_validation_is_of_whole_groups_where_the_tasks_own_is(problem: Problem) -> None:
    options = {**problem.recipe.task.options, "val_groups": ("cleo",)}
    task = problem.recipe.task.model_copy(update={"options": options})
    grouped = Problem(problem.recipe.model_copy(update={"task": task}), problem.registry)
    pool = grouped.in_fold(OuterFold(folds=LOGO, fold=1)).source._pool()
    assert set(GROUPS[pool.test]) == {"anna"}
    assert not set(GROUPS[pool.train]) & set(GROUPS[pool.val])


def test_each_fold_is_a_run_with_its_own_search_and_the_table_sums_them_up(home: Path) -> None:
    found = evaluate(train={"final": {**FINAL, "baselines": True, "random": 1}})
    rows = found.evaluated.rows
    assert [row.tested_on for row in rows] == ["anna", "bert", "cleo", "dora"]
    for row in rows:
        run = toolkit.Run(found.folder / row.folder)
        assert len(run.trials()) == 2 and run.state == "done"
        assert not (run.folder / "best").exists()
        assert row.mean("found", "accuracy") == run.outcome.test["accuracy"].mean
        with np.load(run.folder / "final" / "found-seed0" / "predictions.npz") as kept:
            tested = kept["part"] == "test"
            assert tested.sum() == (row.tested_on == GROUPS).sum()
            assert set(kept["group"][tested]) == {row.tested_on}
            assert row.tested_on not in kept["group"][~tested]
    (own,) = [n for n in found.evaluated.networks if n.name == "found"]
    means = [row.mean("found", "accuracy") for row in rows]
    assert own.mean("accuracy") == pytest.approx(statistics.fmean(means))
    assert own.deviation("accuracy") == pytest.approx(statistics.stdev(means))
    low, high = own.interval("accuracy")
    assert 0 <= low < own.mean("accuracy") < high <= 1
    others = found.evaluated.networks[1:]
    assert {"random", "tangent_lr"} <= {network.name for network in others}
    judged = found.evaluated.networks[0]
    for network in others:
        assert network.against.n == 4
        difference = judged.mean("accuracy") - network.mean("accuracy")
        assert network.against.difference == pytest.approx(difference)

    listed = list(csv.DictReader((found.folder / "evaluation.csv").open()))
    assert len(listed) == 4 * len(found.evaluated.networks)
    assert json.loads((found.folder / "evaluation.json").read_text())["nested"] is True
    page = (found.folder / "report.html").read_text()
    assert "cleo" in page and "corrected resampled t-test" in page
    assert found.report(home / "again.html").read_text() == page

    # What asks for the best of it gets the judged network over all folds, and no single fold.
    over = found.evaluation
    assert over is not None and (over.mean, over.folds) == (judged.mean("accuracy"), 4)
    assert over.interval == judged.interval("accuracy") and found.best is None
    assert over.sentence in run_toolkit("best", found.folder).out
    assert found.result() == {"evaluation": over.plain()}
    assert found.status["best"] is None and found.status["evaluation"] == over.sentence
    (row,) = toolkit.compare_runs(found.folder)
    assert (row["best"], row["test"], row["test_of"]) == (None, over.mean, "4 folds")
    listed_first = Runs([found.folder]).listed()[0]
    assert listed_first["best"] is None and listed_first["evaluation"] == over.sentence


def test_an_architecture_of_a_run_on_these_data_is_said_to_be_optimistic(home: Path) -> None:
    run = toolkit.search(words(), plugins=[IN_PROCESS])
    found = evaluate("groups:2", from_run=run)
    assert any("optimistic" in note for note in found.notes)
    for row in found.evaluated.rows:
        fold = toolkit.Run(found.folder / row.folder)
        assert fold.trials(all=True)["label"].tolist() == ["found"] * 2
        assert fold.architecture == run.architecture
    other = {"name": "spd_arrays", "X": X[::-1], "y": Y[::-1], "groups": GROUPS}
    said = r"of other data than the recipe: task\.data holds other data \(X has other values, y has"
    with pytest.warns(ToolkitWarning, match=said):
        unseen = evaluate("groups:2", from_run=run, task=other, output="o")
    assert not any("optimistic" in note for note in unseen.notes)
    with pytest.warns(ToolkitWarning, match=said):
        toolkit.retrain({**words(), "task": other}, from_run=run, plugins=[IN_PROCESS])


def test_folds_share_what_was_read_and_an_evaluation_goes_on_where_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[None] = []
    plainly = SpdArraysTask.inputs

    def inputs(self: SpdArraysTask, index: Any) -> Any:
        read.append(None)
        return plainly(self, index)

    monkeypatch.setattr(SpdArraysTask, "inputs", inputs)
    told: list[str] = []

    def interrupt(event: toolkit.Event) -> None:
        told.append(event.name)
        if told.count("fold_ended") == 2 and event.name == "trial_started":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(toolkit.RunInterrupted) as stopped:
        evaluate(on_event=interrupt)
    assert len(read) == 1, "three folds were begun"
    assert len(stopped.value.run.evaluated.done) == 2
    before = {path: path.stat().st_mtime_ns for path in home.glob("runs/*/folds/0[12]/final/*/*")}
    assert before
    told.clear()
    found = evaluate(on_event=lambda event: told.append(event.name))
    assert told.count("fold_ended") == 2 and len(found.evaluated.done) == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_report_tells_how_each_group_was_told_apart(home: Path) -> None:
    task = {**words()["task"], "test_groups": ["bert", "dora"]}
    run = toolkit.search(words(task=task), plugins=[IN_PROCESS])
    with np.load(run.folder / "final" / "found-seed0" / "predictions.npz") as kept:
        own = (kept["part"] == "test") & (kept["group"] == "bert")
        share = (kept["scores"].argmax(1) == kept["label"])[own].mean()
    found = {result.group: result for result in read_facts(run.folder).by_group}
    assert set(found) == {"bert", "dora"}
    assert found["bert"].samples == own.sum() == (GROUPS == "bert").sum()
    assert found["bert"].result.mean == pytest.approx(share)
    page = run.report().read_text()
    assert "<td>bert</td>" in page and "<h2>Groups</h2>" in page


def test_what_a_fold_trained_is_exported_with_what_its_own_samples_gave(home: Path) -> None:
    fold = toolkit.Run(evaluate("stratified:2").folder / "folds" / "01")
    exported = fold.export(network="found")
    recipe = fold.recipe
    assert recipe["validation"]["outer"] == {"folds": "stratified:2", "fold": 1}
    source = Problem.of_checked(recipe, [str(IN_PROCESS)]).source
    scale = json.loads((exported / "preparation.json").read_text())["fitted"]["scale"]
    assert scale == source.load().fitted["scale"]


@pytest.mark.parametrize(
    ("folds", "more", "says"),
    [
        ("groups:5", {}, "of 4 groups, and 5 folds of whole groups are asked for"),
        ("stratified:40", {}, "fewer than the 40 folds"),
        ("leave_one_out", {}, "is no kind of folds, expected leave_one_group_out, groups:K"),
        ("stratified:1", {}, "expected from 2 to 100 folds"),
        (LOGO, {"task": {"name": "spd_arrays", "X": X, "y": Y}}, "The data have no groups"),
        (
            LOGO,
            {"task": {"name": "spd_arrays", "X": X, "y": (GROUPS == "anna") * 1, "groups": GROUPS}},
            "is in the group anna alone",
        ),
    ],
)
def test_folds_that_cannot_be_are_refused_before_anything_runs(
    home: Path, folds: str, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(toolkit.ToolkitError) as caught:
        evaluate(folds, **more)
    assert says in str(caught.value) and int(caught.value.exit_code) == 2
    assert not list(home.glob("runs/*/ledger.sqlite"))


def test_folds_that_all_refuse_their_data_say_why(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> Any:
        raise toolkit.errors.DataError("The channels are constant.", hint="Leave them out.")

    monkeypatch.setattr(SpdPipelineSpace, "build", refuse)
    with pytest.raises(toolkit.ToolkitError) as caught:
        evaluate("stratified:2", output=home / "judged")
    assert "damaged" not in str(caught.value)
    assert "The channels are constant." in (home / "judged/report.html").read_text()


def test_a_task_of_one_division_is_refused(home: Path) -> None:
    plain = words(task="tiny_task", space="tiny_space", strategy="draw")
    with pytest.raises(toolkit.ToolkitError, match="divides its data in one way alone"):
        toolkit.evaluate(plain, "stratified:3", plugins=PLUGINS)
