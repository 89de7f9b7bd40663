"""The text of `model.py`: a network's source, how it is built, and how raw inputs reach it."""

from __future__ import annotations

import json
import pprint
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import PluginError
from toolkit.export.bundle import bundle
from toolkit.export.card import Card, taken

if TYPE_CHECKING:
    import torch

OWN_NAMES = frozenset(
    {"CONFIG", "PREPARATION", "CLASSES", "INPUT_SHAPE", "INPUT_SIZE", "load", "main"}
)
DOOR = "Model"
"""What the class of raw inputs is called in the file, where the network's classes leave it free."""

_FILE = '''"""{title}

Needs Python and PyTorch, nothing else. In this file's folder:

    python model.py                  what the model is
    python model.py inputs.pt        a {given} for each input of a saved tensor (N, {shape})
{use}
    from model import load
    {gives} = load()(inputs)          # inputs: tensor (N, {shape}); {gives}: tensor {of}
{inputs}"""

{source}

# What was found, and its weights.

CONFIG = {config}
PREPARATION = {preparation}
CLASSES = {classes}
INPUT_SHAPE = {input_shape}


class {door}(PreparedModel):
    """{what}"""

    @classmethod
    def load(cls, folder: str | Path | None = None) -> {door}:
        """Build the model and read `weights.safetensors` from `folder` (default: this file's)."""
        home = Path(__file__).parent if folder is None else Path(folder)
        network = {built}
        preparation = {prepared}
        fill_prepared(network, preparation, read_safetensors(home / "weights.safetensors"))
        return cls(network, preparation, INPUT_SHAPE, CLASSES).eval()


def load(folder: str | Path | None = None) -> {model}:
    """The network alone, which takes prepared inputs."""
    return {door}.load(folder).network


def main() -> None:
    """Print what the model is, or its predictions for the inputs in a file."""
    run({door}.load())


if __name__ == "__main__":
    main()
'''

_GENERATOR = '''"""{title}

Needs Python and PyTorch, nothing else. In this file's folder:

    python model.py                    what the model is
    python model.py CLASS 36 new.png   36 new images of a class, in one file

    from model import {door}
    images = {door}.load().sample({first!r}, 16, seed=0)   # tensor (16, C, H, W) in [0, 1]

The network itself takes noise and the weight of each class, (N, {shape}): weights between 0 and 1
blend classes.
{inputs}"""

{source}

# What was found, and its weights.

CONFIG = {config}
CLASSES = {classes}
INPUT_SIZE = {shape}


class {door}(GeneratingModel):
    """New images by the name of their class."""

    @classmethod
    def load(cls, folder: str | Path | None = None) -> {door}:
        """Build the model and read `weights.safetensors` from `folder` (default: this file's)."""
        home = Path(__file__).parent if folder is None else Path(folder)
        network = {built}
        fill(network, read_safetensors(home / "weights.safetensors"))
        return cls(network, INPUT_SIZE, CLASSES).eval()


def load(folder: str | Path | None = None) -> {model}:
    """The network alone, which takes noise and class weights."""
    return {door}.load(folder).network


def main() -> None:
    """Print what the model is, or write samples of it."""
    run_generator({door}.load())


if __name__ == "__main__":
    main()
'''


def door_of(source: str) -> str:
    """What the class that takes raw inputs is called beside the network's own classes."""
    taken_by_a_network = re.search(
        rf"^class {DOOR}\((?!PreparedModel|GeneratingModel)", source, re.MULTILINE
    )
    return f"Raw{DOOR}" if taken_by_a_network else DOOR


def write_source(
    deployed: torch.nn.Module,
    example: torch.Tensor,
    card: Card,
    preparer: torch.nn.Module | None = None,
) -> str:
    """The text of `model.py`.

    Raises:
        PluginError: the class cannot be bundled, or `deployed.config` is not plain JSON.
    """
    from toolkit.export import standalone
    from toolkit.export.averaging import Ensemble, JoinedPreparation

    if card.outputs == "images":
        return _generator_source(deployed, example, card)
    kind = type(deployed)
    if isinstance(deployed, Ensemble):
        members = list(deployed.members)
        kinds = list(dict.fromkeys([kind, *map(type, members)]))
        slices = "" if deployed.slices is None else f", slices={deployed.slices!r}"
        built = f"{kind.__name__}([kind(**config) for kind, config in CONFIG]{slices})"
        config = _pairs(members)
    else:
        kinds, built = [kind], f"{kind.__name__}(**CONFIG)"
        config = _literal(_config(deployed))
    preparation, prepared = _preparation(preparer)
    if preparer is not None:
        kinds.append(type(preparer))
    if isinstance(preparer, JoinedPreparation):
        kinds += list(dict.fromkeys(map(type, preparer.members)))
    parts = (
        standalone.read_safetensors,
        standalone.fill_prepared,
        standalone.PreparedModel,
        standalone.run,
    )
    text = bundle(*kinds, *parts, reserved=OWN_NAMES)
    door = door_of(text)
    of_values = card.outputs == "values"
    classes = None if of_values else [str(name) for name in card.classes]
    gives = "values" if of_values else "scores"
    return _FILE.format(
        title=_one_line(card.title or f"{kind.__name__}, exported by toolkit"),
        source=text.rstrip(),
        config=config,
        classes=_literal(classes),
        input_shape=tuple(example.shape[1:]),
        shape=", ".join(map(str, example.shape[1:])),
        model=kind.__name__,
        built=built,
        door=door,
        use=_use(preparer, door, gives),
        given="value" if of_values else "class",
        gives=gives,
        of="(N, 1)" if of_values else "(N, classes)",
        preparation=preparation,
        prepared=prepared,
        what=f"{'Raw inputs' if preparer else 'Inputs, prepared as told above,'} to {gives}.",
        inputs=_inputs(card.inputs),
    )


