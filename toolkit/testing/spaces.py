"""What every search space promises."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from toolkit.base.conditions import conditions
from toolkit.contracts import (
    Architecture,
    Learner,
    OneShotSpace,
    SearchSpace,
    Supernet,
    TaskInfo,
    Train,
)
from toolkit.space import from_json, sample, validate
from toolkit.space.graphs import fingerprint
from toolkit.testing.promises import Promise, keep, promise

if TYPE_CHECKING:
    import torch


@dataclass
class Trained:
    """A learner that has taken one step, was finalized, and is in evaluation mode.

    Attributes:
        learner: the learner; one with a `fit` of its own was only built.
        weights: names of the weights that are trained.
        dead, wild: those without a gradient, and those whose gradient is not finite.
        factors: what `schedule` gave, by the share of the training done.
    """

    learner: Learner
    weights: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    wild: list[str] = field(default_factory=list)
    factors: dict[float, float | None] = field(default_factory=dict)


@dataclass(eq=False)
class SpaceCase:
    """A space on data of one kind.

    What is built for one promise serves the others, so a case may serve a whole suite.

    Attributes:
        space: the space under test.
        task: the data it is to build models for.
        inputs: a batch (batch >= 4, \\*task.shape) of valid inputs.
        samples: architectures to build.
        seed: of the architectures.
    """

    space: SearchSpace
    task: TaskInfo
    inputs: torch.Tensor
    samples: int = 5
    seed: int = 0
    _trained: dict[str, Trained] = field(default_factory=dict, repr=False)

    @property
    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The inputs with labels, every class in turn, or with targets."""
        import torch

        if self.task.outputs == "values":
            return self.inputs, torch.arange(len(self.inputs)).double()
        return self.inputs, torch.arange(len(self.inputs)) % self.task.classes

    @cached_property
    def sampled(self) -> list[Architecture]:
        """Random points of the tree."""
        tree, rng = self.space.parameters(self.task), random.Random(self.seed)
        return [sample(tree, rng) for _ in range(self.samples)]

    @cached_property
    def architectures(self) -> list[Architecture]:
        """Random points, the hand-made networks, and the rivals of the first point."""
        found = [*self.sampled, *self.space.baselines(self.task).values()]
        return [*found, *self.space.rivals(self.sampled[0], self.task).values()]

    def build(self, architecture: Architecture) -> Learner:
        """Builds a learner, always from the same state of torch's generator."""
        import torch

        torch.manual_seed(self.seed)
        return self.space.build(architecture, self.task)

    def trained(self, architecture: Architecture) -> Trained:
        """Builds a learner and trains it for one step, once."""
        key = json.dumps(architecture)
        if key not in self._trained:
            self._trained[key] = self._train(architecture)
        return self._trained[key]

    def _train(self, architecture: Architecture) -> Trained:
        import torch
        from torch.utils.data import TensorDataset

        learner = self.build(architecture)
        found = Trained(learner)
        if learner.fit is None:
            optimizer = learner.optimizer(Train(epochs=1, batch_size=len(self.inputs)))
            found.factors = {share: learner.schedule(share) for share in (0.0, 0.5, 1.0)}
            learner.schedule(0.0)
            learner.model.train()
            loss = learner.loss(self.batch)
            assert loss.ndim == 0 and torch.isfinite(loss), (
                f"the loss of {shown(architecture)} is {loss.tolist()}, not a finite scalar"
            )
            loss.backward()
            for name, weight in learner.model.named_parameters():
                if weight.requires_grad:
                    found.weights.append(name)
                    if weight.grad is None:
                        found.dead.append(name)
                    elif not weight.grad.isfinite().all():
                        found.wild.append(name)
            optimizer.step()
            learner.model.eval()
            with torch.no_grad():
                learner.finalize(TensorDataset(*self.batch))
        learner.model.eval()
        return found


def check_search_space(
    space: SearchSpace, task: TaskInfo, inputs: torch.Tensor, *, samples: int = 5, seed: int = 0
) -> None:
    """Checks a space on data of one kind.

    Args:
        space: the space under test.
        task: the data it is to build models for.
        inputs: a batch (batch >= 4, \\*task.shape) of valid inputs.
        samples: architectures to build.
        seed: of the architectures.

    Raises:
        AssertionError: a promise of `toolkit.contracts.SearchSpace` is broken.
    """
    keep(space_promises(SpaceCase(space, task, inputs, samples, seed)))


def space_promises(case: SpaceCase) -> Iterator[Promise]:
    """Yields what a search space promises; see `check_search_space`."""
    yield promise(the_kind_of_data_is_accepted, case)
    yield promise(the_kind_of_outputs_is_given, case)
    yield promise(what_is_prepared_is_plain_json, case)
    yield promise(the_tree_is_plain_json, case)
    yield promise(graphs_are_acyclic_and_labelled, case)
    yield promise(equal_architectures_have_equal_fingerprints, case)
    yield promise(an_architecture_is_among_its_rivals, case)
    yield promise(building_changes_no_architecture, case)
    yield promise(weights_come_from_the_global_generator, case)
    yield promise(every_weight_learns, case)
    yield promise(schedules_are_factors, case)
    yield promise(the_deployed_module_predicts_as_the_learner, case)
    yield promise(the_deployed_module_rebuilds_from_its_config, case)
    if isinstance(case.space, OneShotSpace):
        yield promise(a_supernet_parts_its_parameters, case)
        yield promise(a_supernet_derives_points_of_the_tree, case)
        yield promise(a_supernet_weighs_every_candidate_on_every_edge, case)
        yield promise(a_move_without_direction_stays, case)


