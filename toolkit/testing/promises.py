"""A promise of a contract: what it says, and the check whether a plugin keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple


class Promise(NamedTuple):
    """One promise, ready to be checked.

    Attributes:
        words: the promise in a few words, such as `the slots stay the same`.
        check: raises AssertionError where it is broken.
    """

    words: str
    check: Callable[[], None]


def promise(check: Callable[..., None], *arguments: Any) -> Promise:
    """Makes a promise of a function that checks it and is named for it."""
    return Promise(check.__name__.replace("_", " "), partial(check, *arguments))


def keep(promises: Iterable[Promise]) -> None:
    """Checks all promises, up to the first that is broken.

    Raises:
        AssertionError: it says which one, and how.
    """
    for each in promises:
        each.check()
