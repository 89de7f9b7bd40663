"""The suite for trackers fails those that break a promise, and says which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import Tracker
from toolkit.testing import TrackerSuite, check_tracker
from toolkit.testing.trackers import MakeTracker


class Sound(Tracker):
    folder: Path | None = None

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "run_started":
            self.folder = Path(facts["folder"]) / "track"
            self.folder.mkdir(exist_ok=True)
        assert self.folder is not None
        with (self.folder / "heard.txt").open("a") as stream:
            stream.write(f"{name}\n")


class TestSound(TrackerSuite):
    @pytest.fixture
    def make(self) -> MakeTracker:
        return Sound


class Hasty(Sound):
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        super().event(name, facts)
        if name == "trial_reported":
            float(facts["values"]["loss"])


class Untidy(Sound):
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        super().event(name, facts)
        if name == "run_ended":
            (Path(facts["folder"]) / "mine.txt").touch()


class Forgetful(Sound):
    def close(self) -> None:
        assert self.folder is not None, "nothing to close"


class Strict(Sound):
    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        super().event(name, facts)
        if name == "an_event_of_a_later_release":
            raise KeyError(name)


@pytest.mark.parametrize(
    ("tracker", "fault"),
    [
        (Hasty, "raised TypeError"),
        (Untidy, "this one wrote {'mine.txt'}"),
        (Forgetful, "nothing to close"),
        (Strict, "an_event_of_a_later_release"),
    ],
)
def test_a_broken_promise_is_named(tracker: type[Tracker], fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_tracker(tracker, tmp_path)


def test_one_that_writes_as_it_is_made_is_refused(tmp_path: Path) -> None:
    def make() -> Tracker:
        (tmp_path / "made").touch()
        return Sound()

    with pytest.raises(AssertionError, match="wrote into the run folder"):
        check_tracker(make, tmp_path)