def the_kind_of_data_is_accepted(case: SpaceCase) -> None:
    """Checks that the data are of a kind that the space accepts."""
    accepted = ", ".join(sorted(case.space.accepts))
    assert case.task.kind in case.space.accepts, (
        f"the data are of kind {case.task.kind!r}, and the space accepts {accepted}"
    )


def the_kind_of_outputs_is_given(case: SpaceCase) -> None:
    """Checks that the space's models give what the task judges."""
    given = ", ".join(sorted(case.space.gives))
    assert case.task.outputs in case.space.gives, (
        f"the task judges {case.task.outputs!r}, and the space gives {given}"
    )


def what_is_prepared_is_plain_json(case: SpaceCase) -> None:
    """Checks that what a preparation depends on is the same from call to call, and JSON."""
    said = [case.space.preparation(case.task) for _ in range(2)]
    assert said[0] == said[1], "`preparation` differs from call to call"
    plain = None if said[0] is None else dict(said[0])
    assert json.loads(json.dumps(plain)) == plain, "`preparation` is not plain JSON"


def the_tree_is_plain_json(case: SpaceCase) -> None:
    """Checks that the tree is the same from call to call, and survives JSON."""
    tree = case.space.parameters(case.task)
    assert case.space.parameters(case.task) == tree, "`parameters` differs from call to call"
    assert from_json(json.loads(json.dumps(tree.to_json()))) == tree, "the tree is not plain JSON"


def graphs_are_acyclic_and_labelled(case: SpaceCase) -> None:
    """Checks that every architecture can be drawn."""
    import networkx

    for architecture in case.architectures:
        graph = case.space.graph(architecture, case.task)
        about = f"the graph of {shown(architecture)}"
        assert networkx.is_directed_acyclic_graph(graph), f"{about} has a cycle"
        bare = [node for node, data in graph.nodes(data=True) if not data.get("label")]
        assert not bare, f"{about} has nodes without a label: {bare}"


def equal_architectures_have_equal_fingerprints(case: SpaceCase) -> None:
    """Checks that a fingerprint depends on the architecture's JSON alone."""
    for architecture in case.architectures:
        copy = json.loads(json.dumps(architecture))
        first, second = (
            fingerprint(case.space.graph(each, case.task)) for each in (architecture, copy)
        )
        assert first == second, (
            f"{shown(architecture)} has the fingerprint {first}, and {second} once it was JSON"
        )


def an_architecture_is_among_its_rivals(case: SpaceCase) -> None:
    """Checks that the architecture itself is one of its rivals, where there are any."""
    architecture = case.sampled[0]
    rivals = case.space.rivals(architecture, case.task)
    own = fingerprint(case.space.graph(architecture, case.task))
    marks = [fingerprint(case.space.graph(rival, case.task)) for rival in rivals.values()]
    assert not marks or own in marks, (
        f"`rivals` of {shown(architecture)} are {', '.join(rivals)}, and it is none of them"
    )


def building_changes_no_architecture(case: SpaceCase) -> None:
    """Checks that `build` leaves what it is given as it was."""
    for architecture in case.architectures:
        before = json.dumps(architecture)
        case.build(architecture)
        after = json.dumps(architecture)
        assert before == after, f"`build` was given {before} and left {after}"


def weights_come_from_the_global_generator(case: SpaceCase) -> None:
    """Checks that equal seeds of torch's global generator give equal weights."""
    for architecture in case.architectures:
        first, second = (case.build(architecture).model.state_dict() for _ in range(2))
        assert first.keys() == second.keys()
        differing = [name for name in first if not bool((first[name] == second[name]).all())]
        assert not differing, (
            f"two builds of {shown(architecture)} with torch.manual_seed(0) differ in"
            f" {', '.join(differing[:3])}"
        )


def every_weight_learns(case: SpaceCase) -> None:
    """Checks that the loss is a finite scalar with a finite gradient in every weight."""
    for architecture in case.architectures:
        found, about = case.trained(architecture), shown(architecture)
        assert not found.dead, (
            f"{len(found.dead)} of the {len(found.weights)} weights of {about} get no gradient:"
            f" {', '.join(found.dead[:3])}"
        )
        assert not found.wild, (
            f"{len(found.wild)} of the {len(found.weights)} weights of {about} get a gradient that"
            f" is not finite: {', '.join(found.wild[:3])}"
        )


def schedules_are_factors(case: SpaceCase) -> None:
    """Checks that `schedule` gives None or a finite factor that is not negative."""
    for architecture in case.architectures:
        for progress, factor in case.trained(architecture).factors.items():
            assert factor is None or 0 <= factor < math.inf, (
                f"at {progress:.0%} of the training, `schedule` of {shown(architecture)} gives"
                f" {factor}"
            )


