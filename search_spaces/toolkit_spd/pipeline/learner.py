"""How a pipeline learns: at once, from the whole training part."""

import torch

from toolkit.contracts import Learner, TaskInfo, TrialContext
from toolkit.errors import DataError
from toolkit.training.batches import fetch, in_order, length
from toolkit.training.loop import evaluate

from .design import Design
from .fitting import fit_pipeline

_BATCH = 1024


class PipelineLearner(Learner):
    """A pipeline, fitted in closed form or by convex solvers: epochs mean nothing to it."""

    def __init__(self, design: Design, task: TaskInfo) -> None:
        self.classifier = design.module(task)
        super().__init__(self.classifier)
        self.design = design

    def fit(self, trial: TrialContext) -> dict[str, float]:
        """Fit it to the training part; return the metrics on the validation part."""
        train = trial.splits.train
        self.classifier.to(trial.device).eval()
        batches = fetch(train, in_order(length(train), _BATCH), trial.device)
        inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        if len(labels.unique()) < 2:
            raise DataError("All training samples are of one class; two at least are needed.")
        design = self.design
        fit_pipeline(
            self.classifier,
            inputs,
            labels,
            design.families,
            design.mean,
            design.standardize,
            trial.splits.groups,
        )
        return evaluate(self, trial.splits.val, trial.task, trial.device)
