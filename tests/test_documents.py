"""What the README and the documents show works as shown."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from command_line import IN_PROCESS, run_toolkit
from perceptrons import fit_in_few_steps

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/searching.md", "docs/sweeps.md", "docs/nni.md")
TEXT = "\n".join((ROOT / page).read_text() for page in PAGES)
SMALL = [
    "task.signals_per_class=24",
    "task.test_signals=30",
    "train.epochs=1",
    "train.final.seeds=1",
    "train.final.random=1",
    "train.final.baselines=false",
]
SMALL_CELL = ["space.nodes=1"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def block(language: str, holding: str) -> str:
    """The one block of a language that holds some text."""
    (found,) = [text for text in blocks(language) if holding in text]
    return found


def commands() -> list[str]:
    lines = [line.partition("#")[0].strip() for line in "\n".join(blocks("console")).splitlines()]
    return [line for line in lines if line.startswith("toolkit ")]


HERE = ["--plugin", str(IN_PROCESS), "resources.executor=in_process"]
"""Trials in this process; one test below starts workers, as a user does."""


@pytest.fixture(scope="module", autouse=True)
def perceptrons() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        fit_in_few_steps(patch)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's plugin file and a finished run under the README's name."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "log_mlp.py").write_text(block("python", "class LogMlp"))
    quick = [*SMALL, *SMALL_CELL, "strategy.epochs=1", "strategy.warmup=0"]
    search = ["search", "spd_drone_quick", *quick]
    one = [*HERE, "--workers", "1", "-o", "runs/spd_drone"]
    toolkit([*search, *one], folder)
    return folder


def toolkit(words: list[str], folder: Path) -> str:
    """Standard output of a command, which must end well."""
    answer = run_toolkit(*words, folder=folder)
    assert answer.code == 0, answer.err
    return answer.out


RUNNING = (" search ", " sweep ", " retrain ", " evaluate ", " watch ")
"""What is tried below, or as `watch` by tests of its own: it serves a page until it is stopped."""


@pytest.mark.parametrize("command", [c for c in commands() if not any(w in c for w in RUNNING)])
def test_commands_that_look_at_things(command: str, place: Path) -> None:
    assert toolkit(shlex.split(command)[1:], place).strip()


@pytest.mark.parametrize("command", [c for c in commands() if "budget.trials" in c])
def test_searches_by_other_strategies_and_spaces(command: str, place: Path) -> None:
    """What `--executor nni` does is tested with NNI's plugin."""
    words = [*shlex.split(command.replace("--executor nni", ""))[1:], *HERE]
    run = f"runs/other-{abs(hash(command))}"
    toolkit([*words[:2], *SMALL, *words[2:], "budget.trials=2", "--json", "-o", run], place)
    trials = toolkit(["trials", run, "--json"], place).splitlines()
    assert [json.loads(line)["state"] for line in trials] == ["done", "done"]


@pytest.mark.parametrize(
    "command", [c for c in commands() if re.search(" (sweep|retrain) .*runs/spd_drone", c)]
)
def test_sweeps_and_retrainings_of_what_a_run_found(command: str, place: Path) -> None:
    small = command.replace(" spd_drone ", " spd_drone_quick ").replace("--trials 20", "--trials 3")
    run = f"runs/small-{abs(hash(command))}"
    toolkit([*shlex.split(small)[1:], *SMALL, *SMALL_CELL, *HERE, "-o", run], place)
    result = "sweep.csv" if " sweep " in command else "best/model.py"
    assert (place / run / result).is_file()


def test_a_search_is_extended_and_its_trials_are_handed_on(place: Path) -> None:
    small = [*SMALL, *HERE, "train.epochs=3", "train.final.random=0"]
    for command in (c for c in commands() if "runs/asha" in c):
        words = shlex.split(command.replace("epochs=60", "epochs=5").replace("=20", "=3"))[1:]
        few = ["budget.trials=1"] if "--from" in words else []
        toolkit([*words, *small, *few], place)
    paid = json.loads(toolkit(["status", "runs/asha", "--json"], place))["epochs_paid"]
    assert 8 <= paid < 8 + 3
    taken = json.loads(toolkit(["status", "runs/tpe", "--json"], place))["warm_started"]
    assert taken >= 6


def write_matrices(folder: Path) -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(60, 5, 12))
    labels = np.arange(60) % 2
    root[labels == 1, :2] *= 2
    np.savez(folder / "mine.npz", X=root @ root.transpose(0, 2, 1) / 12, y=labels)


def test_the_five_word_recipe_runs_on_a_users_matrices(place: Path) -> None:
    (place / "mine.yaml").write_text(block("yaml", "mine.npz"))
    write_matrices(place)
    small = ["train.epochs=1", "train.final.seeds=1", "train.final.random=0", "strategy.epochs=1"]
    toolkit(["search", "mine.yaml", *small, *HERE, "strategy.warmup=0"], place)
    assert (place / "runs/mine/best/model.py").is_file()


@pytest.mark.parametrize("command", [c for c in commands() if " spd_auto " in c])
def test_pipelines_are_searched_for_a_users_series(command: str, place: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    series = rng.normal(size=(60, 4, 80)) * (1 + labels[:, None, None] * [[1], [0], [0], [0]])
    np.savez(place / "mine.npz", X=series, y=labels)
    small = ["budget.trials=3", "train.final.ensemble=2", *HERE]
    if "task.grouped" in command:  # The other command's networks follow.
        small += ["space.networks=[]", "train.final.baselines=false"]
    said = toolkit([*shlex.split(command)[1:], *small, "-o", f"runs/{abs(hash(command))}"], place)
    assert "the ensemble of the search's best points" in said


def test_the_python_shown_searches_and_gives_a_model(place: Path) -> None:
    code = block("python", "toolkit.search(")
    write_matrices(place)
    small = code.replace(
        "budget=",
        "train={'epochs': 1, 'final': {'seeds': 1, 'random': 0, 'baselines': False}}, budget=",
    )
    one_core = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{one_core}{small}\nprint(type(model).__mro__)"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "torch.nn.modules.module.Module" in done.stdout


def test_the_space_shown_is_short() -> None:
    lines = [line for line in block("python", "class LogMlp").splitlines() if line.strip()]
    assert len(lines) <= 25


def test_the_readme_is_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_objectives_and_constraints_shown_are_words_of_a_recipe(place: Path) -> None:
    words = block("yaml", "objectives:")
    recipe = "version: 1\nname: both\ntask: drone_radar\nspace: spd_cell\nstrategy: optuna.tpe\n"
    (place / "both.yaml").write_text(recipe + words)
    facts = json.loads(toolkit(["validate", "both.yaml", "--json"], place))
    assert facts["objectives"] == {"accuracy": "maximize", "parameters": "minimize"}
    assert facts["constraints"] == [
        "multiply_adds <= 2000000",
        "latency_ms <= 2.5",
        "accuracy >= 0.5",
        "accuracy < 1",
    ]


def test_a_run_folder_holds_what_is_promised(place: Path) -> None:
    (listing,) = blocks("text")
    names = re.findall(r"^  (\S+)", listing, re.MULTILINE)
    missing = [name for name in names if not (place / "runs/spd_drone" / name).exists()]
    assert len(names) > 5 and not missing
