"""The supernet: equal to its children, exact where it skips, on its manifolds when moved."""

import contextlib
import random

import pytest
import torch

from spd_matrices import random_spd
from toolkit.contracts import TaskInfo, Train
from toolkit.space import sample
from toolkit_spd.catalogue import KEEPING, REDUCING, make_operation
from toolkit_spd.cell import Mixture
from toolkit_spd.genotype import NORMAL_OPERATIONS, REDUCTION_OPERATIONS
from toolkit_spd.maps import SpdMap
from toolkit_spd.operations import Setting
from toolkit_spd.space import SpdCellOptions, SpdCellSpace
from toolkit_spd.stacking import evaluate

GEOMETRIES = ["affine_invariant", "log_euclidean"]
TASK = TaskInfo("spd", (1, 8, 8), 3, 100)


def make(**options):
    torch.manual_seed(0)
    space = SpdCellSpace(SpdCellOptions(**options))
    return space, space.supernet(TASK)


BATCH = (random_spd(6, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2]))


@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_child_equals_the_supernet_with_one_hot_weights(mixing, nodes):
    cells = ("reduction", "normal", "reduction")
    space, supernet = make(mixing=mixing, nodes=nodes, cells=cells, rectify=0.3, karcher_steps=2)
    supernet.predict(BATCH[0])
    for seed in range(4):
        architecture = sample(space.parameters(TASK), random.Random(seed))
        for training in (True, False):
            supernet.model.train(training)
            child = supernet.model.child(architecture).train(training)
            expected = supernet.model(BATCH[0], supernet.model.one_hot(architecture))
            torch.testing.assert_close(child(BATCH[0]), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_one_hot_weights_give_the_same_where_every_candidate_is_evaluated(mixing):
    space, supernet = make(mixing=mixing)
    model = supernet.model
    architecture = sample(space.parameters(TASK), random.Random(0))
    sparse = model.one_hot(architecture)
    dense = {}
    for kind, mixture in sparse.items():
        # An edge that is not chosen stays out; on the others nothing is skipped.
        active = [[any(row)] * len(row) for row in mixture.active]
        dense[kind] = Mixture(mixture.weights, active)
    torch.testing.assert_close(
        model(BATCH[0], sparse), model(BATCH[0], dense), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_skipping_candidates_of_zero_weight_leaves_every_gradient_exact(mixing):
    _, supernet = make(mixing=mixing)
    model = supernet.model
    with torch.no_grad():
        for scores in model.scores.values():
            scores.copy_(torch.randn_like(scores))
    parameters = supernet.weight_parameters() + supernet.architecture_parameters()

    def gradients(skip):
        mixtures = {}
        for kind in model.kinds:
            mixture = model.mixture(model.weights(kind))
            assert any(not all(row) for row in mixture.active)
            active = mixture.active if skip else [[True] * len(row) for row in mixture.active]
            mixtures[kind] = Mixture(mixture.weights, active)
        loss = torch.nn.functional.cross_entropy(model(BATCH[0], mixtures), BATCH[1])
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        pairs = zip(parameters, found, strict=True)
        return [torch.zeros_like(p) if g is None else g for p, g in pairs]

    for skipped, full in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(skipped, full, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("reducing", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_stacked_operations_equal_each_alone(geometry, reducing):
    torch.manual_seed(0)
    place = Setting(2, 2, 6, 3 if reducing else 6, geometry, "sparsemax", 1, 0.4, True)
    inputs = [SpdMap.from_matrix(random_spd(4, 2, 6, 6, seed=seed)) for seed in range(2)]
    names = list(REDUCING if reducing else KEEPING)
    jobs = [(make_operation(name, place, reducing), x) for x in inputs for name in names]
    for training in (True, False):
        for (operation, x), stacked in zip(jobs, evaluate(jobs), strict=True):
            operation.train(training)
            torch.testing.assert_close(stacked.matrix, operation(x).matrix)
        for operation, _ in jobs:
            operation.eval()


@pytest.mark.parametrize("relaxation", ["sparsemax", "softmax", "sigmoid", "entmax15"])
@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_a_search_step_moves_weights_and_architecture_apart(mixing, relaxation):
    _, supernet = make(mixing=mixing, relaxation=relaxation)
    weights, scores = supernet.weight_parameters(), supernet.architecture_parameters()
    assert not {id(p) for p in weights} & {id(p) for p in scores}
    assert len(weights) + len(scores) == len(list(supernet.model.parameters()))
    before = [p.clone() for p in scores]
    supernet.loss(BATCH).backward()
    supernet.optimizer(Train()).step()
    assert all(torch.equal(a, b) for a, b in zip(before, scores, strict=True))
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in scores)


def test_a_few_steps_lower_the_loss():
    for mixing in GEOMETRIES:
        _, supernet = make(mixing=mixing)
        optimizer, first = supernet.optimizer(Train()), supernet.loss(BATCH).item()
        for _ in range(15):
            optimizer.zero_grad()
            loss = supernet.loss(BATCH)
            loss.backward()
            optimizer.step()
        assert supernet.loss(BATCH).item() < 0.7 * first


def test_move_goes_down_and_comes_back_to_first_order():
    _, supernet = make(mixing="affine_invariant")
    parameters, start = supernet.weight_parameters(), supernet.loss(BATCH)
    gradients = torch.autograd.grad(start, parameters)
    supernet.move(gradients, 1e-3)
    assert supernet.loss(BATCH) < start
    supernet.move(gradients, -1e-3)
    torch.testing.assert_close(supernet.loss(BATCH), start, rtol=1e-3, atol=0)


def test_edge_weights_name_the_shared_columns():
    _, supernet = make()
    table = supernet.edge_weights()
    assert table["normal"].operations == NORMAL_OPERATIONS
    assert table["normal"].edges == ("0→2", "1→2", "0→3", "1→3", "2→3")
    assert table["reduction"].operations[1] == "avg_pooling | weighted_pooling"
    for kind in table.values():
        assert all(sum(row) == pytest.approx(1) for row in kind.weights)


def test_derive_gives_a_point_of_the_space_from_lists_of_any_length():
    options = {"normal_ops": ("none", "skip", "bimap_1"), "reduction_ops": REDUCTION_OPERATIONS}
    space, supernet = make(nodes=3, **options)
    from toolkit.space import validate

    validate(space.parameters(TASK), supernet.derive())


def test_the_alarm_rings_for_every_cell_without_trained_operations():
    _, supernet = make()
    with torch.no_grad():
        for kind, name in (("normal", "weighted_pooling"), ("reduction", "max_pooling")):
            column = supernet.model.names[kind][0].index(name)
            supernet.model.scores[kind].zero_()[:, column] = 3
        # On 2→3 the reduction's column of max_pooling means bimap_0: leave that edge out.
        supernet.model.scores["reduction"][4] = 0
    normal, reduction = sorted(supernet.warnings())
    assert "normal cell has collapsed" in normal
    assert "reduction cell has collapsed" in reduction
    with torch.no_grad():
        supernet.model.scores["normal"][0, NORMAL_OPERATIONS.index("bimap_2")] = 9
    (left,) = supernet.warnings()
    assert "reduction" in left


def test_state_of_model_and_optimiser_restores_the_search():
    _, one = make()
    optimizer = one.optimizer(Train())
    one.loss(BATCH).backward()
    optimizer.step()
    _, two = make()
    two.model.load_state_dict(one.model.state_dict())
    other = two.optimizer(Train())
    other.load_state_dict(optimizer.state_dict())
    for each, its in ((one, optimizer), (two, other)):
        its.zero_grad()
        each.loss(BATCH).backward()
        its.step()
    assert torch.equal(one.predict(BATCH[0]), two.predict(BATCH[0]))


@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_scores_that_are_not_numbers_give_a_loss_that_is_not_a_number(mixing):
    _, supernet = make(mixing=mixing)
    with torch.no_grad():
        supernet.model.scores["normal"][0, 0] = torch.nan
    # LinAlgError is what torch's own eigensolver says of NaN; the compiled one returns NaN.
    with contextlib.suppress(torch.linalg.LinAlgError):
        assert supernet.loss(BATCH).isnan()


@pytest.mark.parametrize("mixing", GEOMETRIES)
def test_checkpointing_changes_neither_loss_nor_gradients_nor_running_means(mixing):
    found = []
    for checkpointing in (False, True):
        _, supernet = make(mixing=mixing, checkpointing=checkpointing, norm="dispersion")
        loss = supernet.loss(BATCH)
        parameters = supernet.weight_parameters() + supernet.architecture_parameters()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        found.append((loss, gradients, supernet.model.state_dict()))
    (loss, gradients, state), (again, others, after) = found
    torch.testing.assert_close(again, loss)
    for one, other in zip(gradients, others, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-8, atol=1e-10)
    for name, value in state.items():
        torch.testing.assert_close(after[name], value)


def test_a_low_temperature_sharpens_the_weights_towards_the_largest_score():
    _, supernet = make(relaxation="softmax")
    flat = supernet.edge_weights()["normal"].weights[0]
    supernet.anneal(1e-5)
    sharp = supernet.edge_weights()["normal"].weights[0]
    assert max(flat) < 0.2 and max(sharp) > 0.999
    assert flat.index(max(flat)) == sharp.index(max(sharp))


@pytest.mark.parametrize("mixing", GEOMETRIES)
@pytest.mark.parametrize("n", [3, 11])
def test_several_cells_and_reductions_of_any_size_with_every_candidate(mixing, n):
    names = tuple(KEEPING), tuple(REDUCING)
    cells = ("reduction", "normal", "reduction", "normal", "reduction")
    space = SpdCellSpace(
        SpdCellOptions(
            mixing=mixing,
            cells=cells,
            channels=2,
            nodes=2,
            normal_ops=names[0],
            reduction_ops=names[1],
        )
    )
    task = TaskInfo("spd", (2, n, n), 3, 100)
    torch.manual_seed(0)
    supernet = space.supernet(task)
    loss = supernet.loss((random_spd(5, 2, n, n), torch.arange(5) % 3))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in supernet.architecture_parameters())
    assert space.build(supernet.derive(), task).predict(random_spd(5, 2, n, n)).isfinite().all()
