"""Writes what is made of the code: references in docs/, and the words that shells complete.

python scripts/generate_docs.py           # writes
python scripts/generate_docs.py --check   # ends with 1 if something is not current
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from toolkit import list_recipes
from toolkit.api.listing import DescribedPlugin, described
from toolkit.cli.app import app
from toolkit.cli.completion.words import TABLE
from toolkit.cli.contributed import declared
from toolkit.cli.verbs import WithVerbs, command_of
from toolkit.recipe.explained import Explained, explain
from toolkit.recipe.schema import PLUGIN_WORDS, RecipeBlocks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
KINDS = {
    "tasks": "Tasks",
    "search_spaces": "Search spaces",
    "strategies": "Strategies",
    "executors": "Executors",
    "trackers": "Trackers",
}


def commands() -> dict[str, Any]:
    """Every command by the words that call it, those of `toolkit plugins` too."""
    found: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    verbs = {f"plugins {verb}": command_of(verb) for verb in WithVerbs.verbs}
    listed = {name: command for name, command in found.items() if name != "plugins"}
    return {**listed, "plugins": found["plugins"], **verbs}


def metavar(parameter: Any) -> str:
    """What a value is called in the help; empty for a switch."""
    if parameter.param_type_name == "option" and parameter.is_flag:
        return ""
    if not parameter.metavar:
        sys.exit(f"Give {parameter.opts[0]} a metavar that says what is expected.")
    return str(parameter.metavar).strip("[]{}.")


def completions() -> str:
    """The table of `toolkit.cli.completion.words`."""
    table: dict[str, Any] = {"commands": {}, "keys": keys(), "recipes": []}
    contributed = declared(sys.path)
    table["recipes"] = [recipe.name for recipe in list_recipes()]
    for name, command in commands().items():
        options = {
            flag: metavar(parameter)
            for parameter in command.params
            if parameter.param_type_name == "option"
            for flag in (*parameter.opts, *parameter.secondary_opts)
            if flag != "--help"
        }
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        table["commands"][name] = {
            "target": contributed.get(name, ""),
            "purpose": " ".join((command.help or "").partition("\n\n")[0].split()),
            "options": options,
            "arguments": [metavar(parameter) for parameter in arguments],
            "repeats": bool(arguments) and arguments[-1].nargs == -1,
        }
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


def keys() -> list[str]:
    """The words of a recipe and of its blocks, dotted, and the name of each plugin."""
    words = [each.name for each in explain(RecipeBlocks)]
    words = [word for word in words if not word.endswith((".options", ".name"))]
    return sorted({*words, *(f"{word}.name" for word in PLUGIN_WORDS)})


def cell(text: str) -> str:
    """Text in a table of Markdown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def commands_page() -> Iterator[str]:
    """The reference of commands."""
    yield "# Commands\n"
    yield "`toolkit COMMAND --help` prints the same. Exit codes are listed in"
    yield "[Troubleshooting](troubleshooting.md#exit-codes). Shells complete all words, see"
    yield "[Completion](cookbook.md#complete-words-in-a-shell).\n"
    for name, command in commands().items():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        named = [metavar(p) + ("..." if p.nargs == -1 else "") for p in arguments]
        used = [n if p.required else f"[{n}]" for n, p in zip(named, arguments, strict=True)]
        yield f"## toolkit {name}\n"
        yield f"{(command.help or '').strip().partition(chr(10) * 2)[0]}\n"
        yield f"```text\ntoolkit {' '.join([name, *used])} [OPTIONS]\n```\n"
        rows = [(code(metavar(p)), cell(p.help or "")) for p in arguments]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                flags = ", ".join([*parameter.opts, *parameter.secondary_opts])
                rows.append((code(f"{flags} {metavar(parameter)}".strip()), cell(parameter.help)))
        yield "| argument or option | meaning |\n|---|---|"
        yield "\n".join(f"| {flag} | {text} |" for flag, text in rows)
        yield ""


def options_table(options: list[Explained]) -> Iterator[str]:
    """A table of options: name, values, default, meaning with an example."""
    yield "| option | values | default | meaning |\n|---|---|---|---|"
    for option in options:
        example = f". Example: {code(option.examples[0])}." if option.examples else ""
        default = "required" if option.required else code(option.default)
        meaning = cell(option.meaning).removesuffix("." if example else "") + example
        yield f"| {code(option.name)} | {cell(option.values)} | {default} | {meaning} |"
    yield ""


