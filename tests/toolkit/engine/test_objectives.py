"""Several objectives: the Pareto front and its hypervolume, in the ledger and where shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from command_line import run_toolkit
from toolkit.analysis.pareto import Archive
from toolkit.run.facts import DRAWING, FRONT

SIZED = "space={name: sized_space, widths: 8, depths: 3}"
TWO = "objectives={accuracy: maximize, parameters: minimize}"


def command(inline: Any, *words: str) -> str:
    """What the command says of the run."""
    answer = run_toolkit(words[0], inline.folder, *words[1:])
    assert answer.code == 0, answer.err
    return answer.out


def test_the_front_of_a_run_is_in_its_ledger_and_shown(inline: Any) -> None:
    assert inline(SIZED, TWO, "constraints={parameters: '<= 51'}", "budget.trials=14")[0] == 0
    done = [record for record in inline.trials() if record.state == "done"]
    front = inline.fact(FRONT)
    # Wider is better and dearer, so that of each width the first trial is on the front.
    first: dict[int, int] = {}
    for record in sorted(done, key=lambda record: record.told):
        first.setdefault(record.point["architecture"]["width"], record.number)
    assert list(front.trials) == [number for _, number in sorted(first.items(), reverse=True)]
    archive = Archive({"accuracy": "maximize", "parameters": "minimize"})
    for record in sorted(done, key=lambda record: record.told):
        archive.add(record.number, record.values)
    assert front.hypervolume == pytest.approx(archive.hypervolume)
    assert front.reference == archive.reference
    assert front.results == len(done) == 14

    ended = next(event for event in inline.events() if event["event"] == "search_ended")
    assert ended["front"] == len(front.trials)
    assert ended["hypervolume"] == pytest.approx(front.hypervolume)
    status = json.loads(command(inline, "status", "--json"))
    assert status["front"] == list(front.trials)
    assert status["rejected"] == len(inline.trials()) - 14 > 0
    best = json.loads(command(inline, "best", "--json"))
    assert [point["trial"] for point in best["front"]["points"]] == list(front.trials)
    assert best["front"]["points"][0]["values"]["parameters"] == 7 * max(first) + 2
    text = command(inline, "best")
    assert f"Pareto front: {len(first)} of 14 trials, hypervolume" in text
    assert "latency_batch_ms" in text, "the costs of the networks"
    (drawn,) = inline.fact(DRAWING)["drawings"]
    assert [len(series["points"]) for series in drawn["series"]] == [32, 32, 2]
    page = (inline.folder / "report.html").read_text()
    for chart in ("chart-front", "chart-hypervolume", "chart-scatter"):
        assert f'id="{chart}"' in page
    assert "The clouds lie around their centres." in page


def test_a_resumed_run_goes_on_with_its_front(inline: Any) -> None:
    assert inline(SIZED, TWO, "budget.trials=3")[0] == 0
    reference = inline.fact(FRONT).reference
    assert inline(SIZED, TWO, "budget.trials=12")[0] == 0
    archive = Archive({"accuracy": "maximize", "parameters": "minimize"})
    for record in sorted(inline.trials(), key=lambda record: record.told):
        archive.add(record.number, record.values)
    assert FRONT.plain(inline.fact(FRONT)) == archive.to_json()
    assert inline.fact(FRONT).reference != reference, "ten results fix it"


def test_pruning_with_several_objectives_takes_costs_in_from_the_start(inline: Any) -> None:
    pruned = "strategy={name: optuna.random, pruner: {name: median, value: rank}}"
    space = "space={name: sized_space, widths: 8, depths: 4, epochs: 4, worse_if_deep: true}"
    assert inline(space, TWO, pruned, "budget={trials: 24, dedup: repeat}")[0] == 0
    records = inline.trials()
    states = {record.state for record in records}
    assert states == {"done", "pruned"}
    for record in records:
        # Narrow models are less accurate, but dearer ones do not dominate them.
        assert record.state == "done" or record.point["architecture"]["depth"] > 1
        assert record.values["parameters"] == 7 * record.point["architecture"]["width"] + 2
    assert set(inline.fact(FRONT).trials) <= {r.number for r in records if r.state == "done"}


def test_one_objective_has_no_front(inline: Any) -> None:
    assert inline(SIZED, "budget.trials=2")[0] == 0
    assert inline.fact(FRONT) is None
    assert "front" not in json.loads(command(inline, "best", "--json"))
    assert "Pareto" not in (inline.folder / "report.html").read_text()