def the_deployed_module_predicts_as_the_learner(case: SpaceCase) -> None:
    """Checks outputs of the right shape, and the same ones from the module that is handed over."""
    import torch

    for architecture in case.architectures:
        learner = case.trained(architecture).learner
        with torch.no_grad():
            ours = _outputs(case, learner)
            deployed = learner.deployed().eval()(_deployed_inputs(case, learner))
        width = (case.task.width,)
        widths = {"scores": width, "values": width, "images": case.task.shape}
        expected = (len(case.inputs), *widths.get(case.task.outputs, ours.shape[1:]))
        assert tuple(ours.shape) == expected, (
            f"{shown(architecture)} gives {case.task.outputs} of shape {tuple(ours.shape)}, and"
            f" {expected} is expected"
        )
        ask = "generate" if case.task.outputs == "images" else "predict"
        _assert_equal(deployed, ours, f"`deployed` of {shown(architecture)} and `{ask}`")


def _outputs(case: SpaceCase, learner: Learner) -> torch.Tensor:
    import torch

    if case.task.outputs != "images":
        return learner.predict(case.inputs)
    return learner.generate(case.batch[1], torch.Generator().manual_seed(case.seed))


def _deployed_inputs(case: SpaceCase, learner: Learner) -> torch.Tensor:
    """What a deployed module takes for the outputs of `_outputs`."""
    import torch

    example = learner.example(case.inputs)
    if case.task.outputs != "images":
        return example
    classes, generator = case.task.classes, torch.Generator().manual_seed(case.seed)
    return conditions(case.batch[1], classes, example.shape[1] - classes, generator)


def the_deployed_module_rebuilds_from_its_config(case: SpaceCase) -> None:
    """Checks that class, `config` (as JSON) and weights make the same module again."""
    import torch

    for architecture in case.architectures:
        module = case.trained(architecture).learner.deployed().eval()
        config = json.loads(json.dumps(module.config))
        dtype = next(iter(module.state_dict().values())).dtype
        rebuilt = type(module)(**config).to(dtype).eval()
        rebuilt.load_state_dict(module.state_dict())
        with torch.no_grad():
            example = case.trained(architecture).learner.example(case.inputs)
            _assert_equal(
                rebuilt(example),
                module(example),
                f"`deployed` of {shown(architecture)} and the module rebuilt from its config",
            )


def a_supernet_parts_its_parameters(case: SpaceCase) -> None:
    """Checks that each parameter is a weight or the architecture's, and both have gradients."""
    supernet = _supernet(case)
    weights = {id(p) for p in supernet.weight_parameters()}
    decisions = {id(p) for p in supernet.architecture_parameters()}
    assert weights and decisions, "the supernet needs weights and architecture parameters"
    assert not weights & decisions, "some parameters are weights and the architecture's at once"
    every = {id(p) for p in supernet.model.parameters()}
    assert weights | decisions == every, "some of the model's parameters are neither"
    supernet.loss(case.batch).backward()
    assert all(p.grad is not None for p in supernet.architecture_parameters()), (
        "the loss has no gradient in some architecture parameters"
    )


def a_supernet_derives_points_of_the_tree(case: SpaceCase) -> None:
    """Checks that what the supernet derives can be built."""
    validate(case.space.parameters(case.task), _supernet(case).derive())


def a_supernet_weighs_every_candidate_on_every_edge(case: SpaceCase) -> None:
    """Checks that the tables of weights are whole."""
    for cell, table in _supernet(case).edge_weights().items():
        shape = [len(row) for row in table.weights]
        expected = [len(table.operations)] * len(table.edges)
        assert shape == expected, (
            f"the weights of cell {cell} are rows of {shape} numbers, and {len(table.edges)} rows"
            f" (edges) of {len(table.operations)} (operations) are expected"
        )


def a_move_without_direction_stays(case: SpaceCase) -> None:
    """Checks that weights are on their manifolds: a step of nothing leaves them where they are."""
    import torch

    supernet = _supernet(case)
    before = [p.detach().clone() for p in supernet.weight_parameters()]
    supernet.move([torch.zeros_like(p) for p in before], 1.0)
    for old, new in zip(before, supernet.weight_parameters(), strict=True):
        _assert_equal(new.detach(), old, "a weight before and after `move` by nothing")


def _supernet(case: SpaceCase) -> Supernet:
    import torch

    assert isinstance(case.space, OneShotSpace)
    torch.manual_seed(case.seed)
    return case.space.supernet(case.task)


def _assert_equal(ours: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
    import torch

    torch.testing.assert_close(
        ours, theirs, rtol=1e-6, atol=1e-6, msg=lambda text: f"{what} differ: {text}"
    )


def shown(architecture: Architecture, most: int = 200) -> str:
    """An architecture's JSON for a message, cut if it is long."""
    text = json.dumps(architecture)
    return text if len(text) <= most else f"{text[:most]}..."
