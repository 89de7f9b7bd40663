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
from typing import Any
from urllib.parse import urlsplit

from toolkit.contracts import TrialState
from toolkit.plain import finite
from toolkit.worker.main import Worker
from toolkit_nni.manager.lines import Lines

ROW_S = 60.0
"""Time within which NNI has written the row of a trial it started."""
_WAIT_S = 30.0
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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


class TrialWorker(Worker):
    """A worker that tells NNI, too, and ends with its job.

    Args:
        objective: the metric NNI shows as `default`.
    """

    def __init__(self, engine: Lines, trial: NniTrial, objective: str) -> None:
        super().__init__(os.dup(engine.fileno()), engine.fileno())
        self._trial, self._objective = trial, objective
        self.key = ""

    def _send(self, key: str, kind: str, body: Mapping[str, Any]) -> None:
        self.key = key
        if kind == "reported":
            self._report("PERIODICAL", body["values"])
        done = False
        if kind == "ended" and body["state"] == TrialState.DONE:
            known = {name: body[name] for name in ("parameters", "duration_s") if name in body}
            done = self._report("FINAL", {**known, **body["values"]})
        super()._send(key, kind, body)
        if kind == "ended":
            leave(done, body["state"])

    def _report(self, kind: str, values: Mapping[str, float]) -> bool:
        """Tell NNI; False where the objective is missing or not finite, which NNI cannot take."""
        metrics = {name: value for name, value in finite(dict(values)).items() if value is not None}
        if self._objective not in metrics:
            return False
        self._trial.report(kind, {"default": metrics[self._objective], **metrics})
        return True


def leave(done: bool, state: str) -> None:
    """End so that NNI shows SUCCEEDED, USER_CANCELED (pruned, drained) or FAILED."""
    sys.stdout.flush()
    sys.stderr.flush()
    if state in (TrialState.PRUNED, TrialState.QUEUED):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(0 if done else 1)


def main() -> None:
    """Run the job this trial was entered for."""
    # A group of its own: the engine ends it with all that it started.
    os.setsid()
    trial = NniTrial()
    parameters = trial.parameters()
    if trial.ticket is None:
        sys.exit("The toolkit's strategy proposes the trials of this experiment, nobody else.")
    engine = Lines.to_engine()
    engine.send({"hello": "trial", "ticket": trial.ticket, "trial": trial.id, "pid": os.getpid()})
    answer = engine.receive_one()
    if answer is None or "run" not in answer:
        leave(False, TrialState.QUEUED)
    sys.stdout.write(f"trial {parameters['number']}: its output is in {answer['folder']}\n")
    sys.stdout.flush()
    # Threads and the GPU of the slot must be known before torch is imported.
    os.environ.update(answer["environment"])
    worker = TrialWorker(engine, trial, answer["objective"])
    try:
        worker.serve()
    except KeyboardInterrupt:
        error = "It was cancelled on NNI's web page."
        worker._send(worker.key, "ended", {"state": TrialState.FAILED, "error": error})


if __name__ == "__main__":
    main()
