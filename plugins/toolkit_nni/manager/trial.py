"""The process that NNI starts as a trial: `python -m toolkit_nni.manager.trial`.

NNI hands parameters to whichever trial asks first, so that one may run with another's. This one
asks NNI's database which parameters its own row shows, and the engine for the job of that ticket;
what the database shows is therefore what ran. It is a worker of the engine's for that one job.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from toolkit.base.plain import is_number
from toolkit.contracts import Ended, Event, Outcome, Reported, TrialState
from toolkit.worker.main import Worker
from toolkit_nni.manager.messages import (
    ANSWER,
    OWN_HOME,
    TOKEN,
    TOKEN_HEADER,
    Assignment,
    TrialHello,
    channel_to_engine,
)

ROW_S = 60.0
"""Time within which NNI has written the row of a trial it started."""
_WAIT_S = 30.0
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_HTTP.addheaders = [(TOKEN_HEADER, os.environ.get(TOKEN, ""))]


class NniTrial:
    """NNI's side of a trial: its row in the database and its channel for metrics (NNI 3.0)."""

    def __init__(self) -> None:
        self.id = os.environ["NNI_TRIAL_JOB_ID"]
        self._channel = os.environ["NNI_TRIAL_COMMAND_CHANNEL"]
        self._sequence = 0
        self.ticket: int | None = None

    def parameters(self) -> Mapping[str, Any]:
        """What the row of this trial shows; sets the ticket, None where a person entered it.

        Raises:
            TimeoutError: there is no such row.
        """
        url = f"http://{urlsplit(self._channel).netloc}/api/v1/nni/trial-jobs/{self.id}"
        deadline = time.monotonic() + ROW_S
        while time.monotonic() < deadline:
            try:
                with _HTTP.open(url, timeout=_WAIT_S) as answer:
                    row = json.loads(answer.read() or b"null") or {}
            except OSError:
                row = {}
            if row.get("hyperParameters"):
                record = json.loads(row["hyperParameters"][0])
                self.ticket = record["parameter_id"]
                parameters: Mapping[str, Any] = record["parameters"]
                return parameters
            time.sleep(0.1)
        raise TimeoutError(f"NNI shows no parameters of trial {self.id} within {ROW_S:g} s")

    def report(self, kind: str, metrics: Mapping[str, float]) -> None:
        """Send a `PERIODICAL` or the `FINAL` metrics; `default` is what NNI plots."""
        metric = {
            "parameter_id": self.ticket,
            "trial_job_id": self.id,
            "type": kind,
            "sequence": self._sequence if kind == "PERIODICAL" else 0,
            "value": json.dumps(metrics),
        }
        self._sequence += kind == "PERIODICAL"
        body = json.dumps({"type": "metric", "metric": json.dumps(metric)}).encode()
        request = urllib.request.Request(
            self._channel, body, {"Content-Type": "application/json"}, method="PUT"
        )
        try:
            _HTTP.open(request, timeout=_WAIT_S).close()
        except OSError as error:  # The engine hears of a dead manager by itself.
            sys.stderr.write(f"NNI did not take a metric: {error}\n")


class NniListener:
    """Tells NNI, too, what a worker tells the engine.

    Args:
        objective: the metric NNI shows as `default`.

    Attributes:
        succeeded: whether NNI has the final metrics.
    """

    def __init__(self, trial: NniTrial, objective: str) -> None:
        self._trial, self._objective = trial, objective
        self.succeeded = False

    def __call__(self, event: Event) -> None:
        match event:
            case Reported(values=values):
                self._report("PERIODICAL", values)
            case Ended(outcome=Outcome(state=TrialState.DONE) as outcome):
                own = {"parameters": outcome.parameters, "duration_s": outcome.duration_s}
                known = {name: value for name, value in own.items() if value is not None}
                self.succeeded = self._report("FINAL", {**known, **outcome.values})

    def _report(self, kind: str, values: Mapping[str, float]) -> bool:
        """Tell NNI; False where the objective is missing or not finite, which NNI cannot take."""
        metrics = {name: value for name, value in values.items() if is_number(value)}
        if self._objective not in metrics:
            return False
        self._trial.report(kind, {"default": metrics[self._objective], **metrics})
        return True


def leave(state: TrialState, *, succeeded: bool = False) -> NoReturn:
    """End so that NNI shows SUCCEEDED, USER_CANCELED (pruned, drained) or FAILED."""
    sys.stdout.flush()
    sys.stderr.flush()
    if state in (TrialState.PRUNED, TrialState.QUEUED):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(0 if succeeded else 1)


def _go_home() -> None:
    """Gives the trial's code the user's home again, which is another than the manager's."""
    home = os.environ.pop(OWN_HOME, "")
    if home:
        os.environ["HOME"] = home
    else:
        os.environ.pop("HOME", None)


def main() -> None:
    """Run the job this trial was entered for."""
    # A group of its own: the engine ends it with all that it started.
    os.setsid()
    _go_home()
    trial = NniTrial()
    parameters = trial.parameters()
    if trial.ticket is None:
        sys.exit("The toolkit's strategy proposes the trials of this experiment, nobody else.")
    engine = channel_to_engine()
    engine.send(TrialHello(trial.ticket, os.getpid()))
    answer = engine.receive_one(ANSWER)
    if not isinstance(answer, Assignment):
        leave(TrialState.QUEUED)
    sys.stdout.write(f"trial {parameters['number']}: its output is in {answer.folder}\n")
    sys.stdout.flush()
    # Threads and the GPU of the slot must be known before torch is imported.
    os.environ.update(answer.environment)
    listener = NniListener(trial, answer.objective)
    worker = Worker(engine, listener, interrupted="It was cancelled on NNI's web page.")
    outcome = worker.run_one()
    leave(
        TrialState.QUEUED if outcome is None else outcome.state,
        succeeded=listener.succeeded,
    )


if __name__ == "__main__":
    main()
