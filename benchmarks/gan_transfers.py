"""Ways to carry a generator of seven kinds of clothing to three others, from 25 images of each.

One pre-training of 600 steps on Fashion-MNIST (t10k), which `toolkit search gan_transfer_fashion`
shares; then each way at its default rates, with several draws of the shots and seeds, judged on the
600 test images of each class, after 102 steps and after 402 of the same training (rows first and
then all: after 402 alone). A result is printed as soon as it is there and kept in a folder, where
an interrupted benchmark goes on.

    python benchmarks/gan_transfers.py IDX_FOLDER [--draws N] [--found architecture.json]
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from toolkit.analysis.significance import welch_half_width
from toolkit.base.files import write_atomically
from toolkit.base.places import data_dir
from toolkit.contracts import Splits, Train, TrialContext
from toolkit.training.loop import evaluate
from toolkit.worker.preparation import folder_of, make
from toolkit_gan.design import read
from toolkit_gan.learner import TransferLearner, steps_of_epoch
from toolkit_gan.space import GanTransferSpace
from toolkit_gan.tree import hand_made, rivals
from toolkit_images.generation.fashion import FashionGenerationTask

SHORT, LONG, BATCH = 34, 134, 32
"""Epochs of 3 steps, as in the recipe, and images of a step."""
FEW, MANY = 3 * SHORT, 3 * LONG
SHOWN = ("class_fid", "fid", "kmmd", "kmmd_pixels", "coverage", "class_accuracy", "copied")
WORDS = {
    "scratch": "scratch",
    "free_rows": "rows of their own",
    "bn": "rows, a mixture with residuals",
    "bn_ft": "rows first, then all",
    "ft": "fine-tuning of all",
    "found": "found by the search",
}


class Alone(TrialContext):
    """A training without an engine."""

    def __init__(
        self, task: FashionGenerationTask, splits: Splits, prepared: Path | None, seed: int
    ) -> None:
        self.task, self.info, self.splits = task, task.info(), splits
        self.prepared = prepared
        self.seed, self.device = seed, torch.device("cpu")
        self.of_epochs, self.state = LONG, None

    def report(self, step: int, values: Mapping[str, float], **records: Any) -> None:
        """Nobody listens."""

    def save(self, state: Mapping[str, Any]) -> None:
        """Kept in memory."""
        self.state = copy.deepcopy(dict(state))

    def restore(self) -> dict[str, Any] | None:
        """Where the shorter training ended."""
        return self.state


def trained(
    space: GanTransferSpace, point: Mapping[str, Any], trial: Alone
) -> Iterator[tuple[int, dict[str, float]]]:
    """What the test says after the short training, and after the same went on to the long one."""
    test = trial.splits.load_test()
    for epochs in (SHORT, LONG):
        trial.train = Train(epochs=epochs, batch_size=BATCH)
        torch.manual_seed(trial.seed)
        learner = space.build(dict(point), trial.info)
        assert isinstance(learner, TransferLearner)
        learner.fit(trial)
        found = evaluate(learner, test, trial.task, trial.device)
        yield epochs * steps_of_epoch(trial), found | learner.measures(trial, test)


def results(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All results, those of an earlier call too."""
    kept = arguments.output / "results.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.is_file() else []
    known = {(row["way"], row["draw"]) for row in rows}
    options = {"data": arguments.folder, "shots": 25}
    task = FashionGenerationTask(FashionGenerationTask.Options.model_validate(options))
    space = GanTransferSpace(GanTransferSpace.Options(pretraining_steps=600))
    points = rivals(hand_made()[1])
    if arguments.found:
        points["found"] = json.loads(arguments.found.read_text())
    for draw in range(arguments.draws):
        splits = task.load(data_dir(), draw)
        prepared = folder_of("gan_transfer", space.preparation(task.info()), splits)
        if not prepared.is_dir():
            make(space, Alone(task, splits, None, 0), prepared)
        cpu = torch.device("cpu")
        if ("references", draw) not in known:
            given = task.references(splits, splits.load_test(), cpu)
            rows += [
                {"way": "references", "draw": draw, "name": name, "steps": 0, **values}
                for name, values in given.items()
            ]
        for way, point in points.items():
            if (way, draw) in known:
                continue
            began = time.process_time()
            trial = Alone(task, splits, prepared, draw)
            for steps, values in trained(space, point, trial):
                if steps < MANY and read(point).stage == "bn_ft":
                    continue  # A training of so few steps would go over to all sooner.
                seconds = time.process_time() - began
                row = {"way": way, "draw": draw, "name": WORDS[way], "steps": steps, **values}
                rows.append({**row, "cpu_s": seconds})
                print(json.dumps(rows[-1]), flush=True)
            write_atomically(kept, json.dumps(rows, indent=1).encode())
    return rows


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Means and standard deviations over the draws, and intervals of differences."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["name"], row["steps"]), []).append(row)
    yield "| transfer | steps | " + " | ".join(SHOWN) + " |"
    yield "|---" * (len(SHOWN) + 2) + "|"
    for (name, steps), group in sorted(groups.items(), key=lambda item: item[0][1] or 999):
        cells = [_mean([row[key] for row in group]) if key in group[0] else "" for key in SHOWN]
        yield f"| {name} | {steps or ''} | {' | '.join(cells)} |"
    own = {
        key: [row["class_fid"] for row in group] for key, group in groups.items() if len(group) > 1
    }
    for steps, better, worse in (
        (FEW, "bn", "scratch"),
        (FEW, "bn", "free_rows"),
        (FEW, "ft", "bn"),
        (MANY, "ft", "bn"),
        (MANY, "ft", "bn_ft"),
        (MANY, "bn", "scratch"),
        (MANY, "ft", "scratch"),
        (MANY, "found", "ft"),
    ):
        pair = [own.get((WORDS[way], steps)) for way in (worse, better)]
        if pair[0] is None or pair[1] is None:
            continue
        difference = statistics.fmean(pair[0]) - statistics.fmean(pair[1])
        half = welch_half_width(pair[0], pair[1]) or float("nan")
        yield f"{steps} steps, class_fid: {worse} - {better} {difference:+.2f} +- {half:.2f}"


def _mean(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3g}"
    return f"{statistics.fmean(values):.3g} ± {statistics.stdev(values):.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the idx files of Fashion-MNIST are")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--found", type=Path, help="an architecture.json to set beside the others")
    parser.add_argument("--output", type=Path, default=Path("runs/gan_transfers"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for line in table(results(arguments)):
        print(line)


if __name__ == "__main__":
    main()
