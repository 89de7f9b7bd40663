"""One engine in a process of its own: `python run.py RECIPE FOLDER [key=value ...]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from toolkit.engine import run_search
from toolkit.errors import ToolkitError
from toolkit.problem import Problem
from toolkit.recipe import load_recipe
from toolkit.registry import Registry


def main() -> int:
    recipe, folder, *overrides = sys.argv[1:]
    plugins = ("tiny_plugin", "sized_plugin", "image_plugin")
    registry = Registry([Path(__file__).with_name(name) for name in plugins])
    try:
        loaded = load_recipe(Path(recipe), overrides, registry=registry)
        return run_search(
            Problem(loaded, registry),
            Path(folder),
            on_event=lambda name, body: say(name, body),
        )
    except ToolkitError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)


def say(name: str, body: object) -> None:
    sys.stdout.write(json.dumps({"event": name, "body": body}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
