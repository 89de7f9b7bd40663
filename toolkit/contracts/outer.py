"""Outer folds: what a run is tested on in place of the task's own test split, as recipes say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from toolkit.contracts.training import Block

KINDS = "leave_one_group_out, groups:K, stratified:K or repeated:KxR"
MOST = 100
_FORM = re.compile(r"(leave_one_group_out)|(groups|stratified):(\d+)|(repeated):(\d+)x(\d+)")


@dataclass(frozen=True)
class FoldsAsked:
    """Folds that together test every sample, once in each round.

    Attributes:
        kind: whether folds are of whole groups, or have the same share of every class.
        count: folds in one round; None for one group at a time.
        rounds: each with an order of its own.
    """

    kind: Literal["groups", "stratified"]
    count: int | None
    rounds: int = 1


def parse_folds(text: str) -> FoldsAsked:
    """Reads `leave_one_group_out`, `groups:4`, `stratified:5` or `repeated:5x3`.

    Raises:
        ValueError: the text is none of these, or asks for too few or too many folds.
    """
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no kind of folds, expected {KINDS}")
    if found[1]:
        return FoldsAsked("groups", None)
    count, rounds = int(found[3] or found[5]), int(found[6] or 1)
    if not (2 <= count <= MOST and 1 <= rounds <= MOST):
        raise ValueError(f"{text!r} given, expected from 2 to {MOST} folds, in 1 to {MOST} rounds")
    return FoldsAsked("groups" if found[2] == "groups" else "stratified", count, rounds)


def check_folds(text: str) -> str:
    """Checks the notation of outer folds.

    Raises:
        ValueError: see `parse_folds`.
    """
    parse_folds(text)
    return text.strip()


class OuterFold(Block):
    """One fold of all samples, tested on in place of the task's own test split."""

    folds: Annotated[str, AfterValidator(check_folds)] = Field(
        description=f"how all samples are divided: {KINDS}", examples=["leave_one_group_out"]
    )
    fold: PositiveInt = Field(description="the fold to test on, from 1; the rest is searched on")
