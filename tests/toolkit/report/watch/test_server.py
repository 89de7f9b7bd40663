"""The page is for those who have its address alone, and is told what changes in a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import unescape
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from toolkit.contracts import TrialState
from toolkit.report.watch import changes as changes_module
from toolkit.report.watch.changes import Changes
from toolkit.report.watch.runs import Runs
from toolkit.report.watch.server import WatchServer
from toolkit.run.ledger import Ledger

from .conftest import trial

Make = Callable[..., Path]
Serve = Callable[..., WatchServer]


def request(
    server: WatchServer, path: str, method: str = "GET", *, headers: Any = None, **query: str
) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    words = urlencode({"token": server.token, **query})
    connection.request(method, f"{path}?{words}", headers=headers or {})
    return connection.getresponse()


def asked(server: WatchServer, path: str, **query: str) -> Any:
    answer = request(server, path, **query)
    assert answer.status == 200
    return json.loads(answer.read())


def told(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in answer:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_it_listens_on_the_loopback_address_alone(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path)
    assert server.server_address[0] == "127.0.0.1"
    assert server.address.startswith("http://127.0.0.1:") and server.token in server.address
    assert len(server.token) >= 32


@pytest.mark.parametrize("path", ["/", "/runs", "/events", "/curves", "/report", "/command"])
def test_who_lacks_the_token_or_asks_by_another_name_gets_nothing(
    serve: Serve, make_run: Make, tmp_path: Path, path: str
) -> None:
    make_run(tmp_path / "a", (0.1, 0.5))
    server = serve(tmp_path)
    here = f"127.0.0.1:{server.server_port}"
    assert request(server, path, token="guessed").status == 403
    assert request(server, path, headers={"Host": "evil.example:80"}).status == 403
    assert (
        request(server, path, headers={"Host": f"evil.example:{server.server_port}"}).status == 403
    )
    assert request(server, path, headers={"Origin": "http://evil.example"}).status == 403
    assert request(server, path, headers={"Origin": f"http://{here}"}).status != 403


@pytest.mark.parametrize("path", ["/stop", "/go-on"])
def test_buttons_work_for_the_page_alone(serve: Serve, tmp_path: Path, path: str) -> None:
    server = serve(tmp_path)
    assert request(server, path, "POST").status == 403, "without an origin"
    assert request(server, path, "POST", headers={"Origin": "null"}).status == 403
    own = {"Origin": f"http://127.0.0.1:{server.server_port}"}
    assert request(server, path, "POST", headers=own, id="x").status == 409
    assert request(server, path, headers=own, id="x").status == 404, "GET acts on nothing"


def test_the_page_may_talk_to_its_server_and_to_nobody_else(serve: Serve, tmp_path: Path) -> None:
    answer = request(serve(tmp_path), "/")
    policy = answer.headers["Content-Security-Policy"]
    page = unescape(answer.read().decode())
    for said in (policy, page):
        assert "default-src 'none'" in said and "connect-src 'self'" in said
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.faults
def test_what_cannot_be_answered_costs_one_answer(
    serve: Serve, make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "a", (0.1, 0.5))
    server = serve(tmp_path)
    (run,) = asked(server, "/runs")
    assert list(asked(server, "/curves", id=run["id"], numbers="9" * 5000 + ",1")) == ["1"]
    monkeypatch.setattr(Runs, "listed", lambda self: {}["caf\udce9"])
    answer = request(server, "/runs")
    assert answer.status == 500 and "KeyError" in json.loads(answer.read())["error"]
    assert request(server, "/").status == 200


def test_runs_are_listed_with_their_states_and_no_other_folder_is_reached(
    serve: Serve, make_run: Make, tmp_path: Path
) -> None:
    make_run(tmp_path / "runs" / "a", (0.1, 0.5), (0.2, None))
    make_run(tmp_path / "runs" / "sweep" / "runs" / "0001-seed0", (0.1, 0.5), name="inner")
    outside = make_run(tmp_path / "outside", (0.1, 0.5))
    server = serve(tmp_path / "runs")
    listed = asked(server, "/runs")
    assert [(run["title"], run["state"], run["trials"]) for run in listed] == [
        ("a", "stopped", 2),
        ("sweep/runs/0001-seed0", "stopped", 1),
    ]
    assert listed[0]["best"] == {"number": 1, "value": 0.5} and listed[0]["handed_over"] is None
    for identifier in (str(outside), "../outside", "", Runs([outside]).listed()[0]["id"]):
        assert request(server, "/curves", id=identifier, numbers="1").status == 409
    curves = asked(server, "/curves", id=listed[0]["id"], numbers="1,2,x,../3")
    assert [point[0] for point in curves["1"]] == [1, 2, 3] and set(curves) == {"1", "2"}
    page = request(server, "/report", id=listed[0]["id"]).read().decode()
    assert "mine: report" in page


def test_events_tell_a_run_and_then_what_changes(
    serve: Serve, make_run: Make, tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "a", (0.1, 0.5), (0.2, None))
    server = serve(folder)
    (run,) = asked(server, "/runs")
    events = told(request(server, "/events", ids=run["id"]))
    first = next(events)
    assert [row["number"] for row in first["rows"]] == [1, 2]
    assert first["rows"][0]["chosen"] == {"train.lr": 0.1, "train.schedule": False}
    assert first["front"] == [1] and list(first["objectives"]) == ["accuracy", "parameters"]
    ledger = Ledger.open(folder / "ledger.sqlite")
    ledger.put(trial(2, 0.2, 0.75))
    ledger.put(trial(3, 0.3, None))
    ledger.commit()
    second = next(events)
    assert [(row["number"], row["state"]) for row in second["rows"]] == [
        (2, "done"),
        (3, "running"),
    ]
    ledger.put(
        trial(3, 0.3, None, state=TrialState.FAILED, error="Traceback\nValueError: x", told=3)
    )
    ledger.close()
    third = next(events)
    assert [(row["number"], row["error"]) for row in third["rows"]] == [(3, "ValueError: x")]


def test_a_long_run_is_told_in_parts_the_last_trials_first(
    make_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "FIRST_PART", 3)
    monkeypatch.setattr(changes_module, "PART", 4)
    folder = make_run(tmp_path / "a", *((0.1, 0.5) for _ in range(10)), (0.1, None))
    changes = Changes(folder)
    parts = []
    while (news := changes.next()) is not None:
        parts.append([row["number"] for row in news["rows"]])
        if not news["more"]:
            break
    assert parts == [[9, 10, 11], [5, 6, 7, 8], [1, 2, 3, 4]]
    assert changes.next() is None
    ledger = Ledger.open(folder / "ledger.sqlite")
    ledger.put(trial(11, 0.1, 0.9))
    ledger.close()
    later = changes.next()
    assert later is not None and [row["number"] for row in later["rows"]] == [11]
