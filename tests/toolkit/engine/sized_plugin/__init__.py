"""A space whose architectures differ in cost, and which measures and draws something of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit import contracts
from toolkit.contracts import (
    Architecture,
    Direction,
    Learner,
    Scatter,
    Series,
    TaskInfo,
    TrialContext,
)
from toolkit.space import Group, Int, Space


class SizedLearner(Learner):
    """The wider, the more accurate; no training at all."""

    def __init__(self, model: Any, width: int, accuracy: float, options: Any) -> None:
        super().__init__(model)
        self.width, self.accuracy, self.options = width, accuracy, options

    def fit(self, trial: TrialContext) -> dict[str, float]:
        import torch

        (trial.folder / "draws.txt").write_text(str(torch.rand(()).item()))
        accuracy = self.accuracy
        for epoch in range(1, self.options.epochs + 1):
            time.sleep(self.options.pause_s)
            trial.report(epoch, {"accuracy": accuracy * epoch / self.options.epochs})
        return {"accuracy": accuracy, "loss": 1 - accuracy}

    def measures(self, trial: TrialContext, held_out: Any) -> dict[str, float]:
        import torch

        assert not torch.is_grad_enabled()
        assert not self.model.training
        if self.options.silent:
            return {}
        return {"roughness": self.width / 2 + len(held_out) / 1000}

    def drawing(self, trial: TrialContext, held_out: Any) -> Scatter | None:
        known, new = trial.splits.train.tensors, held_out.tensors  # type: ignore[attr-defined]
        return Scatter(
            "Two of four numbers",
            [
                Series("train", known[0][:, :2].tolist(), known[1].tolist()),
                Series("test", new[0][:, :2].tolist(), new[1].tolist(), "circle"),
                Series("centres", [(0.0, 0.0), (2.0, 2.0)], [0, 1], "star"),
            ],
            x="first",
            y="second",
            caption="The clouds lie around their centres.",
        )


class SizedOptions(contracts.Options):
    widths: int = 8
    depths: int = 1
    epochs: int = 2
    silent: bool = False
    worse_if_deep: bool = False
    pause_s: float = 0.0


class SizedSpace(contracts.SearchSpace):
    """`width` makes a model better and dearer; `depth` at most makes it worse."""

    Options = SizedOptions
    accepts = frozenset({"vector", "image"})
    measures: ClassVar[Mapping[str, Direction]] = {"roughness": "minimize"}

    def parameters(self, task: TaskInfo) -> Space:
        return Group(width=Int(1, self.options.widths), depth=Int(1, self.options.depths))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        from sized_plugin.model import SizedModel

        width = architecture["width"]
        deep = (architecture["depth"] - 1) / 20 if self.options.worse_if_deep else 0.0
        return SizedLearner(SizedModel(width), width, width / 10 - deep, self.options)

    def graph(self, architecture: Architecture, task: TaskInfo) -> Any:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("in", label=f"width {architecture['width']}")
        graph.add_node("out", label=f"depth {architecture['depth']}")
        graph.add_edge("in", "out")
        return graph

    def baselines(self, task: TaskInfo) -> dict[str, Architecture]:
        return {"wide": {"width": 9, "depth": 1}}
