"""Random points of the null-space search space, trained briefly: is every step finite?

    python benchmarks/nullspace_stability.py            50 trainings, a line for each
    python benchmarks/nullspace_stability.py --json     the same as a list of objects

Points are drawn from the whole tree, published parts included, for scikit-learn's digits resized
to 32 x 32, 30 images of each class, two epochs.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from toolkit import batches, training
from toolkit.contracts import Train
from toolkit.space import sample
from toolkit_images.digits import DigitsTask
from toolkit_nullspace.space import NullspaceHeadSpace

EPOCHS = 2


def run(seed: int, space: NullspaceHeadSpace, task: DigitsTask) -> dict[str, Any]:
    """Train one random point; count steps and those with a loss or gradient that is not finite."""
    info = task.info()
    point = sample(space.parameters(info), random.Random(seed))
    torch.manual_seed(seed)
    learner = space.build(point, info)
    splits = task.load(Path(tempfile.gettempdir()), seed)
    train = Train(epochs=EPOCHS, batch_size=32)
    optimizer = learner.optimizer(train)
    schedule = training.Schedule(optimizer, train.schedule, EPOCHS, learner.schedule)
    count = batches.length(splits.train)
    generator = torch.Generator().manual_seed(seed)
    steps = bad = 0
    start = time.process_time()
    for epoch in range(EPOCHS):
        learner.model.train()
        own = learner.sampler(splits.train, train, generator)
        order = torch.randperm(count).split(32) if own is None else batches.as_indices(own)
        fetched = batches.fetch(splits.train, list(order), torch.device("cpu"))
        for step, batch in enumerate(fetched):
            schedule.set(epoch + step / len(order))
            optimizer.zero_grad(set_to_none=True)
            loss = learner.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(learner.model.parameters(), 5.0)
            steps += 1
            bad += not bool(loss.isfinite() and norm.isfinite())
            optimizer.step()
    learner.model.eval()
    with torch.no_grad():
        learner.finalize(splits.train)
        inputs, truth = splits.val[:]  # type: ignore[misc]
        scores = learner.predict(inputs)
    return {
        "seed": seed,
        "head": next(iter(point["head"])),
        "backbone": next(iter(point["backbone"])),
        "steps": steps,
        "not_finite": bad,
        "scores_finite": bool(scores.isfinite().all()),
        "accuracy": float((scores.argmax(1) == truth).double().mean()),
        "cpu_s": time.process_time() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Train random points of the space.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    space = NullspaceHeadSpace(
        NullspaceHeadSpace.Options(image_sizes=(32,), pretrained="never", published=True)
    )
    task = DigitsTask(DigitsTask.Options(per_class=30))
    rows = []
    for seed in range(options.runs):
        rows.append(run(seed, space, task))
        if not options.json:
            print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        steps, bad = sum(row["steps"] for row in rows), sum(row["not_finite"] for row in rows)
        print(f"{len(rows)} trainings, {steps} steps, {bad} not finite")


if __name__ == "__main__":
    main()
