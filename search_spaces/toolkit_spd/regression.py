"""How the tangent-space classifier is fitted: a mean, and a penalised regression."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .functional.means import frechet_mean
from .functional.spectral import sym_inverse_sqrt
from .tangent import TangentClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEAN_STEPS = 10
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)


@torch.no_grad()
def fit_tangent(model: TangentClassifier, x: Tensor, labels: Tensor) -> None:
    """Fit mean and linear map to inputs (N, ...) with labels (N,) of two classes or more."""
    means = frechet_mean(model.prepare(x).transpose(0, 1), steps=_MEAN_STEPS)
    model.whitener.copy_(sym_inverse_sqrt(means))
    features = model.features(x)
    center = features.mean(0)
    centred = features - center
    # So that a penalty means the same whatever the data's spread.
    spread = centred.square().sum(1).mean().sqrt().clamp_min(1e-12)
    weight, bias = regress((centred / spread).cpu().numpy(), labels.cpu().numpy())
    present = labels.unique().cpu()
    model.linear.weight.zero_()
    # A class without a sample gets what is as good as no probability.
    model.linear.bias.fill_(-100.0)
    model.linear.weight[present] = torch.from_numpy(weight).to(features) / spread
    model.linear.bias[present] = torch.from_numpy(bias).to(features)
    model.linear.bias[present] -= model.linear.weight[present] @ center


def regress(features: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights (classes, d) and biases of a multinomial regression, its penalty by folds."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    basis = None
    if len(features) < features.shape[1]:
        # A penalty on ||w||^2 is invariant under rotation: N coordinates say the same as d.
        values, vectors = np.linalg.eigh(features @ features.T)
        kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
        basis = features.T @ (vectors[:, kept] / np.sqrt(values[kept]))
        features = features @ basis
    folds = min(5, int(np.unique(labels, return_counts=True)[1].min()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if folds > 1:
            search = GridSearchCV(
                LogisticRegression(max_iter=1000),
                {"C": _PENALTIES},
                scoring="neg_log_loss",
                cv=StratifiedKFold(folds, shuffle=True, random_state=0),
            )
            model = search.fit(features, labels).best_estimator_
        else:
            model = LogisticRegression(C=10.0, max_iter=1000).fit(features, labels)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return (weight if basis is None else weight @ basis.T), bias
