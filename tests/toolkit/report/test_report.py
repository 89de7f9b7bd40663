"""The report says what the ledger knows, of runs in any state, in one file that needs no other."""

import json
import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from toolkit.base.errors import DamagedLedgerError
from toolkit.base.plain import finite
from toolkit.base.summary import Statistics, duration_in_words
from toolkit.contracts import Direction, Heat, Scatter, Series, TrialState
from toolkit.errors import LedgerError
from toolkit.report import formats, learner_chart, terms, write_report
from toolkit.report.charts import all_figures, looks
from toolkit.report.drawn import drawings
from toolkit.report.facts import Network, read_facts
from toolkit.report.importance import importance_of
from toolkit.report.verdict import judge
from toolkit.run.facts import FINAL_S, OBJECTIVES, OUTCOME, RECIPE, SEARCH_S
from toolkit.run.ledger import Ledger
from toolkit.run.outcome import Baseline, Part, RunOutcome, TrainingResult
from toolkit.run.records import TrialRecord

EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'
CELL = {
    "edges": ["0→2", "1→2"],
    "operations": ["none", "skip | bimap_0"],
    "weights": [[0.25, 0.75], [0.5, 0.5]],
}


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._hidden = "", False
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else f"{data} "

    @property
    def charts(self) -> set[str]:
        ids = (attrs.get("id") or "" for _, attrs in self.tags)
        return {name.removeprefix("chart-") for name in ids if name.startswith("chart-")}


class Run:
    """A run folder written as the engine writes it."""

    def __init__(self, folder: Path, direction: Direction = "maximize", **recipe: Any) -> None:
        self.folder = folder
        self.ledger = Ledger.open(folder / "ledger.sqlite")
        self.ledger.put_fact(
            RECIPE,
            {
                "name": "small run",
                "task": {"name": "radar"},
                "space": {"name": "cells"},
                "strategy": {"name": "supernet"},
                **recipe,
            },
        )
        self.ledger.put_fact(OBJECTIVES, {"accuracy": direction})
        self.number = 0

    def trial(self, values: dict[str, float] | None = None, epochs: int = 2, **given: Any) -> int:
        self.number += 1
        facts: dict[str, Any] = {
            "phase": "search",
            "kind": "train",
            "state": TrialState.DONE,
            "seed": 1,
            "point": {"architecture": {"a": 1}},
            "fingerprint": "abcd1234",
            "parameters": 1234,
            "duration_s": 3.0,
            "values": values or {},
            **given,
        }
        self.ledger.put(TrialRecord(number=self.number, **facts))
        for step in range(1, epochs + 1):
            records = {}
            if facts["kind"] == "supernet":
                records = {"edge_weights": {"normal": CELL}, "entropy": {"normal": 0.6}}
            self.ledger.add_metrics(self.number, step, values or {}, records)
        return self.number

    def final(self, label: str, tests: list[float], **given: Any) -> list[TrainingResult]:
        trainings = []
        for test in tests:
            values = {"accuracy": test, "train_loss": 0.1}
            number = self.trial(values, label=label, phase="final", **given)
            accuracy = {"accuracy": test}
            trainings.append(TrainingResult(number, label, 1, "abcd1234", 1234, values, accuracy))
        return trainings

    def outcome(self, networks: dict[str, list[float]], found_as: Part | None = None) -> None:
        trainings = [t for label, tests in networks.items() for t in self.final(label, tests)]
        pooled: dict[str, list[float]] = {}
        for label, tests in networks.items():
            pooled.setdefault(re.sub(r"^random-\d+$", "random", label), []).extend(tests)
        results = {
            name: {"accuracy": Statistics(sum(v) / len(v), 0.01, tuple(v))}
            for name, v in pooled.items()
        }
        found = results.pop("found")
        outcome = RunOutcome(
            architecture={"a": 1},
            point={"architecture": {"a": 1}},
            trial=1,
            fingerprint="abcd1234",
            found_as=found_as,
            values={},
            parameters=1234,
            test=found,
            baselines={name: Baseline(test, 643) for name, test in results.items()},
            trainings=tuple(trainings),
            times_s={},
        )
        self.ledger.put_fact(OUTCOME, outcome)
        self.ledger.put_fact(SEARCH_S, 75.0)
        self.ledger.put_fact(FINAL_S, 125.0)

    def report(self) -> Page:
        self.ledger.close()
        return Page(write_report(self.folder))


