"""Many operations at once: BiMap candidates of one shape share products and one decomposition."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from .functional.congruence import bimap
from .maps import LOG_EUCLIDEAN, SpdMap
from .normalization import (
    BatchNormAffine,
    BatchNormLogEuclidean,
    normalize_affine,
    normalize_log_euclidean,
)
from .operations import BilinearOperation, Operation


def evaluate(jobs: Sequence[tuple[Operation, SpdMap]]) -> list[SpdMap]:
    """Apply each operation to its map; equal to calling them one by one."""
    results: list[SpdMap | None] = [None] * len(jobs)
    stacks: dict[tuple[object, ...], list[int]] = {}
    for position, (operation, x) in enumerate(jobs):
        if isinstance(operation, BilinearOperation):
            key = (operation.setting, operation.norm is None)
            stacks.setdefault(key, []).append(position)
        else:
            results[position] = operation(x)
    for stack in stacks.values():
        operations = [cast(BilinearOperation, jobs[position][0]) for position in stack]
        found = _evaluate_bilinear(operations, [jobs[position][1] for position in stack])
        for position, result in zip(stack, found, strict=True):
            results[position] = result
    return cast(list[SpdMap], results)


def _evaluate_bilinear(
    operations: Sequence[BilinearOperation], maps: Sequence[SpdMap]
) -> list[SpdMap]:
    products, order = _multiply(operations, maps)
    ordered = [operations[position] for position in order]
    first = ordered[0]
    logarithmic = first.setting.geometry == LOG_EUCLIDEAN
    if first.norm is None:
        products = products * cast(Tensor, first.bimap.block)
    outputs = SpdMap.from_matrix(products).logarithm if logarithmic else products
    if first.norm is None:
        pass
    elif logarithmic:
        norms = [cast(BatchNormLogEuclidean, each.norm) for each in ordered]
        outputs = normalize_log_euclidean(outputs, norms)
    else:
        outputs = normalize_affine(outputs, [cast(BatchNormAffine, each.norm) for each in ordered])
    pieces = outputs.unbind()
    results = [SpdMap(each, logarithmic) for each in pieces]
    raised = [place for place, each in enumerate(ordered) if each.rectifies_output]
    if raised:
        # A list as an index would be copied to the device, and that copy waited for.
        chosen = first.rectified(
            SpdMap(torch.stack([pieces[place] for place in raised]), logarithmic)
        )
        tensors = chosen.logarithm if logarithmic else chosen.matrix
        for place, each in zip(raised, tensors.unbind(), strict=True):
            results[place] = SpdMap(each, logarithmic)
    restored = sorted(zip(order, results, strict=True), key=lambda pair: pair[0])
    return [result for _, result in restored]


def _multiply(
    operations: Sequence[BilinearOperation], maps: Sequence[SpdMap]
) -> tuple[Tensor, list[int]]:
    """Return all products (G, B, O, m, m), and which operation each belongs to."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for position, (operation, x) in enumerate(zip(operations, maps, strict=True)):
        groups.setdefault((id(x), operation.rectifies_input), []).append(position)
    products = []
    for (_, rectified), members in groups.items():
        first, x = operations[members[0]], maps[members[0]]
        matrix = (first.rectified(x) if rectified else x).matrix
        weight = torch.cat([operations[member].bimap.weight for member in members])
        product = bimap(matrix, weight).unflatten(0, (len(members), -1))
        products.append(product.transpose(1, 2))
    return torch.cat(products), [member for members in groups.values() for member in members]
