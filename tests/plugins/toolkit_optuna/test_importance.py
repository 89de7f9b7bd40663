"""Importance: Optuna's numbers, at the price of what is needed for them."""

import random
import subprocess
import sys

import optuna

from toolkit_optuna.importance import ped_anova

ALONE = """
import sys
from toolkit_optuna.importance import ped_anova
points = [{"x": n / 20, "y": n % 3} for n in range(20)]
assert ped_anova(points, [p["x"] for p in points], "maximize")["x"] > 0.5
assert not {"sklearn", "pandas", "scipy"} & set(sys.modules), "more is imported than is needed"
from optuna.importance import FanovaImportanceEvaluator
import optuna
assert optuna.importance.FanovaImportanceEvaluator is FanovaImportanceEvaluator
"""


def test_shares_are_those_of_optuna_itself():
    rng = random.Random(0)
    points = [{"lr": rng.uniform(0.01, 0.5), "width": rng.randint(1, 8)} for _ in range(60)]
    values = [-((p["lr"] - 0.2) ** 2) + 0.001 * p["width"] for p in points]
    study = optuna.create_study(direction="maximize")
    low, high = min(p["lr"] for p in points), max(p["lr"] for p in points)
    kinds = {
        "lr": optuna.distributions.FloatDistribution(low, high),
        "width": optuna.distributions.IntDistribution(1, 8),
    }
    for point, value in zip(points, values, strict=True):
        study.add_trial(optuna.trial.create_trial(params=point, distributions=kinds, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(study, evaluator=evaluator)
    assert ped_anova(points, values, "maximize") == expected


def test_other_evaluators_are_not_imported_and_can_be_afterwards():
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", ALONE], check=True)


def test_equal_results_give_equal_shares_without_a_word(recwarn):
    points = [{"x": n, "y": n % 3} for n in range(20)]
    assert ped_anova(points, [1.0] * 20, "maximize") == {"x": 0.5, "y": 0.5}
    assert not list(recwarn)