def complete(run: Run) -> None:
    run.trial({"accuracy": 0.8}, kind="supernet", point=None, fingerprint="supernet")
    run.trial({"accuracy": 0.9})
    run.outcome(
        {
            "found": [0.95, 0.96, 0.97],
            "spdnet": [0.92, 0.93, 0.91],
            "random-1": [0.94, 0.93],
            "random-2": [0.93, 0.93],
        }
    )


def test_complete_run_shows_every_part(tmp_path: Path) -> None:
    run = Run(tmp_path)
    complete(run)
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "architecture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "recipe.yaml").write_text("name: small run # as given\n")
    (tmp_path / "events.jsonl").write_text(
        json.dumps({"event": "warning", "number": 1, "message": "It collapsed."}) + '\n{"event": "w'
    )
    page = run.report()
    assert page.charts == {"results", "weights-1", "supernet", "curves"}
    for said in (
        "small run",
        "96.0 ± 1.0 %",
        "The search earned its cost",
        "spdnet",
        "643",
        "random architectures",
        "Trial 1: It collapsed.",
        "1 min 15 s",
        "2 min 5 s",
        "as given",
        "abcd1234",
    ):
        assert said in page.text, said
    images = [attrs["src"] or "" for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 1 and images[0].startswith("data:image/svg+xml;base64,")


def test_report_asks_nothing_of_the_network(tmp_path: Path) -> None:
    run = Run(tmp_path)
    complete(run)
    page = run.report()
    for tag, attrs in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "action", "data"):
            assert (attrs.get(name) or "data:").startswith("data:")
    policy = next(
        attrs["content"] for tag, attrs in page.tags if tag == "meta" and "content" in attrs
    )
    assert policy is not None and "default-src 'none'" in policy and "http" not in policy


