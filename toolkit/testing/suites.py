"""The contract suites as pytest classes, each with one fixture to give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from toolkit.contracts import OneShotSpace, Strategy, Task, TrialState
from toolkit.space import Space
from toolkit.testing import executors, spaces, strategies, tasks, trackers
from toolkit.testing.executors import Jobs, MakeExecutor
from toolkit.testing.spaces import SpaceCase
from toolkit.testing.strategies import Judge, StrategyCase
from toolkit.testing.trackers import MakeTracker
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

    def test_pool_divides_as_load_does(self, task: Task, tmp_path: Path) -> None:
        tasks.pool_divides_as_load_does(task, tmp_path)

    def test_survey_counts_what_is_loaded(self, task: Task, tmp_path: Path) -> None:
        tasks.survey_counts_what_is_loaded(task, task.load(tmp_path, 0))

    def test_source_classes_are_as_described(self, task: Task, tmp_path: Path) -> None:
        tasks.source_classes_are_as_described(task, task.load(tmp_path, 0))

    def test_every_direction_has_a_metric(self, task: Task, tmp_path: Path) -> None:
        tasks.every_direction_has_a_metric(task, tmp_path)

    def test_live_arrays_have_options(self, task: Task) -> None:
        tasks.live_arrays_have_options(task)


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

    def test_the_kind_of_outputs_is_given(self, case: SpaceCase) -> None:
        spaces.the_kind_of_outputs_is_given(case)

    def test_what_is_prepared_is_plain_json(self, case: SpaceCase) -> None:
        spaces.what_is_prepared_is_plain_json(case)

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


_JOBS = pytest.StashKey[dict[MakeExecutor, Jobs]]()


class ExecutorSuite:
    """Give the fixture `make`: what makes an executor of an `ExecutorContext`, mostly the class.

    The tests share one executor of it, as starting workers takes time.
    """

    isolated: ClassVar[bool] = True
    """Whether jobs run in processes of their own, which may hang and die."""

    @pytest.fixture
    def make(self) -> MakeExecutor:
        raise NotImplementedError("Give a fixture `make` that returns the executor's class.")

    @pytest.fixture
    def jobs(
        self,
        make: MakeExecutor,
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Jobs:
        """The executor, and what starts jobs on it."""
        suite = request.node.getparent(pytest.Class)
        known = suite.stash.setdefault(_JOBS, {})
        if make not in known:
            known[make] = Jobs(make, tmp_path_factory.mktemp("executor"))
            suite.addfinalizer(known[make].executor.close)
        jobs: Jobs = known[make]
        return jobs

    @pytest.fixture
    def isolated_jobs(self, jobs: Jobs) -> Jobs:
        """The same, where jobs may hang and die."""
        if not self.isolated:
            pytest.skip("Jobs run in the process of the executor.")
        return jobs

    def test_the_slots_stay_the_same(self, jobs: Jobs) -> None:
        executors.the_slots_stay_the_same(jobs)

    def test_waiting_for_nothing_ends(self, jobs: Jobs) -> None:
        executors.waiting_for_nothing_ends(jobs)

    def test_a_job_is_heard_from_its_beginning_to_its_end(self, jobs: Jobs) -> None:
        executors.a_job_is_heard_from_its_beginning_to_its_end(jobs)

    def test_every_slot_takes_a_job(self, jobs: Jobs) -> None:
        executors.every_slot_takes_a_job(jobs)

    def test_a_job_that_fails_says_why(self, jobs: Jobs) -> None:
        executors.a_job_that_fails_says_why(jobs)

    def test_a_pruned_job_ends_after_its_next_report(self, jobs: Jobs) -> None:
        executors.a_job_is_ended_after_its_next_report(jobs, "pruned", TrialState.PRUNED)

    def test_a_drained_job_is_queued_after_its_next_report(self, jobs: Jobs) -> None:
        executors.a_job_is_ended_after_its_next_report(jobs, "drain", TrialState.QUEUED)

    def test_a_job_that_has_ended_may_be_stopped(self, jobs: Jobs) -> None:
        executors.a_job_that_has_ended_may_be_stopped(jobs)

    def test_a_job_over_its_time_is_ended_at_once(self, isolated_jobs: Jobs) -> None:
        executors.a_job_is_ended_at_once(isolated_jobs, "timeout", TrialState.TIMEOUT)

    def test_a_job_that_is_to_end_now_is_lost_at_once(self, isolated_jobs: Jobs) -> None:
        executors.a_job_is_ended_at_once(isolated_jobs, "now", TrialState.LOST)

    def test_a_job_whose_worker_dies_is_lost(self, isolated_jobs: Jobs) -> None:
        executors.a_job_whose_worker_dies_is_lost(isolated_jobs)

    def test_closing_ends_what_runs(self, make: MakeExecutor, tmp_path: Path) -> None:
        executors.closing_ends_what_runs(Jobs(make, tmp_path, workers=1))


class TrackerSuite:
    """Give the fixture `make`: a function that makes the tracker, as each engine does."""

    @pytest.fixture
    def make(self) -> MakeTracker:
        raise NotImplementedError("Give a fixture `make` that returns a function: () -> Tracker.")

    def test_making_one_writes_nothing(self, make: MakeTracker, tmp_path: Path) -> None:
        trackers.making_one_writes_nothing(make, tmp_path)

    def test_one_that_heard_nothing_closes(self, make: MakeTracker) -> None:
        trackers.one_that_heard_nothing_closes(make)

    def test_every_event_is_heard(self, make: MakeTracker, tmp_path: Path) -> None:
        trackers.every_event_is_heard_in_another_thread(make, tmp_path)

    def test_a_resumed_run_is_heard(self, make: MakeTracker, tmp_path: Path) -> None:
        trackers.a_resumed_run_is_heard(make, tmp_path)
