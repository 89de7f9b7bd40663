"""Names of channels, where an archive has them: new data must have the same in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.datasets.arrays import read_arrays, read_headers
from toolkit.datasets.names import tidied
from toolkit.errors import DataError

NAMES = ("channel_names", "ch_names", "channels")
"""Arrays that name the channels of inputs, the first that there is."""
_SHOWN = 8


def read_channels(archive: Path, count: int) -> list[str] | None:
    """Returns the names of the channels; None where the archive has no text for each.

    Args:
        archive: or a folder, which has none.
        count: of channels.
    """
    if archive.is_dir():
        return None
    known = read_headers(archive)
    for name in NAMES:
        if name in known and known[name].shape == (count,) and known[name].dtype.kind in "US":
            try:
                names = tidied(read_arrays(archive, [name])[name], "Name", repr(name))
            except DataError:  # They are used by nothing else.
                return None
            return [str(one).strip() for one in names.tolist()]
    return None


def check_channels(new: Sequence[str] | None, known: Sequence[str] | None) -> None:
    """Checks that new data have the channels of the training, as far as both are named.

    Raises:
        DataError: they are others, or in another order.
    """
    if new is None or known is None or _plain(new) == _plain(known):
        return
    if sorted(_plain(new)) == sorted(_plain(known)) and len(set(_plain(new))) == len(new):
        order = [_plain(new).index(one) for one in _plain(known)]
        raise DataError(
            f"The channels of the new data are in another order, {_shown(new)}, than those of the"
            f" training, {_shown(known)}.",
            hint=f"Put them in that order: {order[:_SHOWN]}{' ...' if order[_SHOWN:] else ''} are"
            " their positions, of matrices those of rows and columns.",
        )
    place = int(np.argmax([a != b for a, b in zip(_plain(new), _plain(known), strict=True)]))
    raise DataError(
        f"Channel {place} of the new data is {new[place]!r}, and was {known[place]!r} in the"
        " training.",
        hint=f"Give the channels that were trained on, in their order: {_shown(known)}.",
    )


def _plain(names: Sequence[str]) -> list[str]:
    return [name.casefold() for name in names]


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
