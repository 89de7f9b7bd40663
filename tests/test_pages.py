"""What the documents show runs: plugin files, programs, commands; and what they quote is said."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command_line import IN_PROCESS, run_toolkit
from toolkit import check_plugin, load_recipe, validate
from toolkit.cli.completion.words import TABLE
from toolkit.registry import Registry

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = {path.name: path.read_text(encoding="utf-8") for path in DOCS}
FILES = {
    name: code
    for page in ("tutorial.md", "cookbook.md")
    for name, code in re.findall(r'```python title="(\w+\.py)"\n(.*?)```', PAGES[page], re.DOTALL)
}
HERE = ["--plugin", IN_PROCESS, "resources.executor=in_process"]


def fences(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin files of tutorial and cookbook."""
    folder = tmp_path_factory.mktemp("pages")
    for name, code in FILES.items():
        (folder / name).write_text(code)
    return folder


def test_the_pages_have_their_files() -> None:
    assert set(FILES) == {
        *("stems.py", "rings.py", "coin.py", "polite.py"),
        *("recall.py", "floor.py", "notes.py"),
    }


@pytest.mark.parametrize("name", sorted(set(FILES) - {"polite.py"}))
def test_a_plugin_file_keeps_every_promise(name: str, place: Path) -> None:
    findings = list(check_plugin(place / name))
    assert findings and [each for each in findings if each.fault] == []


def test_an_executor_file_loads(place: Path) -> None:
    assert Registry([place / "polite.py"]).local()[0].kind == "executors"


def test_the_tutorials_recipe_runs_with_its_three_plugins_and_a_tracker(place: Path) -> None:
    (recipe,) = (text for text in fences("tutorial.md", "yaml") if "name: rings" in text)
    (place / "recipe.yaml").write_text(recipe + "track: [notes]\n")
    plugins = [
        w for name in ("stems", "rings", "coin", "notes") for w in ("--plugin", f"{name}.py")
    ]
    answer = run_toolkit("search", "recipe.yaml", *plugins, *HERE, folder=place)
    assert answer.code == 0, answer.err
    assert (place / "runs/rings/best/model.py").is_file()
    assert len((place / "runs/rings/track/notes.txt").read_text().splitlines()) >= 4


def test_the_tutorials_command_is_a_valid_search(place: Path) -> None:
    (command,) = (c for c in commands("tutorial.md") if " nullspace_digits " in c)
    words = shlex.split(command)[1:]
    answer = run_toolkit("validate", *words[1:], "--json", folder=place)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["space"] == "stems"


@pytest.mark.parametrize("page", ["data.md", "migrating.md", "cookbook.md"])
def test_programs_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(fences(page, "python")), page, "exec"), {})
    if page == "data.md":
        for command in commands(page):
            answer = run_toolkit(*shlex.split(command)[1:], folder=tmp_path)
            assert answer.code == 0, answer.err


@pytest.mark.parametrize("page", ["searching.md", "scaling.md"])
def test_parts_of_recipes_are_valid(page: str) -> None:
    whole = {"name": "x", "task": "digits", "space": "nullspace_head", "strategy": "random"}
    parts = [part for text in fences(page, "yaml") for part in re.split(r"\n(?=\S)", text.strip())]
    assert parts
    for part in parts:
        load_recipe({"version": 1, **whole, "budget": {"trials": 3}, **yaml.safe_load(part)})


def commands(page: str) -> list[str]:
    text = "\n".join(fences(page, "console"))
    lines = [line.partition("  #")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith("toolkit ")]


def test_commands_and_flags_that_are_shown_exist() -> None:
    table = json.loads(TABLE.read_text())["commands"]
    shown = [(page, command) for page in PAGES for command in commands(page)]
    assert len(shown) > 20
    for page, command in shown:
        words = shlex.split(command.partition("|")[0])[1:]
        name = " ".join(words[:2]) if " ".join(words[:2]) in table else words[0]
        assert name in table, f"{page}: {command}"
        flags = [w for w in words if re.match(r"-{1,2}[a-z]", w)]
        missing = [flag for flag in flags if flag not in table[name]["options"]]
        assert not missing, f"{page}: {command}: {missing}"


def test_words_of_a_recipe_within_sentences_are_options_there_are() -> None:
    found = [
        (word, ast.literal_eval(value))
        for text in PAGES.values()
        for word, value in re.findall(r"`(strategy|train|task|space)=(\{[^`]*\})`", text)
    ]
    assert found
    for word, value in found:
        validate("spd_drone_quick", **{word: value})


def test_messages_that_troubleshooting_quotes_are_said() -> None:
    rows = re.findall(r"^\| (`.*?) \| ", PAGES["troubleshooting.md"], re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    source = " ".join(
        path.read_text(encoding="utf-8")
        for room in ("toolkit", "plugins")
        for path in (ROOT / room).rglob("*.py")
    )
    said = " ".join(re.sub(r'"\s*f?"', "", re.sub(r"\{[^{}]*\}", "{}", source)).split())
    assert len(quoted) > 12
    assert [text for text in quoted if text not in said] == []


def test_every_page_is_in_the_sites_navigation() -> None:
    import tomllib

    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    listed = re.findall(r"[\w-]+\.md", json.dumps(site["nav"]))
    assert sorted(listed) == sorted(PAGES)


def test_the_link_check_finds_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<h1 id="top">x</h1><a href="#top">a</a><a href="b.html#no">b</a>'
        '<a href="absent.html">c</a>'
        '<script src="https://example.org/x.js"></script><a href="https://example.org">out</a>'
    )
    (tmp_path / "b.html").write_text("<p>")
    script = ROOT / "scripts/check_links.py"
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "index.html loads https://example.org/x.js from outside",
        "index.html links to b.html#no, which has no such heading",
        "index.html links to absent.html, which is not there",
        "2 pages, 3 faults",
    ]
