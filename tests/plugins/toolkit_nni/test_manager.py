"""NNI's own experiment manager: what its database shows is what ran, and nothing outlives a run."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import psutil
import pytest

from toolkit.contracts import TrialState

SLOW = "space={name: tiny_space, epochs: 40, pause_s: 0.25}"
UNTESTED = 5
"""Exit code of a run whose trainings are done, and cannot be tested without torch."""
UNEQUAL = "space={name: tiny_space, rungs: true, pause_s: {choice: [0.0, 0.2, 0.7]}}"


def shown(record: Any) -> dict[str, Any]:
    """What NNI must show of a trial of the ledger."""
    fidelity = {"fidelity": dict(record.fidelity)} if record.fidelity else {}
    return {"number": record.number, **record.point, **fidelity}


def port_of(noted: dict[str, Any]) -> int:
    (address,) = (word for word in noted["message"].split() if word.startswith("http"))
    port = urlsplit(address.rstrip(",;")).port
    assert port
    return port


def handshake(port: Any, headers: dict[str, str]) -> int:
    """Status of an answer to who would speak as NNI's dispatcher does."""
    own = {"Host": f"127.0.0.1:{port}", "Connection": "Upgrade", "Upgrade": "websocket"}
    own |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw=="}
    lines = [f"{name}: {value}" for name, value in {**own, **headers}.items()]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
        link.sendall("\r\n".join(["GET /tuner HTTP/1.1", *lines, "", ""]).encode())
        return int(link.recv(100).split()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_guard_and_dispatcher_import_no_more_of_nni_than_they_need() -> None:
    code = (
        "import sys; from toolkit_nni.manager.light import leave_out; leave_out();"
        "import nni.__main__, nni.experiment, toolkit_nni.manager.tuner;"
        "print('scipy.stats._stats_py' in sys.modules, sys.modules['pandas'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "None"]


@pytest.mark.slow
def test_nni_shows_what_ran_at_trials_at_once_of_unequal_length_and_fidelity(
    managed: Any,
) -> None:
    managed.need_no_torch(trials=4)
    hyperband = "strategy={name: nni.hyperband, R: 3, eta: 3, exec_mode: serial}"
    code, errors = managed(
        "budget.trials=4", "resources.workers=3", hyperband, UNEQUAL, "train.epochs=3"
    )
    assert code == 0, errors
    records = {record.number: record for record in managed.trials()}
    assert len(records) == 5, "4 of the search, and the final training"
    assert {record.state for record in records.values()} == {TrialState.DONE}
    rows = managed.rows()
    assert sorted(row["parameters"]["number"] for row in rows) == sorted(records)
    for row in rows:
        record = records[row["parameters"]["number"]]
        assert row["parameters"] == shown(record)
        assert row["state"] == "SUCCEEDED"
        final = {name: row["final"][name] for name in record.values}
        assert final == record.values
        assert row["final"]["default"] == record.values["accuracy"]
        assert len(row["intermediate"]) == record.epochs_paid > 0
    epochs = [row["parameters"].get("fidelity", {}).get("epochs") for row in rows]
    # Three trials of one epoch at once, of which one goes on to three.
    assert Counter(epochs) == {1: 3, 3: 1, None: 1}, "Hyperband works since the engine decides"


def test_failed_and_invalid_trials_are_failed_in_nni_and_the_run_goes_on(managed: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    managed.need_no_torch()
    faults = "space={name: tiny_space, fault: {choice: ['', raise, nan, exit]}}"
    each = ["budget.trials=4", "train.seed=51"]  # The first four draw each fault once.
    code, errors = managed(*each, faults, "resources.workers=4", TOOLKIT_NNI_PORT=str(port))
    assert code == UNTESTED, errors
    assert port_of(managed.events("noted", "http")[0]) == port
    records = {record.number: record for record in managed.trials()}
    states = [records[number].state for number in (1, 2, 3, 4)]
    failed = TrialState.FAILED
    assert states == [failed, TrialState.INVALID, TrialState.DONE, failed]
    assert records[5].state is TrialState.DONE, "the final training"
    for row in managed.rows():
        record = records[row["parameters"]["number"]]
        assert row["parameters"] == shown(record), "at four trials at once, too"
        assert (row["state"] == "SUCCEEDED") == (record.state is TrialState.DONE)
        assert row["state"] in ("SUCCEEDED", "FAILED")
        assert (row["final"] is None) == (record.state is not TrialState.DONE)


def test_the_strategys_verdict_reaches_the_trial_and_a_lost_one_runs_again(managed: Any) -> None:
    managed.need_no_torch()
    code, errors = managed(
        "budget.trials=1",
        "strategy={name: draw, prune: true}",
        "space={name: tiny_space, epochs: 9, pause_s: 0.3, fault: die_once}",
    )
    assert code == 3, errors  # Not one trial of the search was done.
    (record,) = managed.trials("search")
    assert (record.state, record.attempts) == (TrialState.PRUNED, 2)
    rows = managed.rows()
    assert [row["state"] for row in rows] == ["USER_CANCELED"] * 2
    assert sum(bool(row["intermediate"]) for row in rows) == 1
    assert all(len(row["intermediate"]) < 9 for row in rows)


def test_a_trial_is_cancelled_on_the_page_and_a_kill_leaves_nothing_and_costs_no_other(
    managed: Any, below: Any, node: Any, alive: Any
) -> None:
    managed.need_no_torch()
    command = ["budget.trials=2", "space={name: tiny_space, epochs: 80, pause_s: 0.2}"]
    process = managed.start(*command)
    port = port_of(managed.await_event("noted", about="http"))
    page = f"http://127.0.0.1:{port}"
    managed.await_event("trial_reported", 2)
    address = managed.folder / "nni" / "address"
    assert address.stat().st_mode & 0o077 == 0, "for this user alone"
    whole = address.read_text().strip()
    assert whole.startswith(f"{page}/?token=")
    token = {"X-Toolkit-Token": whole.partition("=")[2]}
    jobs = f"{page}/api/v1/nni/trial-jobs"
    browser = build_opener(HTTPCookieProcessor())
    with browser.open(whole) as answer:
        assert b"<html" in answer.read()
        assert "token" not in answer.url
    with browser.open(jobs) as answer:
        first = min(json.load(answer), key=lambda job: job["sequenceId"])
    for headers, status in (
        ({}, 401),
        ({"X-Toolkit-Token": "guessed"}, 401),
        ({"Cookie": f"toolkit_nni_{port}=guessed"}, 401),
        ({**token, "Host": "evil.example"}, 403),
        ({**token, "Origin": "http://evil.example"}, 403),
        ({**token, "Origin": "null"}, 403),
    ):
        cancel = Request(f"{jobs}/{first['trialJobId']}", headers=headers, method="DELETE")
        with pytest.raises(HTTPError) as refused:
            urlopen(cancel)
        assert refused.value.code == status, headers
        assert handshake(port, headers) == status, headers
    cancel = Request(f"{jobs}/{first['trialJobId']}", headers=token, method="DELETE")
    urlopen(cancel).close()
    managed.await_event("trial_ended")
    managed.await_event("trial_reported", len(managed.events("trial_reported")) + 3)

    started = below(process.pid)
    listening = [c for c in node(started).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", port)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)  # Whoever held the output kept this waiting.
    assert alive(started) == []
    assert is_free(port)

    code, errors = managed(*command)
    assert code == UNTESTED, errors
    ended = [(event["number"], event["state"]) for event in managed.events("trial_ended")]
    assert ended == [(1, "failed"), (2, "done"), (3, "done")], "each trial once"
    assert managed.trials()[0].error == "It was cancelled on NNI's web page."
    assert len(managed.experiments()) == 2
    shown_as = [
        row["parameters"]["number"] for row in managed.rows() if row["state"] == "SUCCEEDED"
    ]
    assert sorted(shown_as) == [2, 3]


@pytest.mark.parametrize(
    ("signals", "code", "pause_s"), [([signal.SIGINT], 130, 0.3), ([signal.SIGTERM] * 2, 143, 60)]
)
def test_signals_stop_the_manager_too(
    managed: Any, below: Any, alive: Any, signals: list[signal.Signals], code: int, pause_s: float
) -> None:
    managed.need_no_torch()
    process = managed.start(f"space={{name: tiny_space, epochs: 90, pause_s: {pause_s}}}")
    managed.await_files("trials/000*/stdout.log", 1)
    started = below(process.pid)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.5)
    assert process.wait(60) == code
    process.communicate()
    assert alive(started) == []
    assert {record.state for record in managed.trials()} == {TrialState.QUEUED}


def test_a_dead_manager_or_dispatcher_costs_no_trial(managed: Any, below: Any, node: Any) -> None:
    managed.need_no_torch(trials=2)
    process = managed.start("budget.trials=2", "space={name: tiny_space, epochs: 8, pause_s: 0.25}")
    managed.await_event("trial_reported", 3)
    node(below(process.pid)).kill()
    managed.await_event("noted", 2, about="http")  # The second page.
    managed.await_event("trial_reported", len(managed.events("trial_reported")) + 3)
    dispatcher = [p for p in below(process.pid) if "toolkit_nni.manager.dispatcher" in p.cmdline()]
    dispatcher[0].kill()
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    assert [record.state for record in managed.trials()] == [TrialState.DONE] * 3
    broke = [event["message"] for event in managed.events("noted") if "broke" in event["message"]]
    assert len(broke) == 2
    assert "dispatcher ended" in broke[1] or "Dispatcher" in broke[1]


def test_a_manager_that_dies_again_and_again_ends_the_run_with_a_sentence(
    managed: Any, below: Any, node: Any
) -> None:
    managed.need_no_torch()
    process = managed.start(SLOW)
    for turn in range(3):
        managed.await_event("noted", turn + 1, about="http")
        node(below(process.pid)).kill()
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 1
    assert "NNI's experiment manager broke 3 times" in errors
    assert "Traceback" not in errors
    assert "guard.log" in errors


def test_a_port_in_use_is_a_sentence(managed: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, errors = managed(TOOLKIT_NNI_PORT=port)
    assert code == 2
    assert f"port {port} cannot be used" in errors
    assert managed(TOOLKIT_NNI_PORT="eighty")[0] == 2
    assert not managed.experiments()
