"""What is to be added to a run's totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from toolkit.base.errors import RecipeError


def additions(given: Mapping[str, float | str] | Sequence[str] | str | None) -> dict[str, float]:
    """Reads what is to be added to which total: `{"trials": 50}`, `{"time": "10m"}`.

    Args:
        given: by name of the total, or texts as after `--extend`: `["trials=50", "time=10m"]`.

    Raises:
        RecipeError: there is no such total, or the addition is no positive number.
    """
    if isinstance(given, str):
        given = [given]
    elif isinstance(given, Mapping):
        given = [f"{name}={value}" for name, value in given.items()]
    found: dict[str, float] = {}
    for text in given or ():
        name, _, value = text.partition("=")
        found[name] = _addition(text, name, value)
    return found


def _addition(text: str, name: str, value: str) -> float:
    from toolkit.recipe.schema import parse_duration

    try:
        plain = value.replace(".", "", 1).isdecimal()
        number = float(value if plain or name != "time" else parse_duration(value))
        if name not in ("trials", "time", "epochs") or not 0 < number < float("inf"):
            raise ValueError
    except ValueError:
        raise RecipeError(
            f"--extend {text}: expected trials=NUMBER, time=DURATION or epochs=NUMBER.",
            hint="For example --extend trials=50, or --extend time=10m.",
        ) from None
    return int(number) if name == "trials" else number
