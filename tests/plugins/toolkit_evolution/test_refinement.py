"""`evolution.refine`: few trials, and an end when nothing is gained."""

from __future__ import annotations

from toolkit.contracts import Exhausted, Proposal, SearchContext, Trial, TrialState
from toolkit.space import Choice, Float, Group
from toolkit_evolution.refinement import Refinement

TREE = Group(a=Choice(list(range(10))), b=Choice(list(range(10))), c=Float(0.0, 1.0))


def drive(value: object, trials: int = 60, seed: int = 0, **options: object) -> list[dict]:
    strategy = Refinement(Refinement.Options.model_validate(options))
    strategy.setup(SearchContext(TREE, {"accuracy": "maximize"}, seed, trials))
    points: list[dict] = []
    while len(points) < trials:
        proposal = strategy.ask()
        if isinstance(proposal, Exhausted):
            break
        assert isinstance(proposal, Proposal) and proposal.point is not None
        points.append(proposal.point)
        trial = Trial(len(points), "train", proposal.point, {}, 0, str(len(points)))
        reached = value(proposal.point) if callable(value) else value
        strategy.tell(trial, TrialState.DONE, {"accuracy": reached})
    return points


def test_after_random_points_it_steps_from_the_best() -> None:
    points = drive(lambda point: point["a"] + point["b"], patience=60)
    first, later = points[:30], points[30:]
    assert sum(p["a"] + p["b"] for p in later) / 30 > sum(p["a"] + p["b"] for p in first) / 30 + 3
    near = [p for p in later if any(p["c"] == q["c"] or p["a"] == q["a"] for q in first)]
    assert len(near) > 20


def test_it_ends_when_the_answer_no_longer_gains() -> None:
    assert len(drive(0.9)) == 30 + 12, "every result is the same"
    assert len(drive(lambda point: point["c"], patience=60)) == 60


def test_the_same_seed_proposes_the_same() -> None:
    assert drive(0.5, 20) == drive(0.5, 20)
    assert drive(0.5, 20) != drive(0.5, 20, seed=1)
