"""The suites fail plugins that break a promise, and say which."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from toolkit.contracts import (
    Architecture,
    Direction,
    EdgeWeights,
    Exhausted,
    Learner,
    OneShotSpace,
    Proposal,
    SearchContext,
    Splits,
    Strategy,
    Supernet,
    Survey,
    Task,
    TaskInfo,
    Trial,
    TrialState,
    Wait,
)
from toolkit.space import Group, Int, Space, sample
from toolkit.testing import NESTED, check_search_space, check_strategy, check_task

INFO = TaskInfo("vector", (3,), 2, 12)


class Sound(Task):
    """A task that keeps every promise."""

    directions: ClassVar[dict[str, Direction]] = {"accuracy": "maximize"}
    calls = 0

    def info(self) -> TaskInfo:
        return INFO

    def load(self, data_dir: Path, seed: int) -> Splits:
        def part(count: int) -> Any:
            drawn = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
            return torch.utils.data.TensorDataset(drawn, torch.arange(count) % 2)

        return Splits(part(12), part(6), lambda: part(4))

    def metrics(self, scores: Tensor, labels: Tensor) -> dict[str, float]:
        return {"accuracy": float((scores.argmax(1) == labels).double().mean())}


class Larger(Sound):
    def info(self) -> TaskInfo:
        return TaskInfo("vector", (3,), 2, 13)


class Wider(Sound):
    def info(self) -> TaskInfo:
        return TaskInfo("vector", (4,), 2, 12)


class FewerClasses(Sound):
    def info(self) -> TaskInfo:
        return TaskInfo("vector", (3,), 1, 12)


class Unseeded(Sound):
    def load(self, data_dir: Path, seed: int) -> Splits:
        self.calls += 1
        return super().load(data_dir, self.calls)


class Secretive(Sound):
    def info(self) -> TaskInfo:
        return TaskInfo("vector", (3,), 2, 12, leaves_out=True)


class Unmeasured(Sound):
    directions: ClassVar[dict[str, Direction]] = {"f1": "maximize"}


class Miscounted(Sound):
    def survey(self, seed: int) -> Survey:
        return Survey({"train": {"0": 6, "1": 6}, "val": {"0": 3, "1": 4}})


class Fickle(Sound):
    def info(self) -> TaskInfo:
        self.calls += 1
        return TaskInfo("vector", (3,), 2, 12, class_names=(str(self.calls),))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Larger, "13 training samples, and `load` gives 12"),
        (Wider, r"has shape \(3,\), and `info` says \(4,\)"),
        (FewerClasses, "has label 1, and `info` tells of 1 classes"),
        (Unseeded, "two different samples 0 of the training part"),
        (Secretive, "leaves_out=True, and `load` gives no inputs"),
        (Unmeasured, "declares f1, and `metrics` gives none"),
        (Miscounted, "`survey` tells of .*'1': 4.* in val"),
        (Fickle, "first and"),
    ],
)
def test_tasks_that_break_a_promise_are_told(task: type[Task], says: str, tmp_path: Path) -> None:
    check_task(Sound(Sound.Options()), tmp_path)
    with pytest.raises(AssertionError, match=says):
        check_task(task(task.Options()), tmp_path)


class Net(nn.Module):
    """Two mixed candidates, chosen by weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.config = {"width": width}
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)
        return scores


class Mixture(Supernet):
    def __init__(self) -> None:
        super().__init__(Net(4))
        self.model.alpha = nn.Parameter(torch.zeros(1, 2))

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return super().loss(batch) * self.model.alpha.exp().sum()  # type: ignore[operator, union-attr]

    def architecture_parameters(self) -> list[nn.Parameter]:
        return [self.model.alpha]  # type: ignore[list-item]

    def edge_weights(self) -> dict[str, EdgeWeights]:
        return {"cell": EdgeWeights(("0",), ("4", "8"), ((0.5, 0.5),))}

    def derive(self) -> Architecture:
        return {"width": 4}


