"""The tree of a run's points: architectures, and the values searched beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.base.errors import RecipeError, SpaceError
from toolkit.recipe.values import tree
from toolkit.space import Group, Leaf, Node, Space, united


def tree_of_points(architectures: Space, values: Mapping[str, Leaf]) -> Space:
    """Returns architectures with the values searched under train, space and task, by their path."""
    of_word = {
        word: {
            path.removeprefix(f"{word}."): leaf
            for path, leaf in values.items()
            if path.startswith(f"{word}.")
        }
        for word in ("train", "space", "task")
    }
    members: dict[str, Node] = {"architecture": architectures}
    members |= {word: tree(leaves) for word, leaves in of_word.items() if leaves}
    return Group(members)


def tree_of_all(trees: Sequence[Space], searched: Mapping[str, Leaf]) -> Space:
    """Returns the architectures that there are with any of the values that are searched.

    Raises:
        RecipeError: a parameter is of another kind with some of them.
    """
    try:
        whole = united(trees)
    except SpaceError as error:
        word = next(iter(searched)).partition(".")[0]
        raise RecipeError(
            f"{word}: searching {', '.join(searched)} changes what kind some parameters of"
            f" architectures are of. {error.message}",
            hint="Search such an option in separate recipes.",
        ) from error
    assert isinstance(whole, Group)
    return whole


def refuse_misfit(space: str, values: Mapping[str, Any], faults: Sequence[str]) -> None:
    """Refuses an architecture that a space does not hold with some searched values.

    Raises:
        SpaceError: always; its text tells the first of the faults.
    """
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    given = f" with {values}" if values else ""
    raise SpaceError(
        f"The architecture does not fit the space {space} as this recipe has it{given}:"
        f" {'; '.join(faults[:3])}{more}.",
        hint="Give the space the options with which it was found: they are in the"
        " recipe.resolved.yaml of that run.",
    )
