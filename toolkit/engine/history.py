"""What is known of a run's ended trials: which answers a proposal, which one it goes on from."""

from __future__ import annotations

from typing import TypeAlias

from toolkit.base.errors import PluginError
from toolkit.contracts import Proposal, TrialState
from toolkit.engine import seeds
from toolkit.run.records import TrialRecord

Identity: TypeAlias = tuple[str, str, int | None, tuple[float, ...]]


class History:
    """The ended search trials of a run.

    Args:
        seed: the run's seed, from which those of the trials follow.
    """

    def __init__(self, seed: int) -> None:
        self._run_seed = seed
        self._ended: dict[int, TrialRecord] = {}
        self._known: dict[Identity, TrialRecord] = {}

    def seed(self, number: int) -> int:
        """The seed of a trial that is given none."""
        return seeds.derive(self._run_seed, number)

    def remember(self, record: TrialRecord) -> None:
        """Take an ended trial in."""
        self._ended[record.number] = record
        if record.state is TrialState.DONE and record.kind == "train" and record.comparable:
            self._known.setdefault(self._identity(record), record)

    def answer(self, record: TrialRecord) -> TrialRecord | None:
        """The trial whose result answers a new one, if there is one."""
        return self._known.get(self._identity(record))

    def trained(self, number: int) -> TrialRecord | None:
        """The trial that was trained for a number: that one, or the one that answered it."""
        record = self._ended.get(number)
        if record is None or record.source is None:
            return record
        return self._ended.get(record.source, record)

    def parent(self, proposal: Proposal, fingerprint: str) -> TrialRecord | None:
        """The trial whose training a proposal goes on with, if it names one.

        Raises:
            PluginError: it has not ended, or is of another architecture.
        """
        if proposal.continues is None:
            return None
        record = self.trained(proposal.continues)
        if record is None or record.fingerprint != fingerprint:
            raise PluginError(
                f"The strategy proposed to continue trial {proposal.continues}, which "
                f"{'has not ended' if record is None else 'is of another architecture'}.",
                hint="`Proposal.continues` names an ended trial of the same point.",
            )
        return record

    def _identity(self, record: TrialRecord) -> Identity:
        """Equal for trials of which one answers the other.

        Seeds follow from numbers, so one counts only if it was proposed. A training continued from
        fewer epochs equals one in one go; continued from a smaller share of the data it does not.
        """
        shares = []
        root = record
        while root.continues is not None:
            before = self.trained(root.continues)
            if before is None:
                break
            shares.append(float(before.fidelity.get("data", 1.0)))
            root = before
        share = float(record.fidelity.get("data", 1.0))
        path = tuple(other for other in shares if other != share)
        own = record.seed == self.seed(root.number) or bool(root.origin)
        seed = None if own else record.seed
        return record.fingerprint, repr(sorted(record.fidelity.items())), seed, path