class Plain(OneShotSpace):
    """A space that keeps every promise."""

    accepts = frozenset({"vector"})

    def parameters(self, task: TaskInfo) -> Space:
        return Group(width=Int(2, 5))

    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        return Learner(Net(architecture["width"]))

    def supernet(self, task: TaskInfo) -> Supernet:
        return Mixture()


class Narrow(Plain):
    accepts = frozenset({"image"})


class Drifting(Plain):
    def parameters(self, task: TaskInfo) -> Space:
        return Group(width=Int(2, random.randrange(5, 10**9)))


class Circular(Plain):
    def graph(self, architecture: Architecture, task: TaskInfo) -> Any:
        import networkx

        graph = networkx.DiGraph([("a", "b"), ("b", "a")])
        networkx.set_node_attributes(graph, "node", "label")
        return graph


class Unlabelled(Plain):
    def graph(self, architecture: Architecture, task: TaskInfo) -> Any:
        import networkx

        return networkx.DiGraph([("a", "b")])


class Nameless(Plain):
    def graph(self, architecture: Architecture, task: TaskInfo) -> Any:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("a", label=str(id(architecture)))
        return graph


class Strangers(Plain):
    def rivals(self, architecture: Architecture, task: TaskInfo) -> dict[str, Architecture]:
        return {"other": {"width": architecture["width"] + 10}}


class Meddling(Plain):
    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        architecture["width"] = 3
        return super().build(architecture, task)


class SelfSeeded(Plain):
    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        torch.seed()
        return super().build(architecture, task)


def learning(**methods: Any) -> type[Plain]:
    """A space whose learners have these methods instead."""
    learner = type("Altered", (Learner,), methods)

    class Altered(Plain):
        def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
            made: Learner = learner(Net(architecture["width"]))
            return made

    return Altered


class Forgetful(Net):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.config = {"width": width}
        self.scale = 1.0 + torch.rand(()).item()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Unbuilt(Plain):
    def build(self, architecture: Architecture, task: TaskInfo) -> Learner:
        return Learner(Forgetful(architecture["width"]))


def mixing(**methods: Any) -> type[Plain]:
    """A space whose supernet has these methods instead."""
    supernet = type("Altered", (Mixture,), methods)

    class Altered(Plain):
        def supernet(self, task: TaskInfo) -> Supernet:
            made: Supernet = supernet()
            return made

    return Altered


def first_layer(self: Any, batch: Any) -> Tensor:
    return nn.functional.cross_entropy(self.model.layers[0](batch[0])[:, :2], batch[1])


def shrink(self: Any, directions: Sequence[Tensor], step: float) -> None:
    with torch.no_grad():
        for parameter in self.weight_parameters():
            parameter.mul_(0.5)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (Narrow, "of kind 'vector', and the space accepts image"),
        (Drifting, "differs from call to call"),
        (Circular, "has a cycle"),
        (Unlabelled, "without a label"),
        (Nameless, "once it was JSON"),
        (Strangers, "are other, and it is none of them"),
        (Meddling, "and left"),
        (SelfSeeded, r"two builds of .* differ"),
        (learning(loss=first_layer), r"2 of the 4 weights of .* get no gradient: layers\.2"),
        (learning(loss=lambda self, batch: self.model(batch[0])), "not a finite scalar"),
        (learning(schedule=lambda self, progress: -1.0), "at 0% of the training"),
        (learning(predict=lambda self, x: self.model(x)[:, :1]), r"scores of shape \(8, 1\)"),
        (learning(predict=lambda self, x: 2 * self.model(x)), "and `predict` differ"),
        (Unbuilt, "rebuilt from its config differ"),
        (mixing(weight_parameters=lambda self: [*self.model.parameters()]), "at once"),
        (mixing(derive=lambda self: {"width": 9}), "width: 9 is not an integer from 2 to 5"),
        (
            mixing(edge_weights=lambda self: {"cell": EdgeWeights(("0",), ("4",), ())}),
            "the weights of cell cell",
        ),
        (mixing(move=shrink), "before and after `move` by nothing"),
    ],
)
def test_spaces_that_break_a_promise_are_told(space: type[Plain], says: str) -> None:
    inputs = torch.randn(8, 3)
    check_search_space(Plain(Plain.Options()), INFO, inputs)
    with pytest.raises(Exception, match=says):
        check_search_space(space(space.Options()), INFO, inputs)


