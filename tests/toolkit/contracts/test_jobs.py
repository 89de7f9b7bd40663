"""Jobs and events: what a line of JSON keeps of them, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.contracts import (
    Ended,
    Event,
    ExportJob,
    Fault,
    Noted,
    Outcome,
    PrepareJob,
    Reported,
    SmokeJob,
    Started,
    SupernetJob,
    Tested,
    TestJob,
    Training,
    TrainJob,
    TrialSpec,
    TrialState,
)
from toolkit.contracts.coding import EVENT, SPEC, MessageError, decode, encode
from toolkit.errors import ExitCode
from toolkit.executors.messages import COMMAND, SETUP, Run, Setup, Stop

POINT = {"architecture": {"width": 3, "cell": [1, None, "conv"]}, "train": {"lr": 0.1}}
TRAINING = Training(4, "final/found-seed0", POINT, 7)

numbers = st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "job",
    [
        TrainJob(POINT, {"epochs": 3, "data": 0.5}, searched=True),
        TrainJob(POINT, keep_weights=True),
        SupernetJob({"epochs": 2}),
        SmokeJob(POINT),
        PrepareJob({"space": {"start": 1}}),
        TestJob((TRAINING, Training(5, "final/plain-seed0", POINT, 7)), drawn=4),
        ExportJob(TRAINING, {"title": "a run"}, "run/best"),
    ],
)
def test_jobs_come_out_of_json_as_they_went_in(job: Any) -> None:
    spec = TrialSpec("trial-1", job, 2**31 - 1, "trials/0001-abcd", 60.0)
    assert decode(SPEC, encode(spec)) == spec
    assert decode(COMMAND, encode(Run(spec))) == Run(spec)


@settings(max_examples=25)
@given(st.text(min_size=1), st.integers(-(2**63), 2**63 - 1), numbers, plain)
def test_events_come_out_of_json_as_they_went_in(
    key: str, step: int, values: dict[str, float], record: Any
) -> None:
    outcome = Outcome(
        TrialState.DONE,
        values,
        "a\nb",
        1.5,
        10,
        {"parameters <= 5": 1.0},
        ({"width": 1}, {"width": 2}),
        ("odd",),
        {3: Tested(values, values, {"points": record}), 4: Tested(values)},
        Fault("no data", "get some", ExitCode.USAGE),
        {"samples": values},
    )
    events: list[Event] = [
        Started(key),
        Reported(key, step, values, {"record": record}),
        Ended(key, outcome),
        Noted(key),
    ]
    for event in events:
        assert decode(EVENT, encode(event)) == event


def test_nan_and_infinities_survive_anywhere_in_a_message() -> None:
    values = {"nan": math.nan, "inf": math.inf, "down": -math.inf}
    event = decode(EVENT, encode(Reported("trial-1", 1, values, {"curve": [math.nan, 1.0]})))
    assert isinstance(event, Reported)
    assert math.isnan(event.values["nan"]) and math.isnan(event.records["curve"][0])
    assert (event.values["inf"], event.values["down"]) == (math.inf, -math.inf)


def test_commands_come_out_of_json_as_they_went_in() -> None:
    setup = Setup({"name": "a", "space": {"widths": [1, 2]}}, ("plugin.py",), "cuda", 4)
    assert decode(SETUP, encode(setup)) == setup
    assert decode(COMMAND, encode(Stop("trial-1", "drain"))) == Stop("trial-1", "drain")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json at all", "Invalid JSON"),
        ('{"key": "trial-1"}', "discriminator 'kind'"),
        ('{"kind": "gone", "key": "trial-1"}', "'gone'"),
        ('{"kind": "started"}', "started.key: Field required"),
        ('{"kind": "started", "key": 1}', "started.key: Input should be a valid string"),
        ('{"kind": "started", "key": "a", "more": 1}', "started.more: Unexpected keyword"),
        ('{"kind": "reported", "key": "a", "step": "1", "values": {}}', "valid integer"),
        ('{"kind": "reported", "key": "a", "step": 1.5, "values": {}}', "valid integer"),
        ('{"kind": "reported", "key": "a", "step": 9999999999999999999, "values": {}}', "less"),
        ('{"kind": "reported", "key": "a", "step": 1, "values": {"x": null}}', "valid number"),
        ('{"kind": "ended", "key": "a", "outcome": {"state": "great"}}', "ended.outcome.state"),
        ('{"kind": "ended", "key": "a", "outcome": {"state": "running"}}', "does not end"),
        ('{"kind": "ended", "key": "a", "outcome": {"state": "done", "fault": {}}}', "fault"),
        ("[" * 100_000, "recursion limit"),
    ],
)
def test_what_is_no_event_is_refused_with_a_sentence(line: str, why: str) -> None:
    with pytest.raises(MessageError, match=why) as caught:
        decode(EVENT, line.encode())
    assert line[:50] in str(caught.value)
    assert len(str(caught.value)) < 400


def test_running_is_no_end() -> None:
    with pytest.raises(ValueError, match="running"):
        Outcome(TrialState.RUNNING)
