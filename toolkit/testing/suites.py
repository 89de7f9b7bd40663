"""The contract suites as pytest classes, each with one fixture to give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.contracts import OneShotSpace, Strategy, Task
from toolkit.space import Space
from toolkit.testing import spaces, strategies, tasks
from toolkit.testing.spaces import SpaceCase
from toolkit.testing.strategies import Judge, StrategyCase
from toolkit.testing.trees import NESTED


class TaskSuite:
    """Give the fixture `task`: a task that finds its data."""

    @pytest.fixture
    def task(self) -> Task:
        raise NotImplementedError("Give a fixture `task` that returns the task under test.")

    def test_info_is_the_same_every_time(self, task: Task) -> None:
        tasks.info_is_the_same_every_time(task)

    def test_parts_are_as_described(self, task: Task, tmp_path: Path) -> None:
        tasks.parts_are_as_described(task, task.load(tmp_path, 0))

    def test_equal_seeds_load_equal_parts(self, task: Task, tmp_path: Path) -> None:
        tasks.equal_seeds_load_equal_parts(task, tmp_path)

    def test_left_out_classes_are_as_described(self, task: Task, tmp_path: Path) -> None:
        tasks.left_out_classes_are_as_described(task, task.load(tmp_path, 0))

    def test_survey_counts_what_is_loaded(self, task: Task, tmp_path: Path) -> None:
        tasks.survey_counts_what_is_loaded(task, task.load(tmp_path, 0))

    def test_every_direction_has_a_metric(self, task: Task) -> None:
        tasks.every_direction_has_a_metric(task)


class SearchSpaceSuite:
    """Give the fixture `case`: a `SpaceCase`; the same for every test, where building is slow."""

    @pytest.fixture
    def case(self) -> SpaceCase:
        raise NotImplementedError("Give a fixture `case` that returns a toolkit.testing.SpaceCase.")

    @pytest.fixture
    def one_shot(self, case: SpaceCase) -> SpaceCase:
        """The case, where its space has a supernet."""
        if not isinstance(case.space, OneShotSpace):
            pytest.skip("The space offers no supernet.")
        return case

    def test_the_kind_of_data_is_accepted(self, case: SpaceCase) -> None:
        spaces.the_kind_of_data_is_accepted(case)

    def test_the_tree_is_plain_json(self, case: SpaceCase) -> None:
        spaces.the_tree_is_plain_json(case)

    def test_graphs_are_acyclic_and_labelled(self, case: SpaceCase) -> None:
        spaces.graphs_are_acyclic_and_labelled(case)

    def test_equal_architectures_have_equal_fingerprints(self, case: SpaceCase) -> None:
        spaces.equal_architectures_have_equal_fingerprints(case)

    def test_an_architecture_is_among_its_rivals(self, case: SpaceCase) -> None:
        spaces.an_architecture_is_among_its_rivals(case)

    def test_building_changes_no_architecture(self, case: SpaceCase) -> None:
        spaces.building_changes_no_architecture(case)

    def test_weights_come_from_the_global_generator(self, case: SpaceCase) -> None:
        spaces.weights_come_from_the_global_generator(case)

    def test_every_weight_learns(self, case: SpaceCase) -> None:
        spaces.every_weight_learns(case)

    def test_schedules_are_factors(self, case: SpaceCase) -> None:
        spaces.schedules_are_factors(case)

    def test_the_deployed_module_predicts_as_the_learner(self, case: SpaceCase) -> None:
        spaces.the_deployed_module_predicts_as_the_learner(case)

    def test_the_deployed_module_rebuilds_from_its_config(self, case: SpaceCase) -> None:
        spaces.the_deployed_module_rebuilds_from_its_config(case)

    def test_a_supernet_parts_its_parameters(self, one_shot: SpaceCase) -> None:
        spaces.a_supernet_parts_its_parameters(one_shot)

    def test_a_supernet_derives_points_of_the_tree(self, one_shot: SpaceCase) -> None:
        spaces.a_supernet_derives_points_of_the_tree(one_shot)

    def test_a_supernet_weighs_every_candidate_on_every_edge(self, one_shot: SpaceCase) -> None:
        spaces.a_supernet_weighs_every_candidate_on_every_edge(one_shot)

    def test_a_move_without_direction_stays(self, one_shot: SpaceCase) -> None:
        spaces.a_move_without_direction_stays(one_shot)


class StrategySuite:
    """Give the fixture `make`: what makes a new strategy object.

    `tree`, `judge` and `trials` may be given for a strategy that does not serve every tree, or
    that shows what it can only after some trials.
    """

    @pytest.fixture
    def make(self) -> Callable[[], Strategy]:
        raise NotImplementedError("Give a fixture `make` that returns what makes a new strategy.")

    @pytest.fixture
    def tree(self) -> Space:
        """What to search."""
        return NESTED

    @pytest.fixture
    def judge(self) -> Judge:
        """Value of a point, to be maximised."""
        return strategies.arbitrary

    @pytest.fixture
    def trials(self) -> int:
        """Proposals to ask for."""
        return 12

    @pytest.fixture
    def strategy_case(
        self, make: Callable[[], Strategy], tree: Space, judge: Judge, trials: int
    ) -> StrategyCase:
        return StrategyCase(make, tree, judge, trials)

    def test_proposals_are_points_of_the_tree(self, strategy_case: StrategyCase) -> None:
        strategies.proposals_are_points_of_the_tree(strategy_case)

    def test_equal_histories_give_equal_proposals(self, strategy_case: StrategyCase) -> None:
        strategies.equal_histories_give_equal_proposals(strategy_case)

    def test_a_replayed_strategy_goes_on(self, strategy_case: StrategyCase) -> None:
        strategies.a_replayed_strategy_goes_on(strategy_case)

    def test_running_trials_are_taken_up(self, strategy_case: StrategyCase) -> None:
        strategies.running_trials_are_taken_up(strategy_case)

    def test_trials_it_never_proposed_are_heard(self, strategy_case: StrategyCase) -> None:
        strategies.trials_it_never_proposed_are_heard(strategy_case)

    def test_reports_without_a_number_are_heard(self, strategy_case: StrategyCase) -> None:
        strategies.reports_without_a_number_are_heard(strategy_case)