def test_nothing_given_by_a_user_becomes_markup(tmp_path: Path) -> None:
    run = Run(tmp_path, name=EVIL, task={"name": EVIL})
    cell = {"edges": [EVIL], "operations": [EVIL], "weights": [[1.0]]}
    records = {"edge_weights": {EVIL: cell}, "entropy": {EVIL: 0.5}}
    number = run.trial({"accuracy": 0.8, EVIL: 1.0}, kind="supernet", point=None)
    for step in (1, 2):
        run.ledger.add_metrics(number, step, {"accuracy": 1.0}, records)
    run.trial({"accuracy": 0.9}, error=f"Traceback\n{EVIL}", point={"architecture": {EVIL: EVIL}})
    run.outcome({"found": [0.9, 0.8], EVIL: [0.7, 0.6]})
    (tmp_path / "recipe.yaml").write_text(EVIL)
    (tmp_path / "events.jsonl").write_text(json.dumps({"event": "warning", "message": EVIL}))
    page = run.report()
    assert page.charts == {"results", "weights-1", "supernet", "curves"}
    scripts = [attrs.get("type") for tag, attrs in page.tags if tag == "script"]
    assert scripts.count("application/json") == len(page.charts)
    assert len(scripts) == 2 + len(page.charts)
    assert not [attrs for tag, attrs in page.tags if tag == "img" or "onerror" in attrs]
    assert page.text.count(EVIL) >= 6
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert EVIL not in written and "<img src=x" not in written


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.9})
    message = "Give `toolkit x <b>`, not <b>bold</b> or a ` alone."
    said = {"event": "warning", "message": message}
    (tmp_path / "events.jsonl").write_text(json.dumps(said))
    run.report()
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<code>toolkit x &lt;b&gt;</code>, not &lt;b&gt;bold&lt;/b&gt; or a ` alone" in written


def test_ticks_of_the_test_results_leave_room_for_the_axis_title(tmp_path: Path) -> None:
    run = Run(tmp_path)
    complete(run)
    run.report()
    figure = all_figures(read_facts(tmp_path))["results"]
    assert figure is not None and figure.layout.xaxis.automargin is True


def test_run_without_supernet_shows_progress_and_states(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for value in (0.7, 0.9, 0.8):
        run.trial({"accuracy": value})
    run.trial({"accuracy": 0.3}, state=TrialState.PRUNED, fidelity={"epochs": 2})
    run.trial(state=TrialState.FAILED, parameters=None, epochs=0, error="Traceback\nKeyError: 'x'")
    run.trial({"accuracy": 0.9}, source=2)
    run.trial(state=TrialState.RUNNING, parameters=None, epochs=0)
    page = run.report()
    assert page.charts == {"progress"}
    for said in (
        "4 done, 1 pruned, 1 failed, 1 running",
        "KeyError: 'x'",
        "answered by trial 2",
        "not finished",
        "6 of 7 search trials",
        "Best so far is trial 2",
    ):
        assert said in page.text, said


def test_interrupted_run_shows_validation_results(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.9})
    run.final("found", [0.95, 0.97])
    run.final("spdnet", [0.9])
    run.final("spdnet", [0.9], state=TrialState.QUEUED)
    page = run.report()
    assert "Validation results; nothing has been tested yet." in page.text
    assert "96.0 ± 1.4 %" in page.text and "1 of 2" in page.text
    assert "curves" in page.charts and "results" not in page.charts


@pytest.mark.parametrize("trials", [0, 2])
def test_run_in_which_nothing_went_well_says_so(tmp_path: Path, trials: int) -> None:
    run = Run(tmp_path)
    for _ in range(trials):
        run.trial(state=TrialState.FAILED, parameters=None, epochs=0, error="boom")
    page = run.report()
    assert not page.charts and len((tmp_path / "report.html").read_bytes()) < 100_000
    assert ("No trial of this run ended well" if trials else "not finished") in page.text


def test_values_that_are_missing_or_not_finite_are_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": float("nan")}, state=TrialState.INVALID)
    run.trial({"accuracy": 0.5, "loss": float("inf")})
    run.trial({"accuracy": 0.6})
    assert "progress" in run.report().charts


def work_of_report(folder: Path, trials: int) -> int:
    """Bytecode instructions of the toolkit and its templates in the report of so many trials."""
    run = Run(folder)
    for number in range(trials):
        run.trial({"accuracy": number / trials}, epochs=1)
    run.ledger.close()
    done = 0

    def trace(frame: FrameType, event: str, given: object) -> object:
        nonlocal done
        if event == "call" and not {"toolkit", "<template>"} & set(
            frame.f_code.co_filename.split("/")
        ):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        done += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        write_report(folder)
    finally:
        sys.settrace(before)
    return done


@pytest.mark.faults
def test_the_work_of_a_report_grows_no_faster_than_its_trials(tmp_path: Path) -> None:
    work = []
    for trials in (150, 300, 450):
        (tmp_path / str(trials)).mkdir()
        work.append(work_of_report(tmp_path / str(trials), trials))
    first, second = work[1] - work[0], work[2] - work[1]
    assert second < 1.25 * first, work  # A square would have 5/3.


@pytest.mark.faults
@pytest.mark.parametrize(
    "content", [b"[1, 2]", b'{"command": 5}', b'{"a": 1}', b"\xff", b"[" * 200_000, b"{"]
)
def test_a_manifest_from_elsewhere_is_left_out(tmp_path: Path, content: bytes) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.5})
    (tmp_path / "manifest.json").write_bytes(content)
    assert "accuracy" in run.report().text


@pytest.mark.parametrize("program", ["/opt/env/bin/toolkit", "/src/toolkit/__main__.py"])
def test_the_command_of_a_run_is_one_that_can_be_typed(tmp_path: Path, program: str) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.5})
    known = {"python": "3", "platform": "x", "cpu_count": 1, "packages": {}}
    known["command"] = [program, "search", "mine"]
    (tmp_path / "manifest.json").write_text(json.dumps(known))
    assert read_facts(tmp_path).command == "toolkit search mine"


@pytest.mark.faults
def test_drawings_from_elsewhere_are_left_out_where_they_are_none() -> None:
    heat = Heat("weights", [[math.nan, 1.0]], ["row"], ["a", "b"]).to_json()
    points = Scatter("points", [Series("test", [(0.0, 1.0)], [0])]).to_json()
    sound = json.loads(json.dumps(finite([heat, points])))
    junk: list[Any] = [3, {}, {"kind": "code"}, {**sound[0], "values": 3}]
    junk += [{**sound[1], "series": [{**sound[1]["series"][0], "classes": []}]}]
    assert list(drawings({"drawings": [*junk, *sound]})) == sound
    assert all(learner_chart.chart(drawing, ()) is not None for drawing in sound)
    assert drawings({"drawings": 3}) == drawings({"series": 3}) == drawings({}) == ()


@pytest.mark.faults
@pytest.mark.parametrize("name", ["sweep.json", "evaluation.json"])
@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"rows": 3}', "[" * 100_000])
def test_a_result_of_many_runs_that_is_none_is_damage(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DamagedLedgerError, match=f"{name} is damaged"):
        write_report(tmp_path)


@pytest.mark.faults
def test_nothing_outside_of_a_run_is_put_into_its_report(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password: 1234567")
    folder = tmp_path / "run"
    folder.mkdir()
    run = Run(folder)
    run.trial({"accuracy": 0.5})
    (folder / "best").mkdir()
    for name in ("recipe.yaml", "recipe.resolved.yaml", "manifest.json", "best/architecture.svg"):
        (folder / name).symlink_to(secret)
    assert "1234567" not in run.report().text


def test_a_folder_without_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("networks", "tone", "said"),
    [
        (
            {"found": [0.95, 0.96], "a": [0.9, 0.91], "random-1": [0.9], "random-2": [0.91]},
            "good",
            "earned its cost: +5.00 points against a and +5.00 points against random",
        ),
        (
            {"found": [0.95, 0.96], "a": [0.9, 0.91], "random-1": [0.96], "random-2": [0.97]},
            "mixed",
            "random architectures of the same space do as well",
        ),
        ({"found": [0.95, 0.96], "a": [0.98, 0.99]}, "bad", "a is as good or better"),
        ({"found": [0.90, 0.96], "a": [0.89, 0.95]}, "mixed", "not settled"),
        ({"found": [0.95], "a": [0.90]}, "mixed", "not settled"),
        ({"found": [0.95, 0.96]}, "open", "cannot be said"),
    ],
)
def test_the_verdict_follows_from_the_test_results(
    tmp_path: Path, networks: dict[str, list[float]], tone: str, said: str
) -> None:
    run = Run(tmp_path)
    run.outcome(networks)
    run.ledger.close()
    verdict = judge(read_facts(tmp_path))
    assert (verdict.tone, said in verdict.sentence) == (tone, True), verdict.sentence


@pytest.mark.parametrize(
    ("networks", "tone", "said"),
    [
        (
            {"found": [0.95, 0.96], "linear": [0.9, 0.91], "joint": [0.92, 0.92]},
            "mixed",
            "3 heads were compared on the same network: null_space did best in test accuracy, and"
            " joint comes next, 3.50 points behind (95 % interval −2.85 points to +9.85 points):"
            " within the noise of the trainings.",
        ),
        (
            {
                "found": [0.951, 0.952],
                "linear": [0.961, 0.962],
                "random-1": [0.9],
                "random-2": [0.901],
            },
            "good",
            "linear did best in test accuracy, and null_space comes next, 1.00 points behind (95 %"
            " interval +0.70 points to +1.30 points): more than the noise of the trainings. The"
            " search earned",
        ),
        ({"found": [0.95], "linear": [0.9]}, "mixed", "One training each does not tell"),
        (
            {"found": [0.95, 0.97], "linear": [0.96, 0.96], "joint": [0.95, 0.93]},
            "mixed",
            "linear and null_space, which are equal, did best in test accuracy, and joint comes"
            " next, 2.00 points behind",
        ),
        ({"found": [0.95, 0.95], "linear": [0.95, 0.95]}, "mixed", "none did best, they are equal"),
    ],
)
def test_rivals_are_told_apart_and_the_winner_is_named(
    tmp_path: Path, networks: dict[str, list[float]], tone: str, said: str
) -> None:
    run = Run(tmp_path)
    run.outcome(networks, Part("head", "null_space"))
    run.ledger.close()
    verdict = judge(read_facts(tmp_path))
    assert (verdict.tone, said in verdict.sentence) == (tone, True), verdict.sentence


def test_points_of_ones_own_front_are_no_rivals(tmp_path: Path) -> None:
    run = Run(tmp_path)
    front = {"found": [0.95, 0.96], "front-12": [0.949, 0.962]}
    run.outcome({**front, "random-1": [0.7], "random-2": [0.705]})
    run.ledger.close()
    verdict = judge(read_facts(tmp_path))
    assert (verdict.tone, "front-12" in verdict.sentence) == ("good", False)
    assert any("front-12" in line for line in verdict.evidence)


def test_only_points_of_ones_own_front_tell_nothing_of_the_cost(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.outcome({"found": [0.95, 0.96], "front-12": [0.2, 0.9]})
    run.ledger.close()
    verdict = judge(read_facts(tmp_path))
    assert (verdict.tone, "what the search itself found" in verdict.sentence) == ("open", True)
    (line,) = verdict.evidence
    assert "to +100.00 points: so few trainings say next to nothing" in line


def test_a_smaller_loss_is_better(tmp_path: Path) -> None:
    run = Run(tmp_path, "minimize")
    run.outcome({"found": [0.1, 0.11], "a": [0.5, 0.51]})
    run.ledger.close()
    assert judge(read_facts(tmp_path)).tone == "good"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.metric(0.9531, "accuracy"), "95.31 %"),
        (formats.metric({"mean": 0.9, "std": 0.01, "seeds": [0.89, 0.91]}, "f1"), "90.0 ± 1.0 %"),
        (formats.metric({"mean": 0.9, "std": 0.0, "seeds": [0.9]}, "f1"), "90.00 %"),
        (formats.metric(0.12345, "loss"), "0.1235"),
        (formats.metric(None), "–"),
        (formats.metric(float("nan")), "–"),
        (duration_in_words(59.7), "1 min 0 s"),
        (duration_in_words(9.96), "10 s"),
        (duration_in_words(7260), "2 h 1 min"),
        (formats.count(12345), "12\u202f345"),
        (formats.last_line("a\nb: c\n\n"), "b: c"),
    ],
)
def test_numbers_read_well(shown: str, expected: str) -> None:
    assert shown == expected


def test_searched_values_have_columns_charts_and_an_importance(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for number in range(24):
        lr, size = 10 ** (-4 + number / 8), (16, 32, 64)[number % 3]
        point = {"architecture": {"a": 1}, "train": {"lr": lr, "batch_size": size}}
        run.trial({"accuracy": number / 24, "parameters": 10.0}, point=point)
    page = run.report()
    assert {"parallel", "importance", "slice-1", "slice-2"} <= page.charts
    heads = page.text.split("Search trials")[1]
    assert "train.lr" in heads and "train.batch_size" in heads and "0.0001" in heads
    assert heads.split("remarks")[0].count("parameters") == 1
    shares = importance_of(read_facts(tmp_path))
    assert shares["train.lr"] > shares["train.batch_size"]


def test_decisions_of_a_space_have_columns_where_few_differ(tmp_path: Path) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    few, many = Run(tmp_path / "few"), Run(tmp_path / "many")
    for number in range(3):
        sizes = {"width": 16 + number, "mlp": {"dropout": number / 8}, "fixed": 1}
        few.trial({"accuracy": 0.5}, point={"architecture": sizes, "train": {"lr": 0.1}})
        lots = {f"op{k}": number for k in range(10)}
        many.trial({"accuracy": 0.5}, point={"architecture": lots, "train": {"lr": 0.1}})
    heads = few.report().text.split("Search trials")[1].split("remarks")[0].split()
    assert {"train.lr", "width", "mlp.dropout"} <= set(heads), heads
    assert "fixed" not in heads
    heads = many.report().text.split("Search trials")[1].split("remarks")[0].split()
    assert "train.lr" in heads and "op0" not in heads


def test_reasons_for_failures_are_counted_whatever_their_numbers(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for size in (3, 4, 5):
        error = f"Traceback\nValueError: size {size}"
        run.trial(state=TrialState.FAILED, parameters=None, epochs=0, error=error)
    run.ledger.close()
    assert read_facts(tmp_path).failures == [("ValueError: size N", 3, 1)]


def test_a_long_message_is_one_line_with_the_rest_below_it() -> None:
    error = "Traceback:\n  File x\nValueError: y\nTo reproduce it: z"
    text = f"Trial 2 is the first to fail (failed):\n{error}"
    said, rest = formats.parts(text)
    assert said == "Trial 2 is the first to fail (failed): ValueError: y"
    assert rest == error
    assert formats.parts("Short.") == ("Short.", "")


def test_no_two_networks_look_alike() -> None:
    networks = [Network(f"n{number}", []) for number in range(30)]
    networks += [Network("found", []), Network("random", [])]
    assert len(set(looks(networks).values())) == len(networks)


def test_words_that_a_page_uses_are_explained_and_no_others(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.3}, state=TrialState.PRUNED)
    page = run.report()
    assert "A trial that was ended early" in page.text and "hypervolume" not in page.text


def test_what_the_report_adds_to_its_data_is_small(tmp_path: Path) -> None:
    run = Run(tmp_path)
    complete(run)
    run.report()
    assert len((tmp_path / "report.html").read_bytes()) < 1_500_000


def test_what_was_found_and_what_is_handed_over_are_both_drawn(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.9})
    run.outcome({"found": [0.9, 0.91], "spdnet": [0.95, 0.96]})
    run.ledger.commit()
    outcome = run.ledger.get(OUTCOME)
    assert outcome is not None
    run.ledger.put_fact(OUTCOME, replace(outcome, handed_over="spdnet"))
    (tmp_path / "best").mkdir()
    for name in ("architecture", "found"):
        text = f"<svg xmlns='http://www.w3.org/2000/svg' id='{name}'/>"
        (tmp_path / "best" / f"{name}.svg").write_text(text)
    page = run.report()
    drawn = [attrs["alt"] for tag, attrs in page.tags if tag == "img"]
    assert [text.partition(":")[0] for text in drawn] == [
        "Drawing of what the search found",
        "Drawing of what best/ holds",
    ]
    assert "Found by the search" in page.text and "Handed over in best/: spdnet" in page.text


def test_constraints_have_a_column_where_a_recipe_has_any(tmp_path: Path) -> None:
    run = Run(tmp_path, constraints={"parameters": "< 1000"})
    broken = {"parameters < 1000": 0.234}
    run.trial({"parameters": 1234.0}, 0, state=TrialState.INVALID, violations=broken)
    run.trial({"accuracy": 0.8}, parameters=900)
    page = run.report()
    assert "breaks parameters < 1000 (1234)" in page.text and " met " in page.text
    assert "not trained, as it breaks parameters < 1000" in page.text
    (tmp_path / "other").mkdir()
    plain = Run(tmp_path / "other")
    plain.trial({"accuracy": 0.8})
    assert " constraints " not in plain.report().text


def test_a_random_architecture_in_best_is_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trial({"accuracy": 0.9})
    run.outcome({"found": [0.9], "random-1": [0.95], "random-2": [0.8]})
    run.ledger.commit()
    outcome = run.ledger.get(OUTCOME)
    assert outcome is not None
    run.ledger.put_fact(OUTCOME, replace(outcome, handed_over="random-1"))
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "architecture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page = run.report()
    assert "Handed over in best/: a random architecture" in page.text


def test_terms_of_networks_of_matrices_are_explained() -> None:
    text = "BiMap to 8 x 8, ReEig, LogEig; beside SPDNet, tangent space"
    assert {"BiMap", "ReEig", "LogEig", "SPDNet", "tangent space"} <= set(terms.used_in(text))
