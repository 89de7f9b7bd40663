"""Words a newcomer stops at, each with a sentence; a page explains those it uses."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "SPD": "Symmetric positive definite, as covariance matrices are: all eigenvalues are above 0.",
    "BiMap": "A trained linear map of SPD matrices, X to W X W^T with orthonormal rows in W: what"
    " a linear layer is to vectors. It can make them smaller.",
    "ReEig": "What a rectifier is to vectors: eigenvalues below a threshold are raised to it.",
    "LogEig": "The logarithm of a matrix, taken of its eigenvalues: SPD matrices become symmetric"
    " ones, which can be added and classified as vectors.",
    "SPDNet": "The first deep network of SPD matrices: BiMap and ReEig in turn, then LogEig and a"
    " linear layer. SPDNetBN has batch normalisation besides.",
    "tangent space": "The linear space that touches the SPD matrices at their mean; there they are"
    " classified as vectors.",
    "supernet": "One network that holds every candidate operation at once; its edge weights say"
    " which of them to keep.",
    "entropy": "How undecided edge weights are: 0 where one candidate has all the weight, and"
    " largest where all have the same.",
    "collapsed": "A search that chose operations without parameters nearly everywhere, a known"
    " failure of differentiable search: the network it names cannot learn much.",
    "Pareto front": "The trials that no other trial beats in every objective at once.",
    "hypervolume": "How much of the space of objectives the front dominates, measured up to a"
    " reference point; it grows when the front gets better.",
    "pruned": "A trial that was ended early, because it did worse than others at the same epoch.",
    "invalid": "A trial without a usable result, or one that breaks a constraint of the recipe.",
    "95 % interval": "Where the true difference lies, with a confidence of 95 %; one that holds 0"
    " leaves open which is better.",
    "standard deviation": "How far single trainings lie from their mean.",
    "fitted head": "A last layer that is solved in closed form after the last epoch.",
    "balanced accuracy": "The mean of the classes' recalls: each class counts the same, however"
    " many samples it has.",
    "parallel coordinates": "One vertical axis for each searched value and one line for each trial."
    " Where lines of good trials meet, a value matters.",
    "PED-ANOVA": "It compares how often a value occurs among the best tenth of trials with how"
    " often it occurs among all. It sees each value alone, and only the region that was searched.",
}


def used_in(text: str) -> dict[str, str]:
    """Returns the terms that stand in a text, with their sentences."""
    low = text.replace("_", " ").lower()
    return {term: said for term, said in TERMS.items() if term.lower() in low}
