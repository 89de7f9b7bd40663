"""The closed-form loss: identities, gradients, invariances and what batches may look like."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit_nullspace.loss import NullSpaceLoss, discriminant_spectrum, nullspace_loss

OBJECTIVES = ("log", "min", "ratio", "raw", "reference")


def batch(seed, n=24, d=40, classes=5, dtype=torch.float64):
    """Random features with every class at least twice, unbalanced."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat(
        [
            torch.arange(classes).repeat(2),
            torch.randint(classes, (n - 2 * classes,), generator=generator),
        ]
    )
    means = torch.randn(classes, d, generator=generator, dtype=dtype)
    features = means[labels] + torch.randn(n, d, generator=generator, dtype=dtype)
    return features, labels


def simplex(classes=4, each=5, d=9):
    """Classes collapsed to the corners of a rotated regular simplex."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.eye(classes, dtype=torch.float64) - 1 / classes
    rotation = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]
    labels = torch.arange(classes).repeat_interleave(each)
    return (corners @ rotation[:classes])[labels], labels


def scatters(features, labels):
    total = features - features.mean(0)
    within = features.clone()
    for label in labels.unique():
        within[labels == label] -= features[labels == label].mean(0)
    return total, within


@pytest.mark.parametrize("shape", [(24, 40), (60, 12)])
@pytest.mark.parametrize("rho", [1e-3, 1e-1, 10.0])
def test_gram_side_equals_feature_side(shape, rho):
    features, labels = batch(1, *shape)
    gram = discriminant_spectrum(features, labels, 5, rho, side="gram")
    feature = discriminant_spectrum(features, labels, 5, rho, side="feature")
    torch.testing.assert_close(gram, feature, rtol=1e-8, atol=0)
    for objective in ("log", "min", "ratio", "raw"):
        values = [
            nullspace_loss(features, labels, 5, objective=objective, rho=rho, side=side)
            for side in ("gram", "feature")
        ]
        torch.testing.assert_close(*values, rtol=1e-8, atol=1e-10)


def test_spectrum_is_that_of_deep_lda():
    scipy = pytest.importorskip("scipy.linalg")
    features, labels = batch(2, 60, 12)
    total, within = scatters(features, labels)
    delta = 0.1 * total.square().sum().item() / len(total)
    sw = within.T @ within
    sb = total.T @ total - sw
    eye = torch.eye(12, dtype=torch.float64)
    nu = scipy.eigh(sb.numpy(), (sw + delta * eye).numpy(), eigvals_only=True)[-4:]
    spectrum = discriminant_spectrum(features, labels, 5, 0.1)
    torch.testing.assert_close(spectrum, delta * (1 + torch.from_numpy(nu)), rtol=1e-8, atol=0)


def null_foley_sammon(features, labels, classes):
    """The classical recipe: range of the total scatter, then null space of the within scatter."""
    total, within = scatters(features, labels)
    left, values, _ = torch.linalg.svd(total.T, full_matrices=False)
    basis = left[:, values > 1e-8 * values[0]]
    inner = basis.T @ within.T @ within @ basis
    null = torch.linalg.svd(inner)[2][-(classes - 1) :].T
    null = basis @ null
    return torch.linalg.eigvalsh(null.T @ (total.T @ total) @ null) / (len(features) - 1)


@pytest.mark.parametrize("seed", range(3))
def test_vanishing_ridge_gives_the_null_foley_sammon_transform(seed):
    features, labels = batch(seed)
    expected = null_foley_sammon(features, labels, 5)
    found = discriminant_spectrum(features, labels, 5, 1e-9) / (len(features) - 1)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_reference_objective_is_the_published_one(seed):
    features, labels = batch(seed)
    shift = 1e-5
    eigenvalues = null_foley_sammon(features, labels, 5) - shift
    expected = -eigenvalues[eigenvalues <= eigenvalues.min() + 1].mean()
    found = nullspace_loss(features, labels, 5, objective="reference", shift=shift)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("side", ["gram", "feature"])
@pytest.mark.parametrize("balance", [False, True])
def test_gradient_is_exact(objective, side, balance):
    if objective == "reference" and side == "feature":
        pytest.skip("the published objective is of n <= d alone")
    features, labels = batch(3, 12, 16 if side == "gram" else 6, 3)
    features.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: nullspace_loss(
            x, labels, 3, objective=objective, rho=0.3, balance=balance, side=side
        ),
        (features,),
        rtol=1e-3 if objective == "reference" else 1e-5,
    )


@pytest.mark.parametrize("side", ["gram", "feature"])
@pytest.mark.parametrize("objective", ["log", "min", "ratio"])
def test_scale_neither_matters_nor_is_moved(side, objective):
    features, labels = batch(4)
    features.requires_grad_()

    def loss(x):
        return nullspace_loss(x, labels, 5, objective=objective, rho=0.1, side=side)

    value = loss(features)
    (gradient,) = torch.autograd.grad(value, features)
    for factor in (1e-20, 3.0, 1e20):
        torch.testing.assert_close(loss(features * factor), value, rtol=1e-12, atol=1e-13)
    assert abs((gradient * features).sum().item()) < 1e-14 * gradient.norm() * features.norm() * 10


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    rho=st.floats(1e-4, 10),
    wide=st.booleans(),
    side=st.sampled_from(["gram", "feature"]),
    balance=st.booleans(),
)
def test_log_loss_is_never_negative(seed, rho, wide, side, balance):
    features, labels = batch(seed, 30, 50 if wide else 8, 6)
    loss = nullspace_loss(features, labels, 6, rho=rho, side=side, balance=balance)
    assert loss.item() >= -1e-12


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), objective=st.sampled_from(OBJECTIVES))
def test_neither_order_of_samples_nor_names_nor_rotation_nor_shift_matters(seed, objective):
    features, labels = batch(seed)
    generator = torch.Generator().manual_seed(seed)
    loss = nullspace_loss(features, labels, 5, objective=objective)
    order = torch.randperm(len(labels), generator=generator)
    names = torch.randperm(5, generator=generator)
    rotation = torch.linalg.qr(torch.randn(40, 40, generator=generator, dtype=torch.float64))[0]
    for moved, named in (
        (features[order], labels[order]),
        (features, names[labels]),
        (features @ rotation + 7, labels),
    ):
        found = nullspace_loss(moved, named, 5, objective=objective)
        torch.testing.assert_close(found, loss, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("side", ["gram", "feature"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_collapse_to_a_simplex_is_the_optimum_with_finite_gradient(side, objective, dtype):
    features, labels = simplex()
    features = features.to(dtype).requires_grad_()
    loss = nullspace_loss(features, labels, 4, objective=objective, side=side)
    loss.backward()
    assert features.grad.isfinite().all()
    if objective in ("log", "min"):
        rounding = 200 * torch.finfo(dtype).eps
        assert abs(loss.item()) < rounding
    if objective == "log":
        assert features.grad.norm() < rounding


def test_missing_class_and_single_sample_count_for_nothing():
    features, labels = batch(5)
    expected = nullspace_loss(features, labels, 5)
    torch.testing.assert_close(nullspace_loss(features, labels * 2, 10), expected)
    extra = torch.cat([features, torch.full((1, 40), 9.0, dtype=torch.float64)])
    named = torch.cat([labels, torch.tensor([7])])
    for objective in OBJECTIVES:
        torch.testing.assert_close(
            nullspace_loss(extra, named, 10, objective=objective),
            nullspace_loss(features, labels, 5, objective=objective),
        )


def test_shapes_do_not_depend_on_the_classes_present():
    """What a GPU runs: no class is looked for, absent ones are masked."""
    from toolkit_nullspace import loss as module
    from toolkit_nullspace.functional import centre, contrasts

    features, labels = batch(6)
    few = contrasts(labels, 5, torch.float64, balance=False)
    many = contrasts(labels * 2 + 1, 12, torch.float64, balance=False)
    centred = centre(features, few)
    tau = centred.square().sum()
    for side in ("gram", "feature"):
        torch.testing.assert_close(
            module._log(centred, many, tau, tau * 0.1, side),
            module._log(centred, few, tau, tau * 0.1, side),
        )
        spectra = [module._spectrum(centred, b, tau * 0.1, side) for b in (few, many)]
        torch.testing.assert_close(*(spectrum[real] for spectrum, real, _ in spectra))


def test_balance_makes_copies_of_a_class_count_for_nothing():
    features, labels = batch(7)
    own = labels == 2
    doubled = torch.cat([features, features[own]]), torch.cat([labels, labels[own]])
    # rho is relative to the mean row, so the sums of a longer batch need a larger one.
    longer = len(doubled[0]) / len(features)
    torch.testing.assert_close(
        nullspace_loss(*doubled, 5, balance=True, rho=0.1 * longer),
        nullspace_loss(features, labels, 5, balance=True, rho=0.1),
    )


@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5], [0, 0, 1, 2, 3, 4]])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_batch_that_says_nothing_has_no_loss_and_no_gradient(labels, objective):
    features = torch.randn(6, 8, requires_grad=True)
    loss = nullspace_loss(features, torch.tensor(labels), 6, objective=objective)
    loss.backward()
    assert loss.item() == 0
    assert not features.grad.any()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_features_that_are_all_equal_have_no_gradient(objective):
    features = torch.full((6, 8), 3.0, requires_grad=True)
    loss = nullspace_loss(features, torch.tensor([0, 0, 1, 1, 2, 2]), 3, objective=objective)
    loss.backward()
    assert loss.item() == 0
    assert not features.grad.any()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_features_that_are_not_finite_give_nan(objective):
    features, labels = batch(8)
    features[3, 4] = math.inf
    assert nullspace_loss(features, labels, 5, objective=objective).isnan()


@pytest.mark.parametrize("side", ["gram", "feature"])
def test_single_precision_follows_double(side):
    features, labels = batch(9, 64, 64, 8)
    for rho in (1e-4, 1e-2, 1.0):
        double = nullspace_loss(features, labels, 8, rho=rho, side=side)
        single = nullspace_loss(features.float(), labels, 8, rho=rho, side=side)
        assert abs(double.item() - single.item()) < 2e-3 * max(1, abs(double.item()))


def test_ridge_below_rounding_is_raised_and_not_fatal():
    features, labels = batch(10, 40, 64, 4, torch.float32)
    features = (features * 1e-3 + torch.randn(1, 64) * 1e3).requires_grad_()
    repeated = features.repeat(3, 1)
    loss = nullspace_loss(repeated, labels.repeat(3), 4, rho=1e-12, side="gram")
    loss.backward()
    assert loss.isfinite()
    assert features.grad.isfinite().all()


def test_autocast_is_left():
    features, labels = batch(11, dtype=torch.float32)
    plain = nullspace_loss(features, labels, 5)
    with torch.autocast("cpu", torch.bfloat16):
        inside = nullspace_loss(features, labels, 5)
    torch.testing.assert_close(inside, plain, rtol=0, atol=0)
    assert nullspace_loss(features.bfloat16(), labels, 5).dtype == torch.float32


def test_module_names_what_it_does_not_know():
    with pytest.raises(ValueError, match="objective is 'logs'"):
        NullSpaceLoss(3, "logs")
    with pytest.raises(ValueError, match="rho is 0"):
        NullSpaceLoss(3, rho=0)
    features, labels = batch(12)
    torch.testing.assert_close(
        NullSpaceLoss(5)(features, labels), nullspace_loss(features, labels, 5)
    )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_both_factorisations_agree_and_survive_a_ridge_below_rounding(scale):
    """The second is what a GPU runs, which is not waited for."""
    from toolkit_nullspace import functional

    rows = scale * torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    gram = rows @ rows.T
    for ridge in (0.1 * scale**2, 1e-14 * scale**2):
        for factorize in (functional._factorize_watched, functional._factorize_unwatched):
            factor, raised = factorize(gram, torch.tensor(ridge))
            assert raised.item() == 1 if ridge > 1e-3 * scale**2 else raised.item() >= 10
            whole = gram + ridge * raised * torch.eye(60)
            torch.testing.assert_close(
                factor @ factor.T / scale**2, whole / scale**2, rtol=1e-4, atol=1e-4
            )