def _generator_source(deployed: torch.nn.Module, example: torch.Tensor, card: Card) -> str:
    """The text of a generator's `model.py`."""
    from toolkit.export import generating, standalone

    kind, classes = type(deployed), [str(name) for name in card.classes]
    parts = (
        standalone.read_safetensors,
        standalone.fill,
        generating.GeneratingModel,
        generating.run_generator,
    )
    text = bundle(kind, *parts, reserved=OWN_NAMES)
    door = door_of(text)
    return _GENERATOR.format(
        title=_one_line(card.title or f"{kind.__name__}, exported by toolkit"),
        source=text.rstrip(),
        config=_literal(_config(deployed)),
        classes=_literal(classes),
        first=_one_line(classes[0]).removesuffix(".") if classes else "0",
        shape=int(example.shape[1]),
        model=kind.__name__,
        built=f"{kind.__name__}(**CONFIG)",
        door=door,
        inputs=_inputs(card.inputs),
    )


def _preparation(preparer: torch.nn.Module | None) -> tuple[str | None, str | None]:
    """What a preparation is rebuilt from, and how, as Python."""
    from toolkit.export.averaging import JoinedPreparation

    if preparer is None:
        return None, None
    name = type(preparer).__name__
    if isinstance(preparer, JoinedPreparation):
        built = f"{name}([kind(**config) for kind, config in PREPARATION])"
        return _pairs(list(preparer.members)), built
    return _literal(_config(preparer)), f"{name}(**PREPARATION)"


def _config(deployed: torch.nn.Module) -> dict[str, Any]:
    """What a module is rebuilt from, as JSON has it."""
    kind, config = type(deployed), getattr(deployed, "config", None)
    try:
        if not isinstance(config, dict):
            raise TypeError(f"it is {type(config).__name__}, not a dictionary")
        config = _listed(config)
        if json.loads(json.dumps(config, allow_nan=False)) != config:
            raise ValueError("JSON does not give it back as it was")
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"{kind.__module__}.{kind.__name__}.config cannot be exported: {error}.",
            hint="Set `config` to the keyword arguments of the class: numbers, strings, booleans, "
            "None, lists and dictionaries with string keys.",
        ) from error
    return config


def _pairs(members: Sequence[torch.nn.Module]) -> str:
    """Class and keyword arguments of each member, as a list in Python."""
    pairs = [
        textwrap.indent(f"({type(one).__name__}, {_literal(_config(one))}),", "    ")
        for one in members
    ]
    return "\n".join(["[", *pairs, "]"])


def _use(preparer: torch.nn.Module | None, door: str, gives: str) -> str:
    """How raw inputs are given, as lines of the file's docstring."""
    if preparer is None:
        return ""
    return f"""    python model.py raw.pt --raw     the same for raw inputs

    from model import {door}
    {gives} = {door}.load()(raw)       # raw: {taken(preparer)}
"""


def _inputs(preparation: str) -> str:
    """What to do to raw data first, as a paragraph of the file's docstring."""
    if not preparation:
        return ""
    text = _one_line(preparation)
    return "\n" + textwrap.fill(text, 100, break_long_words=False) + "\n"


def _listed(content: Any) -> Any:
    """Plain content with tuples as lists, as JSON has them."""
    if isinstance(content, Mapping):
        return {key: _listed(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_listed(value) for value in content]
    return content


def _literal(content: Any) -> str:
    return pprint.pformat(content, width=90, sort_dicts=False)


def _one_line(text: Any) -> str:
    """Text that is safe inside a docstring."""
    line = " ".join(str(text).split()).replace("\\", "/").replace('"', "'")
    return line if line.endswith((".", "!", "?")) else f"{line}."
