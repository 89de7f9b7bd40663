"""What runs inside NNI's dispatcher: hands the engine's trials to NNI's scheduler."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType

from toolkit_nni.manager.messages import ENTRY, TOKEN, TrialEnd, TunerHello, channel_to_engine


class ToolkitTuner(MsgDispatcherBase):
    """Decides nothing: the engine's strategy has proposed what is entered here.

    NNI's own dispatcher answers requests for trials and, with trials of unequal length, takes one
    for another. This one enters a trial when the engine asks for it, under the engine's own ticket,
    and tells the engine of each trial's end.

    Args:
        optimize_mode: `"maximize"` or `"minimize"`; only NNI's web page looks at it.
    """

    def __init__(self, optimize_mode: str) -> None:
        url = f"{os.environ['NNI_TUNER_COMMAND_CHANNEL']}?token={os.environ[TOKEN]}"
        super().__init__(url)
        self._engine = channel_to_engine()

    def run(self) -> None:
        """Serve NNI's manager until it ends; the process ends there too."""
        while True:
            command, content = self._channel._receive()
            if command is CommandType.Initialize:
                self.send(CommandType.Initialized, "")
                threading.Thread(target=self._enter, daemon=True).start()
            elif command is CommandType.TrialEnd:
                self._tell_end(json.loads(content))
            elif command is None or command is CommandType.Terminate:
                break
        self._channel.disconnect()
        os._exit(0)

    def _enter(self) -> None:
        """Enter trials until the engine has gone, and then go, too."""
        self._engine.send(TunerHello())
        for entry in self._engine.receive(ENTRY):
            trial = {
                "parameter_id": entry.ticket,
                "parameter_source": "algorithm",
                "parameters": entry.parameters,
                "parameter_index": 0,
            }
            self.send(CommandType.NewTrialJob, json.dumps(trial))
        os._exit(1)

    def _tell_end(self, end: dict[str, Any]) -> None:
        ticket = json.loads(end["hyper_params"])["parameter_id"]
        self._engine.send(TrialEnd(ticket, end["trial_job_id"], end["event"]))
