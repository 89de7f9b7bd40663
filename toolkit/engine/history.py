"""What is known of a run's ended trials: which answers a proposal, which one it goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from toolkit.base.errors import PluginError
from toolkit.contracts import Proposal, TrialState
from toolkit.engine import seeds
from toolkit.run.ledger import Ledger
from toolkit.run.records import TrialRecord

Identity: TypeAlias = tuple[str, str, int | None, tuple[float, ...]]


class History:
    """The ended search trials of a run: what tells them apart; the rest is read when it is asked.

    Args:
        seed: the run's seed, from which those of the trials follow.
        ledger: of the run; it holds whatever is remembered.
    """

    def __init__(self, seed: int, ledger: Ledger) -> None:
        self._run_seed, self._ledger = seed, ledger
        self._ended: dict[int, _Ended] = {}
        self._known: dict[Identity, int] = {}
        self._fidelities: dict[str, str] = {}

    def seed(self, number: int) -> int:
        """The seed of a trial that is given none."""
        return seeds.derive(self._run_seed, number)

    def remember(self, record: TrialRecord) -> None:
        """Take an ended trial in."""
        ended = _ended(record)
        self._ended[record.number] = ended
        if record.state is TrialState.DONE and record.kind == "train" and record.comparable:
            self._known.setdefault(self._identity(ended), record.number)

    def answer(self, record: TrialRecord) -> TrialRecord | None:
        """The trial whose result answers a new one, if there is one."""
        number = self._known.get(self._identity(_ended(record)))
        return None if number is None else self._ledger.trial(number)

    def trained(self, number: int) -> int | None:
        """The trial that was trained for a number: that one, or the one that answered it."""
        known = self._ended.get(number)
        if known is None:
            return None
        return known.source if known.source in self._ended else number

    def parent(self, proposal: Proposal, fingerprint: str) -> TrialRecord | None:
        """The trial whose training a proposal goes on with, if it names one.

        Raises:
            PluginError: it has not ended, or is of another architecture.
        """
        if proposal.continues is None:
            return None
        number = self.trained(proposal.continues)
        if number is None or self._ended[number].fingerprint != fingerprint:
            raise PluginError(
                f"The strategy proposed to continue trial {proposal.continues}, which "
                f"{'has not ended' if number is None else 'is of another architecture'}.",
                hint="`Proposal.continues` names an ended trial of the same point.",
            )
        return self._ledger.trial(number)

    def _identity(self, record: _Ended) -> Identity:
        """Equal for trials of which one answers the other.

        Seeds follow from numbers, so one counts only if it was proposed. A training continued from
        fewer epochs equals one in one go; continued from a smaller share of the data it does not.
        """
        shares = []
        root = record
        while root.continues is not None:
            number = self.trained(root.continues)
            if number is None:
                break
            before = self._ended[number]
            shares.append(float(before.fidelity.get("data", 1.0)))
            root = before
        share = float(record.fidelity.get("data", 1.0))
        path = tuple(other for other in shares if other != share)
        own = record.seed == self.seed(root.number) or root.taken_over
        seed = None if own else record.seed
        fidelity = repr(sorted(record.fidelity.items()))
        return record.fingerprint, self._fidelities.setdefault(fidelity, fidelity), seed, path


class _Ended(NamedTuple):
    """What is kept of a trial: ten thousand whole ones are 20 MB."""

    number: int
    fingerprint: str
    seed: int
    fidelity: Mapping[str, Any]
    continues: int | None
    source: int | None
    taken_over: bool


def _ended(record: TrialRecord) -> _Ended:
    return _Ended(
        record.number,
        record.fingerprint,
        record.seed,
        record.fidelity,
        record.continues,
        record.source,
        bool(record.origin),
    )
