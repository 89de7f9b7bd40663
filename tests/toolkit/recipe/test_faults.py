"""Every fault of a recipe is told, at its line and column, with what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import RecipeError
from toolkit.recipe import load_recipe
from toolkit.recipe.load import MAX_BYTES
from toolkit.registry import Registry

GOOD = """\
version: 1
name: toys
task: toy
space: toy_cell
strategy: toy.random
"""
NAMES = (
    "version, name, task, space, strategy, objectives, constraints, fidelity, validation, budget, "
    "resources, train, track"
)

Told = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ("trian: {lr: 1}\n", "6:1: trian: unknown key (did you mean train?)"),
        ("zzz: 1\n", f"6:1: zzz: unknown key, expected {NAMES}"),
        ("train:\n  lrr: 1\n", "7:3: train.lrr: unknown key (did you mean lr?)"),
        ("train: 3\n", "6:8: train: 3 given, expected a mapping"),
        ("train:\n  lr: fast\n", '7:7: train.lr: "fast" given, expected a number'),
        ("train:\n  epochs: true\n", "7:11: train.epochs: true given, expected an integer"),
        ('train:\n  epochs: "5"\n', '7:11: train.epochs: "5" given, expected an integer'),
        ("train:\n  epochs: 1.5\n", "7:11: train.epochs: 1.5 given, expected an integer"),
        ("train:\n  epochs: 0\n", "7:11: train.epochs: 0 given, expected a number above 0"),
        ("train: {seed: -1}\n", "6:15: train.seed: -1 given, expected a number of at least 0"),
        ("train: {lr: .inf}\n", "6:13: train.lr: .inf given, expected a finite number"),
        ("train: {lr: 1e999}\n", "6:13: train.lr: 1e999 given, expected a finite number"),
        (
            "train: {final: {baselines: yes}}\n",
            '6:28: train.final.baselines: "yes" given, expected true or false'
            " (in YAML 1.2 this is text)",
        ),
        (
            "train: {schedule: cosin}\n",
            '6:19: train.schedule: "cosin" given, expected cosine or constant'
            " (did you mean cosine?)",
        ),
        (
            "budget:\n  time: 10x\n",
            "7:9: budget.time: '10x' is no duration: write seconds, or 45s, 10m, 1h30m",
        ),
        (
            "objectives: {accuracy: up}\n",
            '6:24: objectives.accuracy: "up" given, expected maximize or minimize',
        ),
        (
            "resources:\n  executor: locl\n",
            "7:13: resources.executor: no executor 'locl' is registered (did you mean local?)",
        ),
        (
            "constraints: {a: 3}\n",
            '6:18: constraints.a: 3 given, expected a bound such as "<= 50000" (or >=, <, >;'
            " several joined by commas)",
        ),
        ("track: [acme]\n", None),
        (
            "track: [3]\n",
            "6:9: track.0: 3 given, expected a tracker's name, or its name with options:"
            " {wandb: {project: x}}",
        ),
        ("name: again\n", "6:1: name: given twice, first at 2:1"),
        ("train: !!python/name:os.system x\n", None),
        ("train: !x {lr: 1}\n", "6:8: train: the tag !x is not allowed, recipes are plain data"),
        ("? [a]\n: 1\n", "6:3: a key must be plain text"),
        ("---\nversion: 1\n", "6:1: a second document begins, expected one"),
        ("train: {lr: 1\n", None),
        (
            "train: {lr: '${env:TOOLKIT_ABSENT}'}\n",
            "6:13: train.lr: ${env:TOOLKIT_ABSENT}: the environment variable TOOLKIT_ABSENT is not"
            " set",
        ),
        (
            "train: {lr: '${home}'}\n",
            "6:13: train.lr: ${home} given, expected ${env:NAME} or ${recipe_dir}",
        ),
        (
            "train: {a.lr: {log: [1, 2]}}\n",
            '6:15: train.a.lr: {"log": [1, 2]} given, and what is below a.lr cannot be searched',
        ),
        (
            "train: {device: {choice: ['${env:HOME}', cpu]}}\n",
            "6:17: train.device: ${env:HOME} given as a choice: what is searched is shown in every"
            " table, and values of the environment are shown nowhere",
        ),
        ("train: {lr: '${env:A'}\n", "6:13: train.lr: ${env:A has no closing brace"),
        (
            "budget:\n  trials: {int: [1, 2]}\n",
            '7:11: budget.trials: {"int": [1, 2]} given, expected an integer'
            " (values can be searched under task, space and train alone)",
        ),
    ],
)
def test_a_fault_in_a_word_is_told_with_its_place(
    faults: Told, added: str, fault: str | None
) -> None:
    found = faults(GOOD + added)
    assert len(found) == 1, found
    if fault is None:
        assert found[0].startswith(("6:", "7:"))
    else:
        assert found == [fault]


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("task: toi", "3:7: task: No task 'toi' is registered. Did you mean toy?"),
        (
            "task: toy_cell",
            "3:7: task: No task 'toy_cell' is registered. toy_cell is a search space; there are ",
        ),
        ("task: {name: toi}", "3:14: task: No task 'toi' is registered. Did you mean toy?"),
        ("task: {samples: 3}", "3:1: task.name: missing, the recipe must give it"),
        ("task: [toy]", '3:7: task: ["toy"] given, expected a mapping'),
        ("task: {name: toy, sample: 3}", "3:19: task.sample: unknown key (did you mean samples?)"),
        (
            "task: {name: toy, samples: 0}",
            "3:28: task.samples: 0 given, expected a number of at least 1",
        ),
        (
            "task: {name: toy, radar: {blade: 1}}",
            "3:27: task.radar.blade: unknown key (did you mean blades?)",
        ),
        (
            "task: {name: toy, radar: {rate_hz: [1, x]}}",
            '3:40: task.radar.rate_hz.1: "x" given, expected a number',
        ),
        ("task: needy", "3:1: task.path: missing, the recipe must give it"),
        (
            "task: {name: toy, noise: {uniform: [-1, 1]}}",
            "3:37: task.noise: -1.0 given, expected a number of at least 0",
        ),
        ("task: {name: {choice: [toy]}}", "3:14: task.name: task.name cannot be searched"),
        (
            "task: {name: toy, samples: {uniform: [1, 9]}}",
            "3:39: task.samples: 1.0 given, expected an integer;"
            " {int: [lowest, highest]} searches integers",
        ),
    ],
)
def test_a_fault_in_a_plugins_options_is_told_with_its_place(
    faults: Told, word: str, fault: str
) -> None:
    found = faults(GOOD.replace("task: toy", word))
    assert len(found) == 1
    assert found[0].startswith(fault)


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ("ops: [conv, pol]", "6:8: space.ops: 'pol' is no operation, expected conv, skip or pool"),
        ("channels: [1, 2]", "5:3: space: channels [1, 2] must not grow"),
        ("width: 13", "5:3: space: A width of 13 is impossible."),
        ("size: big", '6:9: space.size: "big" given, expected an integer or auto'),
        (
            "width: {int: [3, 2]}",
            '6:10: space.width: {"int": [3, 2]} given, the range is impossible: ',
        ),
        ("width: {int: [1.5, 2]}", None),
        ("width: {choice: []}", None),
        ("width: {choice: [2, 2]}", None),
        ("width: {log: [1]}", None),
        ("width: {log: 3}", None),
        (
            "width: {int: [8, 65]}",
            "6:20: space.width: 65 given, expected a number of at most 64",
        ),
        (
            "width: {choice: [8, 16, big]}",
            '6:27: space.width: "big" given, expected an integer',
        ),
        ("width: {choice: [8, 13]}", "6:23: space.width: A width of 13 is impossible."),
        (
            "width: {log: [1, 64]}",
            "6:17: space.width: 1.0 given, expected an integer; {int: [lowest, highest]} searches"
            " integers",
        ),
        ("dropout: {uniform: [0, 1]}", "6:26: space.dropout: 1.0 given, expected a number below 1"),
        ("dropout: {log: [0, 0.5]}", None),
        (
            "radar: {blades: {int: [0, 3]}}",
            "6:26: space.radar.blades: 0 given, expected a number of",
        ),
        (
            "channels: {choice: [[8, 4], [8, 2]]}",
            '6:13: space.channels: {"choice": [[8, 4], [8, 2]]} given, expected plain options',
        ),
        ("widht: {int: [1, 3]}", "6:3: space.widht: unknown key (did you mean width?)"),
    ],
)
def test_a_fault_in_a_searched_value_is_told_with_its_place(
    faults: Told, option: str, fault: str | None
) -> None:
    text = GOOD.replace("space: toy_cell\n", f"space:\n  name: toy_cell\n  {option}\n")
    found = faults(text)
    assert len(found) == 1, found
    assert found[0].startswith(fault or "6:")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("train: {seed: {int: [1, 2]}}", "6:15: train.seed: train.seed cannot be searched"),
        (
            "train: {final: {seeds: {int: [1, 2]}}}",
            "6:24: train.final.seeds: train.final cannot be",
        ),
        ("train: {choice: [1]}", "6:8: train: the whole of train cannot be searched, only its"),
        (
            "train: {epochs: {int: [1, 2]}}\nfidelity: {epochs: 3}",
            "6:17: train.epochs: is searched, but fidelity.epochs sets it in every trial",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(faults: Told, text: str, fault: str) -> None:
    found = faults(f"{GOOD}{text}\n")
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_faults_come_at_once_in_the_order_of_their_places(faults: Told) -> None:
    found = faults(
        "nam: x\nversion: 2\ntask: {name: toy, sample: 3}\nspace: toy_sell\n"
        "strategy: &a toy.random\nbudget: {trials: *a}\nbudget: 3\ntrain:\n  lr: {log: [0, 1]}\n",
        "train.epohcs=3",
        "~fidelity",
        "space..x=1",
    )
    assert [fault.split(": ")[0] for fault in found] == [
        "1:1",
        "1:1",
        "2:10",
        "3:19",
        "4:8",
        "5:11",
        "6:18",
        "7:1",
        "9:7",
        "override 'train.epohcs=3'",
        "override '~fidelity'",
        "override 'space..x=1'",
    ]


def test_tabs_are_told_line_by_line(faults: Told) -> None:
    found = faults(GOOD + "train:\n\tlr: 1\n \tclip: 2\n")
    assert found == [
        "7:1: a tab indents this line, expected spaces",
        "8:2: a tab indents this line, expected spaces",
    ]


def test_an_anchor_bomb_is_refused(faults: Told) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]\n" for level in range(1, 40)
    )
    found = faults(bomb)
    assert "1:5: a0: &a0 is an anchor: recipes have none, remove it" in found


@pytest.mark.parametrize(
    "content",
    [
        "a: " + "[" * (MAX_BYTES - 10),
        "{" * (MAX_BYTES - 10),
        "x: [1, 2]\n" * (MAX_BYTES // 10),
        "{" + ", ".join(f"k{number}: 1" for number in range(MAX_BYTES // 10)) + "}",
        "- 1\n" * (MAX_BYTES // 4),
        GOOD + "train: {lr: " + "9" * 10_000 + "}\n",
        '"\\ud800": "\\ud800"\n',
    ],
    ids=["deep list", "deep mapping", "same key", "many keys", "long list", "number", "surrogate"],
)
def test_a_hostile_file_is_answered(faults: Told, content: str) -> None:
    assert faults(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"---\n", "null given, expected a mapping"),
        (b"- 1\n", "[1] given, expected a mapping"),
        (b"\x7fELF\x00\x01\x02\xff", "is no text in UTF-8"),
        (b"version: 1\x00\n", "is no text in UTF-8"),
        ("version: 1\n".encode("utf-16"), "is no text in UTF-8"),
        (b"version: 1\x07\n", ":1:11: the character '\\x07' is not allowed in YAML"),
        (b"#" * (MAX_BYTES + 1), "is too large for a recipe"),
    ],
)
def test_a_file_that_is_no_recipe_is_named_with_the_reason(
    tmp_path: Path, registry: Registry, content: bytes, words: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, (), registry)
    assert str(path) in caught.value.message
    assert words in caught.value.message


def test_directories_and_missing_files_are_told(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(RecipeError, match="is a directory, expected a recipe file"):
        load_recipe(tmp_path, (), registry)
    with pytest.raises(RecipeError, match="no such recipe file"):
        load_recipe(tmp_path / "absent.yaml", (), registry)
    with pytest.raises(RecipeError, match=r"did you mean spd_drone\?"):
        load_recipe("spd_dron", (), registry)
    with pytest.raises(RecipeError, match="no regular file"):
        load_recipe("/dev/null", (), registry)


def test_faults_of_overrides_name_the_override(faults: Told) -> None:
    assert faults(GOOD, "train.lr=fast", "task.noise=-1", "train=", "name+=x", "train.lr.x=1") == [
        "override 'train.lr=fast': train.lr: \"fast\" given, expected a number",
        "override 'task.noise=-1': task.noise: -1 given, expected a number of at least 0",
        "override 'train=': train: no value given; to remove a key, write ~key",
        "override 'name+=x': name: += adds to a list, and this is \"toys\"",
        "override 'train.lr.x=1': train.lr.x: train.lr is \"fast\", which holds no keys",
    ]
    assert faults(GOOD, "~task") == ["1:1: task: missing, the recipe must give it"]
    assert faults(GOOD, "space.ops=[conv")[0].startswith("override 'space.ops=[conv': is no YAML")
