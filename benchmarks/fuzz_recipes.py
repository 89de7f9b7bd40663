"""Recipes that nobody would write: the loader answers each with a recipe or with its faults.

`python benchmarks/fuzz_recipes.py [--minutes 60] [--seed 0]`. Inputs are mutated from the shipped
recipes and from `tests/toolkit/recipe/corpus/`. One that reaches lines of `toolkit/recipe` that no
other has reached is a new seed, and with `--keep` it joins the corpus, which the tests go through.
One that is answered otherwise than by a `ToolkitError` is written to `failures/` beside the corpus,
and the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests/toolkit/recipe/corpus"
TRACED = str(ROOT / "toolkit/recipe")
STRANGE = (
    *(
        "null",
        "~",
        "true",
        "-1",
        "0",
        "1e999",
        ".nan",
        ".inf",
        "-0.0",
        "0x10",
        "1_000",
        "2024-01-01",
    ),
    *("''", '"\\0"', "[]", "{}", "[[[]]]", "{a: {b: {c: 1}}}", "{log: [1, 2]}", "{choice: []}"),
    *(
        "{int: [5, 1]}",
        "{uniform: [0, .nan]}",
        "{log: [0, 1]}",
        "${env:HOME}",
        "${env:}",
        "${",
        "&a",
    ),
    *("*a", "!!python/object:os.system x", "!tag x", "<<: *a", "? x", "|\n  text", ">-\n  text"),
    *("99999999999999999999999999", "- - -", "a: b: c", "\t", "\u2028", "\ufeff", "😀", "\u0000"),
    *(
        "10m",
        "500MB",
        "<= 2",
        ">= -1e309",
        "x" * 3000,
        "[" * 300,
        "{a: " * 200,
        "---",
        "...",
        "%YAML",
    ),
)


def seeds() -> list[str]:
    """The shipped recipes, and what earlier fuzzing found worth keeping."""
    paths = sorted((*ROOT.glob("recipes/*.yaml"), *CORPUS.glob("*.yaml")))
    return [path.read_bytes().decode("utf-8", "surrogateescape") for path in paths]


def mutated(text: str, other: str, rng: random.Random) -> str:
    """A text with some of its lines, words or characters changed."""
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        lines = text.split("\n")
        line = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                del lines[line]
            case 1:
                lines.insert(line, rng.choice(other.split("\n")))
            case 2:
                key, colon, _ = lines[line].partition(":")
                lines[line] = f"{key}{colon} {rng.choice(STRANGE)}"
            case 3:
                lines[line] = " " * rng.randrange(5) + lines[line].strip()
            case 4:
                lines.insert(rng.randrange(len(lines) + 1), lines[line])
            case 5:
                words = lines[line].split(" ")
                words[rng.randrange(len(words))] = rng.choice((*STRANGE, *other.split(" ")))
                lines[line] = " ".join(words)
            case 6:
                at = rng.randrange(len(lines[line]) + 1)
                lines[line] = (
                    lines[line][:at] + rng.choice("{}[]:,&*#?|-!%@`'\"\\ \t") + lines[line][at:]
                )
            case 7:
                lines.append(f"{rng.choice(WORDS)}: {rng.choice(STRANGE)}")
            case 8:
                lines = lines[:line] + other.split("\n")[-rng.randrange(1, 9) :]
        text = "\n".join(lines)
    return text


WORDS = (
    *("version", "name", "task", "space", "strategy", "objectives", "constraints", "fidelity"),
    *("validation", "budget", "resources", "train", "track"),
)


@contextmanager
def lines_reached(reached: set[tuple[str, int]]) -> Iterator[None]:
    """Notes the lines of the recipe loader that run in a block."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(TRACED) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def answer(content: str, path: Path, registry: Any) -> str:
    """What is wrong with how a recipe is answered: nothing, or a traceback."""
    from toolkit.errors import ToolkitError
    from toolkit.recipe import from_checked, load_recipe

    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    try:
        recipe = load_recipe(path, [], registry)
        from_checked(json.loads(json.dumps(recipe.resolved())))
    except ToolkitError as error:
        return "" if str(error).strip() else "an error without a word"
    except Exception:
        return traceback.format_exc()
    return ""


def main() -> None:
    """Fuzz, and print what came of it as JSON."""
    from toolkit.registry import Registry

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", action="store_true", help="add what reaches new lines to the corpus"
    )
    given = parser.parse_args()
    rng, registry, pool = random.Random(given.seed), Registry(), seeds()
    reached: set[tuple[str, int]] = set()
    tried = failures = kept = 0
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "recipe.yaml"
        for text in pool:
            with lines_reached(reached):
                answer(text, path, registry)
        began = time.monotonic()
        while time.monotonic() - began < 60 * given.minutes:
            text, before = mutated(rng.choice(pool), rng.choice(pool), rng), len(reached)
            with lines_reached(reached):
                fault = answer(text, path, registry)
            tried += 1
            name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            if fault:
                failures += 1
                (CORPUS.parent / "failures").mkdir(exist_ok=True)
                (CORPUS.parent / "failures" / f"{name}.yaml").write_bytes(path.read_bytes())
                sys.stderr.write(f"{name}\n{fault}\n")
            if len(reached) > before:
                pool.append(text)
                kept += 1
                if given.keep:
                    CORPUS.mkdir(exist_ok=True)
                    (CORPUS / f"{name}.yaml").write_bytes(path.read_bytes())
    facts = {"tried": tried, "lines": len(reached), "new_seeds": kept, "failures": failures}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
