"""How long a run will still take, final trainings included, from the durations measured so far."""

from __future__ import annotations

from toolkit.cli.progress import Measured, Progress, Running


def seconds_left(progress: Progress) -> float | None:
    """Returns the seconds left of a run; None where nothing was measured to tell it by.

    Searching takes as long as the trials left of the budget, at the mean duration of those that
    ended, or as long as its time or its epochs last, whichever is least. Then come the trainings,
    by the seconds of an epoch. The test takes as long as those of a sweep's earlier runs or of an
    evaluation's earlier folds; in a first run nothing measures it, and it is left out, as is the
    hand-over.
    """
    final, test = _final(progress), _test(progress)
    if progress.doing == "testing":
        return test
    if progress.doing in ("exporting", "writing the report"):
        return None
    if progress.final is not None:
        return None if final is None else final + (test or 0.0)
    search = _search(progress)
    if search is None or (progress.trainings and final is None):
        return None
    return search + (final or 0.0) + (test or 0.0)


def clock(seconds: float) -> str:
    """Returns a duration as hours, minutes and seconds: `0:03:20`."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _search(progress: Progress) -> float | None:
    if progress.doing == "planning the final trainings":
        return 0.0
    bounds = [_by_trials(progress), _by_time(progress), _by_epochs(progress)]
    return min((bound for bound in bounds if bound is not None), default=None)


def _by_trials(progress: Progress) -> float | None:
    running = [trial for trial in progress.running.values() if not trial.final]
    one = _one_training(progress.measured[False], [trial.epochs for trial in running])
    if progress.total is None or one is None:
        return None
    waiting = max(progress.total - progress.ended - len(running), 0)
    own = [_own_left(progress, trial, one) for trial in running]
    return max([(sum(own) + waiting * one) / progress.slots, *own])


def _by_time(progress: Progress) -> float | None:
    if progress.time_s is None:
        return None
    began = progress.search_began
    used = progress.search_s + (0.0 if began is None else progress.now() - began)
    return max(progress.time_s - used, 0.0)


def _by_epochs(progress: Progress) -> float | None:
    pace = _pace(progress.measured[False])
    if progress.epochs is None or pace is None:
        return None
    return max(progress.epochs - progress.epochs_paid, 0.0) * pace / progress.slots


def _final(progress: Progress) -> float | None:
    """Seconds of the final trainings that are left, by their own pace, or else the search's."""
    done, total = progress.final or (0, progress.trainings or 0)
    running = [trial for trial in progress.running.values() if trial.final]
    known = [progress.final_epochs or progress.search_epochs]
    one = _one_training(progress.measured[True], known)
    if one is None:
        one = _one_training(progress.measured[False], known)
    if one is None:
        return None
    own = [_own_left(progress, trial, one) for trial in running]
    waiting = max(total - done - len(running), 0)
    return max([(sum(own) + waiting * one) / progress.slots, *own])


def _test(progress: Progress) -> float | None:
    """Seconds of the test that are left, by the mean of earlier ones."""
    if not progress.tests:
        return None
    began = progress.test_began
    used = 0.0 if began is None else progress.now() - began
    return max(sum(progress.tests) / len(progress.tests) - used, 0.0)


def _one_training(measured: Measured, epochs: list[int | None]) -> float | None:
    """Seconds of one training: the mean of those that ended, else by the seconds of an epoch."""
    known, pace = [each for each in epochs if each], _pace(measured)
    if measured.trials:
        return measured.trials_s / measured.trials
    return max(known) * pace if known and pace is not None else None


def _pace(measured: Measured) -> float | None:
    return measured.reports_s / measured.reports if measured.reports else None


def _own_left(progress: Progress, trial: Running, usual_s: float) -> float:
    """Seconds left of one running trial: by its own epochs where it reports them."""
    if trial.epochs and trial.reports and trial.epochs >= trial.step:
        pace = (trial.heard - trial.began) / trial.reports
        since = progress.now() - trial.heard
        return max((trial.epochs - trial.step) * pace - since, 0.0)
    return max(usual_s - (progress.now() - trial.began), 0.0)
