"""What a run did not make is not written over, deleted or believed; secrets are kept nowhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import toolkit
from tiny import PLUGINS, tiny_recipe
from toolkit.run.events import EventLog
from toolkit.run.folder import RunFolder

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign") / "run"
    toolkit.search(tiny_recipe(), plugins=PLUGINS, output=folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def change(run: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(run / "ledger.sqlite")) as connection, connection:
        connection.execute(statement, values)


def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "mine.bin").write_text("weeks of work")
    (tmp_path / "recipe.yaml").write_text("my own notes")
    with pytest.raises(toolkit.ToolkitError, match=r"holds best, recipe\.yaml, and no run") as told:
        toolkit.search(tiny_recipe(), plugins=PLUGINS, output=tmp_path)
    assert int(told.value.exit_code) == 7
    assert (tmp_path / "recipe.yaml").read_text() == "my own notes"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["best", "mine.bin", "recipe.yaml"]


def other_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE accounts (x)")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: (folder / ".git").mkdir(),
        lambda folder: (folder / "ledger.sqlite").touch(),
        lambda folder: (folder / "ledger.sqlite").mkdir(),
        other_database,
        lambda folder: os.mkfifo(folder / "ledger.sqlite"),
        lambda folder: (folder / "engine.log").write_text("my own log"),
        lambda folder: (folder / ".lock").mkdir(),
        lambda folder: ((folder / "data").mkdir(), (folder / "data" / "mine.csv").touch()),
    ],
    ids=["hidden", "empty", "folder", "database", "fifo", "log", "lock", "data"],
)
def test_a_folder_that_only_looks_like_a_beginning_is_refused(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path)
    (tmp_path / "best").mkdir()
    with pytest.raises(toolkit.ToolkitError) as told:
        RunFolder(tmp_path).refuse_foreign()
    assert int(told.value.exit_code) == 7
    (tmp_path / "best").rmdir()
    if not (tmp_path / "ledger.sqlite").is_file() or (tmp_path / "ledger.sqlite").stat().st_size:
        with pytest.raises(toolkit.ToolkitError):
            RunFolder(tmp_path).refuse_foreign()


def test_what_a_start_that_was_cut_short_leaves_is_begun_on(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("pid 1 on here\n")
    (tmp_path / "engine.log").write_text("2026-01-01 00:00:00,000 INFO toolkit: begun\n")
    (tmp_path / "ledger.sqlite").touch()
    RunFolder(tmp_path).refuse_foreign()


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(toolkit.ToolkitError, match="is no folder") as told:
        RunFolder(tmp_path / "file").refuse_foreign()
    assert int(told.value.exit_code) == 2


@pytest.mark.parametrize(
    "name", ["best", "final", "ledger.sqlite", "checkpoint", "metrics.jsonl", "stdout.log"]
)
def test_nothing_is_written_through_a_link(run: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    folder = next((run / "trials").glob("0002-*"))
    place = (run if name in ("best", "final", "ledger.sqlite") else folder) / name
    if place.exists():
        place.rename(tmp_path / "away")
    change(run, "UPDATE trials SET state = 'queued', told = NULL WHERE number = 2") if (
        run / "ledger.sqlite"
    ).exists() else None
    place.symlink_to(victim / "new" if place.suffix else victim)
    with pytest.raises(toolkit.ToolkitError, match="link that leads out") as told:
        toolkit.search(tiny_recipe(), plugins=PLUGINS, output=run)
    assert int(told.value.exit_code) == 7
    assert not list(victim.iterdir())


@pytest.mark.parametrize("phase", ["search", "final"])
@pytest.mark.parametrize("where", ["absolute", "above", "linked"])
def test_no_trial_leads_out_of_its_run(run: Path, tmp_path: Path, phase: str, where: str) -> None:
    victim = tmp_path / "victim"
    (victim / "checkpoint").mkdir(parents=True)
    (victim / "precious").write_text("x")
    (run / "linked").symlink_to(victim)
    folder = {"absolute": str(victim), "above": "../victim", "linked": "linked"}[where]
    change(run, "DELETE FROM meta WHERE key IN ('outcome', 'exported')")
    change(
        run,
        "UPDATE trials SET folder = ?, state = 'queued', told = NULL, label = 'old',"
        " fingerprint = 'zz' WHERE phase = ?",
        folder,
        phase,
    )
    with pytest.raises(toolkit.ToolkitError) as told:
        toolkit.search(tiny_recipe(), plugins=PLUGINS, output=run)
    assert "folder" in str(told.value)
    assert sorted(p.name for p in victim.rglob("*")) == ["checkpoint", "precious"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "finished"),
        ("phase", "beginning"),
        ("kind", "code"),
        ("seed", "seven"),
        ("point", "[1]"),
        ("point", "{"),
        ('"values"', '{"accuracy": "good"}'),
        ('"values"', '{"accuracy": [1]}'),
        ("fidelity", "3"),
        ("derived", "{}"),
        ("told", "first"),
        ("folder", "/etc"),
        ("folder", "trials/../../x"),
    ],
)
def test_rows_that_the_toolkit_would_not_write_are_damage(
    run: Path, column: str, value: Any
) -> None:
    change(run, "UPDATE OR REPLACE trials SET " + column + " = ? WHERE number = 2", value)
    for read in (toolkit.Run(run).rows, toolkit.Run(run).report):
        with pytest.raises(toolkit.ToolkitError, match="is damaged") as told:
            read()
        assert int(told.value.exit_code) == 7


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("point", '{"architecture": {"width": "wide", "depth": 1}}'),
        ("point", '{"architecture": {"ensemble": [{"point": 1}]}}'),
        ("point", '{"architecture": 3}'),
        ("point", "{}"),
        ("fidelity", '{"accuracy": "x"}'),
    ],
)
def test_an_open_trial_that_is_none_of_the_run_is_damage(
    run: Path, column: str, value: str
) -> None:
    change(
        run,
        f"UPDATE trials SET {column} = ?, state = 'queued', told = NULL WHERE number = 2",
        value,
    )
    with pytest.raises(toolkit.ToolkitError, match="is damaged: the point of trial 2") as told:
        toolkit.search(tiny_recipe(), plugins=PLUGINS, output=run)
    assert int(told.value.exit_code) == 7


@pytest.mark.parametrize("recipe", ["{}", '{"task": {}}', '{"train": {"lr": {"log": 3}}}'])
def test_a_recipe_that_a_run_keeps_and_that_is_none_is_a_sentence(run: Path, recipe: str) -> None:
    change(run, "UPDATE meta SET value = ? WHERE key = 'recipe'", recipe)
    with pytest.raises(toolkit.ToolkitError, match="recipe that a run keeps is none: ") as told:
        toolkit.Run(run).export()
    assert int(told.value.exit_code) == 7 and "\n" not in told.value.message


def test_two_names_never_share_a_folder() -> None:
    from toolkit.run.folder import RunFolder

    names = ["a b", "a_b", "a/b", "ä b", "plain", "../x"]
    folders = [RunFolder.trial_name("final", 0, "ff", name, 0) for name in names]
    assert len(set(folders)) == len(names)
    assert folders[4] == "final/plain-seed0", "as they were"


def test_what_comes_from_the_environment_is_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "s3cr3t-token")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(
        "version: 1\nname: tiny\ntask: tiny_task\nstrategy: draw\nbudget: {trials: 1}\n"
        "space: {name: tiny_space, trained: true, fault: '${env:MY_SECRET}'}\n"
        "resources: {executor: in_process, workers: 1}\n"
        "train: {epochs: 1, final: {seeds: 1, random: 0, baselines: false}}\n"
    )
    said = toolkit.validate(tmp_path / "tiny.yaml", plugins=PLUGINS)
    assert "s3cr3t" not in str(said), "logs of other machines keep it"
    run = toolkit.search(tmp_path / "tiny.yaml", plugins=PLUGINS, output="run")
    files = [path for path in Path("run").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"s3cr3t" in path.read_bytes()] == []
    assert run.recipe["space"]["fault"] == "${env:MY_SECRET}"
    monkeypatch.setenv("MY_SECRET", "another")
    again = toolkit.search(
        tmp_path / "tiny.yaml", plugins=PLUGINS, output="run", budget={"trials": 2}
    )
    assert again.status["trials"] == {"done": 2}, "a new token is not another recipe"


def test_what_comes_from_the_environment_is_in_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", 's3cr3t-"tok&n')
    recipe = tiny_recipe()
    recipe["train"]["epochs"] = "${env:MY_SECRET}"
    with pytest.raises(toolkit.ToolkitError, match=r"\$\{env:MY_SECRET\}") as told:
        toolkit.validate(recipe, plugins=PLUGINS)
    assert "s3cr3t" not in str(told.value)

    said: list[Mapping[str, Any]] = []
    log = EventLog(tmp_path / "events.jsonl", lambda name, facts: said.append(facts))
    log.emit("warning", message='denied to s3cr3t-"tok&n', number=1)
    log.emit("noted", message="?key=s3cr3t-%22tok%26n")
    log.close()
    assert said[0] == {"message": "denied to ${env:MY_SECRET}", "number": 1}
    assert said[1] == {"message": "?key=${env:MY_SECRET}"}
    assert "s3cr3t" not in (tmp_path / "events.jsonl").read_text()


@pytest.mark.parametrize("damage", ["gone", "flipped", "empty"])
def test_a_training_that_has_lost_its_weights_is_trained_again(run: Path, damage: str) -> None:
    before = toolkit.Run(run).outcome
    shutil.rmtree(run / "best")
    change(run, "DELETE FROM meta WHERE key IN ('outcome', 'exported')")
    (weights,) = run.glob("final/*/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content) if damage == "flipped" else b"")
    if damage == "gone":
        weights.unlink()
    again = toolkit.search(tiny_recipe(), plugins=PLUGINS, output=run)
    warned = [e.facts["message"] for e in again.events() if e.name == "warning"]
    assert any("It is trained again" in message for message in warned)
    assert again.outcome is not None and before is not None
    assert again.outcome.test == before.test, "to the digit"
    assert (run / "best" / "model.py").is_file()