def recipe_page() -> Iterator[str]:
    """The reference of recipes."""
    yield "# Recipe: every word\n"
    yield "A recipe is a YAML file of the words below. Each value under `task`, `space` and `train`"
    yield "may be searched: `{log: [1e-4, 1e-1]}`, `{uniform: [0, 1]}`, `{int: [1, 4]}`,"
    yield "`{choice: [2, 4]}`. `toolkit schema` prints the same as JSON Schema for editors,"
    yield "`toolkit init` writes a first recipe, and `key=value` on the command line changes one."
    yield "The options of a task, a space or a strategy stand beside its `name`;"
    yield "[Plugins](plugins.md) lists them.\n"
    yield from options_table(list(recipe_words()))


def recipe_words() -> Iterator[Explained]:
    """The words of a recipe, those of a plugin as one writes them."""
    for each in explain(RecipeBlocks):
        word, _, inner = each.name.partition(".")
        if word not in PLUGIN_WORDS:
            yield each
        elif not inner:
            default = "auto" if word == "strategy" else each.default
            yield replace(each, values="text or mapping", default=default)
        elif inner == "name":
            yield each


def plugins(kind: str) -> Iterator[DescribedPlugin]:
    """The plugins of one kind that this repository has, by name."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for name, target in sorted(groups[f"toolkit.{kind}"].items()):
        module, _, cls = target.partition(":")
        yield described(kind, name, "", getattr(import_module(module), cls))


def page_of(kind: str) -> str:
    """The file with the plugins of one kind."""
    return f"plugins-{KINDS[kind].lower().replace(' ', '-')}.md"


def plugins_page() -> Iterator[str]:
    """All plugins, each with its purpose and a link."""
    yield "# Plugins\n"
    yield "`toolkit plugins NAME` says the same of every plugin that is installed."
    for kind, title in KINDS.items():
        yield f"\n## {title}\n"
        yield "| name | what it is |\n|---|---|"
        for plugin in plugins(kind):
            place = f"{page_of(kind)}#{slug(f'{plugin.kind} {plugin.name}')}"
            yield f"| [`{plugin.name}`]({place}) | {cell(plugin.text.partition(chr(10) * 2)[0])} |"


def kind_page(kind: str) -> Iterator[str]:
    """The reference of the plugins of one kind and their options."""
    yield f"# {KINDS[kind]}\n"
    yield "All kinds are listed in [Plugins](plugins.md)."
    for plugin in plugins(kind):
        yield f"\n## {plugin.kind} `{plugin.name}`\n"
        yield plugin.text.replace("<", "&lt;").strip() + "\n"
        yield f"```yaml\n{plugin.used}\n```\n"
        if plugin.options:
            yield from options_table(plugin.options)


def slug(title: str) -> str:
    """A title's place in its page, as the site names it."""
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def recipes_page() -> Iterator[str]:
    """The list of shipped recipes with their comments."""
    yield "# Shipped recipes\n"
    yield "`toolkit search NAME` runs one; `toolkit recipes` prints where its file is."
    for recipe in list_recipes():
        text = recipe.path.read_text(encoding="utf-8")
        comment = [line for line in text.splitlines() if line.startswith("#")]
        yield f"\n## {recipe.name}\n"
        yield "\n".join(line.lstrip("# ").rstrip() for line in comment) + "\n"
        yield f"```yaml\n{text.strip()}\n```"


def pages() -> dict[Path, str]:
    """Every file that is made, and its text."""
    made = {
        "commands.md": commands_page(),
        "recipe.md": recipe_page(),
        "plugins.md": plugins_page(),
        **{page_of(kind): kind_page(kind) for kind in KINDS},
        "recipes.md": recipes_page(),
    }
    note = "<!-- Made by scripts/generate_docs.py: change the code, and run it. -->\n"
    texts = {DOCS / name: note + "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}
    return {**texts, TABLE: completions()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    old = [p for p, text in pages().items() if not p.is_file() or p.read_text("utf-8") != text]
    for path in old:
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
        sys.stdout.write(f"{path} {'is not current' if check else 'is written'}\n")
    sys.exit(1 if check and old else 0)


if __name__ == "__main__":
    main()
