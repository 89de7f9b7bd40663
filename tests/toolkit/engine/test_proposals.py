"""What a strategy hands over is checked where it arrives; its name and method are in the answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.contracts import Proposal
from toolkit.engine.proposals import check_promotable, check_proposal
from toolkit.errors import PluginError

pytestmark = pytest.mark.faults
SOUND = Proposal({"architecture": 1}, "train", {"epochs": 3, "data": 0.5}, ["token"], 1, 2**63 - 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "junk"},
        {"fidelity": ["epochs"]},
        {"fidelity": {"epochs": -5}},
        {"fidelity": {"epochs": "many"}},
        {"fidelity": {"epochs": 2.5}},
        {"fidelity": {"of_epochs": True}},
        {"fidelity": {"data": 1.5}},
        {"fidelity": {"data": float("nan")}},
        {"fidelity": {"lr": Path}},
        {"fidelity": {1: 2}},
        {"seed": 2**63},
        {"seed": -1},
        {"seed": "x"},
        {"continues": 0},
        {"continues": [1]},
        {"token": Path},
        {"token": {"a": float("inf")}},
    ],
    ids=str,
)
def test_a_proposals_fields_are_checked(fault: dict[str, Any]) -> None:

    assert check_proposal(SOUND, "mine") is SOUND
    with pytest.raises(PluginError, match=f"strategy.ask of mine proposed {next(iter(fault))}="):
        check_proposal(replace(SOUND, **fault), "mine")


@pytest.mark.parametrize("junk", [None, "x", {"point": {}}, Proposal])
def test_what_is_no_proposal_is_refused(junk: Any) -> None:
    with pytest.raises(PluginError, match="expected a Proposal"):
        check_proposal(junk, "mine")


@pytest.mark.parametrize("junk", [3, ["x"], [None], [1.5], True])
def test_promotable_trials_are_numbers(junk: Any) -> None:
    assert check_promotable(None, "mine") is None
    assert check_promotable([1, 2], "mine") == [1, 2]
    with pytest.raises(PluginError, match=r"strategy\.promotable of mine"):
        check_promotable(junk, "mine")
