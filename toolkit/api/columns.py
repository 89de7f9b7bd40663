"""Which decisions of architectures are columns of a table of trials."""

from __future__ import annotations

from toolkit.run.searched import decided_at as decided_at
from toolkit.run.searched import few_decided as few_decided
