"""docs/events.md says what events there are and what each tells, as engines tell it."""

from __future__ import annotations

import re
from pathlib import Path

import toolkit
from tiny import PLUGINS, tiny_recipe
from toolkit.run.events import EVENTS

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def documented() -> dict[str, set[str]]:
    """Event -> names of its facts, by the page's table."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", facts)) for name, facts in rows}


def test_every_event_has_a_row() -> None:
    assert set(documented()) == set(EVENTS)


def test_what_a_run_and_a_sweep_tell_is_on_the_page(tmp_path: Path) -> None:
    heard: list[toolkit.Event] = []
    space = {"name": "tiny_space", "trained": True}
    goals = {"accuracy": "maximize", "parameters": "minimize"}
    for more in ({}, {"name": "two", "objectives": goals, "space": space}):
        recipe = tiny_recipe(**more)
        toolkit.search(recipe, plugins=PLUGINS, output=tmp_path / "a", on_event=heard.append)
        toolkit.search(
            recipe,
            plugins=PLUGINS,
            output=tmp_path / "b",
            warm_start=tmp_path / "a",
            on_event=heard.append,
        )
        (tmp_path / "a").rename(tmp_path / f"a{len(heard)}")
        (tmp_path / "b").rename(tmp_path / f"b{len(heard)}")
    toolkit.sweep(
        tiny_recipe(budget={"trials": 1}),
        {"task.name": ["tiny_task"]},
        whole=True,
        plugins=PLUGINS,
        output=tmp_path / "c",
        on_event=heard.append,
    )
    known = documented()
    surplus = {(e.name, fact) for e in heard for fact in e.facts if fact not in known[e.name]}
    assert surplus == set()
    assert len({event.name for event in heard}) > 13
