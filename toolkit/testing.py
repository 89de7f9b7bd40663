"""Contract suites for plugin authors: what every plugin of a kind must do, checked on yours.

Call one from a test of your own; it raises `AssertionError` with the promise that was broken::

    def test_my_space_keeps_the_contract():
        check_search_space(MySpace(MySpace.Options()), TASK, torch.randn(8, 3, 32, 32))

The built-in plugins are tested by the same functions.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.contracts import (
    Direction,
    Exhausted,
    Proposal,
    SearchContext,
    SearchSpace,
    Strategy,
    Supernet,
    Task,
    TaskInfo,
    Trial,
    TrialState,
    Wait,
)
from toolkit.errors import PluginError
from toolkit.graph import fingerprint
from toolkit.space import Choice, Float, Group, Int, Space, from_json, sample, validate

if TYPE_CHECKING:
    import torch

NESTED = Group(
    architecture=Group(
        body=Choice(
            {
                "conv": Group(
                    width=Int(4, 64, log=True),
                    norm=Choice(
                        {
                            "batch": Group(
                                momentum=Choice({"fixed": Float(0.01, 0.5, log=True), "none": None})
                            ),
                            "off": None,
                        }
                    ),
                ),
                "plain": None,
            }
        ),
        flag=Choice([None, False, 0, "0", True, 1]),
        only=Choice(["one"]),
    ),
    train=Group(lr=Float(1e-4, 1e-1, log=True), epochs=Int(2, 11, step=3), fixed=Int(3, 3)),
)
"""A tree to try strategies on: every kind of node, conditions three deep, options that Python holds
equal, and decisions with one option."""
FINITE = Group(
    cell=Choice(
        {
            "conv": Group(
                width=Choice([8, 16]),
                norm=Choice({"batch": Group(affine=Choice([True, False])), "off": None}),
            ),
            "plain": None,
        }
    ),
    depth=Int(1, 3),
)
"""A tree of 21 points, for strategies that may come to the end of one."""


def check_search_space(
    space: SearchSpace, task: TaskInfo, inputs: torch.Tensor, *, samples: int = 5, seed: int = 0
) -> None:
    """Check a space on data of one kind.

    Args:
        space: the space under test.
        task: the data it is to build models for.
        inputs: a batch (batch >= 4, \\*task.shape) of valid inputs.
        samples: architectures to build.
        seed: of the architectures and of the labels.

    Raises:
        AssertionError: a promise of `toolkit.contracts.SearchSpace` is broken.
    """
    import torch

    assert task.kind in space.accepts, f"the space does not accept {task.kind!r} data"
    tree = space.parameters(task)
    assert from_json(json.loads(json.dumps(tree.to_json()))) == tree, "the tree is not plain JSON"
    assert space.parameters(task) == tree, "`parameters` differs from call to call"
    rng = random.Random(seed)
    labels = torch.arange(len(inputs)) % task.classes
    architectures = [sample(tree, rng) for _ in range(samples)]
    rivals = space.rivals(architectures[0], task)
    own = fingerprint(space.graph(architectures[0], task))
    same = [fingerprint(space.graph(rival, task)) == own for rival in rivals.values()]
    assert not same or any(same), "`rivals` lacks the architecture itself"
    others = [*space.baselines(task).values(), *rivals.values()]
    for architecture in [*architectures, *others]:
        before = json.dumps(architecture)
        _check_graph(space, architecture, task)
        _check_learner(space, architecture, task, inputs, labels)
        assert json.dumps(architecture) == before, "building changed the architecture"
    try:
        supernet = space.supernet(task)
    except PluginError:
        return
    _check_supernet(supernet, tree, inputs, labels)


def _check_graph(space: SearchSpace, architecture: dict[str, Any], task: TaskInfo) -> None:
    import networkx

    graph = space.graph(architecture, task)
    assert networkx.is_directed_acyclic_graph(graph), "the graph has a cycle"
    unlabelled = [node for node, data in graph.nodes(data=True) if not data.get("label")]
    assert not unlabelled, f"nodes without a label: {unlabelled}"
    copy = json.loads(json.dumps(architecture))
    assert fingerprint(space.graph(copy, task)) == fingerprint(graph), "the fingerprint wavers"


def _check_learner(
    space: SearchSpace,
    architecture: dict[str, Any],
    task: TaskInfo,
    inputs: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    import torch
    from torch.utils.data import TensorDataset

    from toolkit.contracts import Train

    torch.manual_seed(0)
    learner = space.build(architecture, task)
    optimizer = learner.optimizer(Train(epochs=1, batch_size=len(inputs)))
    factors = [learner.schedule(progress) for progress in (0.0, 0.5, 1.0)]
    assert all(f is None or 0 <= f < math.inf for f in factors), f"the schedule gives {factors}"
    learner.schedule(0.0)
    learner.model.train()
    loss = learner.loss((inputs, labels))
    assert loss.ndim == 0 and torch.isfinite(loss), "the loss is not a finite scalar"
    loss.backward()
    trained = [p for p in learner.model.parameters() if p.requires_grad]
    dead = [p for p in trained if p.grad is None]
    assert not dead, f"{len(dead)} of {len(trained)} weights get no gradient"
    assert all(torch.isfinite(p.grad).all() for p in trained if p.grad is not None)
    optimizer.step()
    learner.model.eval()
    learner.finalize(TensorDataset(inputs, labels))
    with torch.no_grad():
        scores = learner.predict(inputs)
        module = learner.deployed().eval()
        assert scores.shape == (len(inputs), task.classes), f"scores have shape {scores.shape}"
        torch.testing.assert_close(module(inputs), scores, rtol=1e-6, atol=1e-6)
        config = json.loads(json.dumps(module.config))
        rebuilt = type(module)(**config).to(next(iter(module.state_dict().values())).dtype).eval()
        rebuilt.load_state_dict(module.state_dict())
        torch.testing.assert_close(rebuilt(inputs), scores, rtol=1e-6, atol=1e-6)


def _check_supernet(
    supernet: Supernet, tree: Space, inputs: torch.Tensor, labels: torch.Tensor
) -> None:
    import torch

    weights = {id(p) for p in supernet.weight_parameters()}
    decisions = {id(p) for p in supernet.architecture_parameters()}
    assert weights and decisions and not weights & decisions, "weights and architecture mix"
    assert weights | decisions == {id(p) for p in supernet.model.parameters()}
    supernet.loss((inputs, labels)).backward()
    assert all(p.grad is not None for p in supernet.architecture_parameters())
    validate(tree, supernet.derive())
    for table in supernet.edge_weights().values():
        assert len(table.weights) == len(table.edges)
        assert all(len(row) == len(table.operations) for row in table.weights)
    before = [p.detach().clone() for p in supernet.weight_parameters()]
    supernet.move([torch.zeros_like(p) for p in before], 1.0)
    for old, new in zip(before, supernet.weight_parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old, rtol=1e-6, atol=1e-6)


def check_task(task: Task, data_dir: Path, *, seed: int = 0) -> None:
    """Check a task: what it describes is what it loads, and it loads the same every time.

    Args:
        task: the task under test.
        data_dir: a folder it may cache in.
        seed: of the split.

    Raises:
        AssertionError: a promise of `toolkit.contracts.Task` is broken.
    """
    import torch

    info, splits, again = task.info(), task.load(data_dir, seed), task.load(data_dir, seed)
    assert len(splits.train) == info.train_size, "`info` tells another number of samples"  # type: ignore[arg-type]
    for ours, theirs in (
        (splits.train, again.train),
        (splits.val, again.val),
        (splits.load_test(), again.load_test()),
    ):
        assert len(ours) == len(theirs) > 0  # type: ignore[arg-type]
        for position in (0, len(ours) - 1):  # type: ignore[arg-type]
            (x, y), (x_again, y_again) = ours[position], theirs[position]
            assert tuple(x.shape) == info.shape, f"an input has shape {tuple(x.shape)}"
            assert torch.equal(x, x_again) and int(y) == int(y_again), "two loads differ"
            assert 0 <= int(y) < info.classes, f"label {int(y)} of {info.classes} classes"
    assert info.leaves_out == (splits.novel is not None), (
        "`info` tells otherwise of left-out classes"
    )
    metrics = task.metrics(torch.eye(info.classes), torch.arange(info.classes))
    assert set(metrics) >= set(task.directions), "`metrics` lacks one of `directions`"


def check_strategy(
    make: Callable[[], Strategy],
    tree: Space,
    judge: Callable[[Mapping[str, Any]], float],
    *,
    trials: int = 12,
) -> None:
    """Check a multi-trial strategy: valid proposals, any ending told, replay, going on after it.

    Args:
        make: makes a new strategy object.
        tree: what to search.
        judge: value (to be maximised) of a point.
        trials: proposals to ask for.

    Raises:
        AssertionError: a promise of `toolkit.contracts.Strategy` is broken.
    """
    objectives: dict[str, Direction] = {"value": "maximize"}
    context = SearchContext(tree, objectives, seed=0, trials=trials, epochs=27)
    endings = [TrialState.DONE] * 4 + [TrialState.FAILED, TrialState.PRUNED, TrialState.INVALID]
    history: list[tuple[Trial, TrialState, dict[str, float]]] = []
    strategy = make()
    strategy.setup(context)
    while len(history) < trials:
        proposal = strategy.ask()
        assert not isinstance(proposal, Wait), "it waits although nothing runs"
        if isinstance(proposal, Exhausted):
            break
        history.append(_end(proposal, tree, len(history), endings, judge))
        strategy.tell(*history[-1])
    assert history, "it proposes nothing at all"
    resumed = make()
    resumed.setup(context)
    for told in history:
        resumed.tell(*told)
    after = resumed.ask()
    if isinstance(after, Proposal):
        first = history[0][0].point
        repeated = after.point == first and tree.size() > 1000
        assert not repeated, "after a replay it starts over instead of going on"
        validate(tree, after.point)


def _end(
    proposal: Proposal,
    tree: Space,
    number: int,
    endings: list[TrialState],
    judge: Callable[[Mapping[str, Any]], float],
) -> tuple[Trial, TrialState, dict[str, float]]:
    validate(tree, proposal.point)
    assert json.loads(json.dumps(proposal.token)) == proposal.token, "the token is not JSON"
    assert proposal.point is not None
    state = endings[number % len(endings)]
    values = {"value": judge(proposal.point)} if state in ("done", "pruned") else {}
    trial = Trial(
        number, "train", proposal.point, proposal.fidelity, number, f"{number}", proposal.token
    )
    return trial, state, values