class Drawing(Strategy):
    """A strategy that keeps every promise."""

    def setup(self, context: SearchContext) -> None:
        self.context, self.number = context, 0

    def draw(self) -> Any:
        return sample(self.context.space, random.Random(f"{self.context.seed}/{self.number}"))

    def resume(self, trial: Trial) -> None:
        self.number = max(self.number, trial.token or 0)

    def ask(self) -> Proposal | Wait | Exhausted:
        self.number += 1
        return Proposal(self.draw(), token=self.number)

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self.resume(trial)


class Waiting(Drawing):
    def ask(self) -> Wait:
        return Wait()


class Silent(Drawing):
    def ask(self) -> Exhausted:
        return Exhausted()


class Outside(Drawing):
    def draw(self) -> Any:
        return {"no": "point"}


class Objects(Drawing):
    def ask(self) -> Proposal:
        return Proposal(self.draw(), token=(1, 2))


class Chancy(Drawing):
    def draw(self) -> Any:
        return sample(self.context.space, random.Random())


class StartingOver(Drawing):
    def resume(self, trial: Trial) -> None: ...


class Strict(Drawing):
    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        self.number = max(self.number, trial.token)


class Nosy(Drawing):
    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> bool:
        return values["value"] >= 0


class Mumbling(Drawing):
    def report(self, trial: Trial, step: int, values: Mapping[str, float]) -> Any:
        return None


class Hasty(Drawing):
    def promotable(self) -> set[int]:
        return {1000}


class Careless(Drawing):
    """Continues its first trial without keeping its checkpoint."""

    def tell(self, trial: Trial, state: TrialState, values: Mapping[str, float]) -> None:
        super().tell(trial, state, values)
        self.first = getattr(self, "first", trial)

    def ask(self) -> Proposal:
        self.number += 1
        if self.number < 3:
            return Proposal(self.draw(), token=self.number)
        return Proposal(self.first.point, continues=self.first.number, token=self.number)


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (Waiting, "would wait for ever"),
        (Silent, "proposes nothing at all"),
        (Outside, "Not a point of this space"),
        (Objects, "is not plain JSON"),
        (Chancy, "in another of the same seed and results"),
        (StartingOver, "it starts over with"),
        (Strict, "NoneType"),
        (Nosy, "value"),
        (Mumbling, "`report` returned None"),
        (Hasty, r"have not ended: \[1000\]"),
        (Careless, "its checkpoint is gone"),
    ],
)
def test_strategies_that_break_a_promise_are_told(strategy: type[Strategy], says: str) -> None:
    def judge(point: Mapping[str, Any]) -> float:
        return float(len(json.dumps(point)))

    def make(cls: type[Strategy]) -> Callable[[], Strategy]:
        return lambda: cls(cls.Options())

    check_strategy(make(Drawing), NESTED, judge)
    with pytest.raises(Exception, match=says):
        check_strategy(make(strategy), NESTED, judge)


def test_the_functions_need_no_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from toolkit.testing import check_search_space, check_strategy, check_task, NESTED\n"
        "from toolkit_evolution.strategy import RandomStrategy\n"
        "check_strategy(lambda: RandomStrategy(RandomStrategy.Options()), NESTED, lambda p: 1.0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_suite_without_its_fixture_says_what_to_give(tmp_path: Path) -> None:
    suite = tmp_path / "test_mine.py"
    suite.write_text(
        "from toolkit.testing import TaskSuite\n\nclass TestMine(TaskSuite):\n    pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(suite)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Give a fixture `task` that returns the task under test." in done.stdout
