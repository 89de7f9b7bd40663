"""The hand-over of a trained model: weights, architecture, card, and a file without the toolkit.

`export_model` writes the folder `best/` of a run.
"""

from __future__ import annotations

import json
import pprint
import re
import textwrap
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.base.errors import PluginError
from toolkit.base.files import remove_tree
from toolkit.base.plain import encodable
from toolkit.export.bundle import bundle
from toolkit.export.card import Card, taken, write_card
from toolkit.export.drawing import draw
from toolkit.export.formats import write_formats
from toolkit.export.loading import load_model

if TYPE_CHECKING:
    import networkx
    import torch

TOLERANCE = 1e-6
"""Largest difference of outputs, relative to the largest output, that an export may show."""
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


def export_model(
    deployed: torch.nn.Module,
    example: torch.Tensor,
    architecture: Mapping[str, Any],
    graph: networkx.DiGraph,
    card: Card,
    folder: Path,
    preparer: torch.nn.Module | None = None,
    formats: Sequence[str] = (),
    on_skip: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write a trained model into `folder`, all or nothing, in place of what was there.

    The folder holds `model.py`, `weights.safetensors` (every parameter and buffer, uncast),
    `architecture.json`, `architecture.svg` and `card.md`.

    Args:
        deployed: what `Learner.deployed` gave: `type(deployed)(**deployed.config)` rebuilds it.
        example: a batch of inputs, on which the written file must give the same outputs.
        architecture: the genotype.
        graph: the architecture as its space draws it.
        card: facts for the model card.
        folder: where to; its parent must exist.
        preparer: makes inputs of raw ones, see `Splits.make_preparer`; None where words must do.
        formats: further ones to write it in, see `toolkit.export.formats`.
        on_skip: is handed a sentence on each of them that was passed over.

    Returns:
        The folder.

    Raises:
        PluginError: the model cannot be written as one file, or does not give the same outputs.
    """
    source = write_source(deployed, example, card, preparer)
    weights = _all_weights(deployed, preparer)
    for left_over in folder.parent.glob(f".{folder.name}-*"):
        remove_tree(left_over, folder.parent)  # An earlier export was killed.
    building = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    building.mkdir()
    try:
        from safetensors.torch import save_file

        save_file(weights, building / "weights.safetensors")
        # It comes out private; others may read it as far as they may read the folder.
        (building / "weights.safetensors").chmod(building.stat().st_mode & 0o666)
        _write(building / "architecture.json", json.dumps(architecture, indent=2) + "\n")
        _write(building / "architecture.svg", draw(graph, card.title))
        _write(building / "model.py", source)
        _write(building / "card.md", write_card(card, deployed, preparer, door_of(source)))
        written = _check(deployed, example, building)
        for text in write_formats(written, example.cpu(), building, formats):
            on_skip(text)
        _replace(building, folder)
    finally:
        remove_tree(building, folder.parent)
    return folder


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


def _all_weights(
    deployed: torch.nn.Module, preparer: torch.nn.Module | None
) -> dict[str, torch.Tensor]:
    """The network's weights, and those of the preparation in front of it."""
    from toolkit.export.standalone import BEFORE

    weights = _weights(deployed)
    own = {} if preparer is None else _weights(preparer)
    if own and any(name.startswith(BEFORE) for name in weights):
        raise PluginError(
            f"{type(deployed).__name__} has parameters whose names begin with {BEFORE!r}, which"
            " are the preparation's.",
            hint="Give that part of the network another name.",
        )
    return weights | {f"{BEFORE}{name}": value for name, value in own.items()}


def _weights(deployed: torch.nn.Module) -> dict[str, torch.Tensor]:
    import torch

    from toolkit.export.standalone import WEIGHT_TYPES

    weights = {}
    for name, value in deployed.state_dict().items():
        if not isinstance(value, torch.Tensor) or value.dtype not in WEIGHT_TYPES.values():
            what = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise PluginError(
                f"{type(deployed).__name__} keeps {what} under {name!r} in its state, which the "
                "weights file cannot hold.",
                hint="Keep real numbers, integers and booleans in parameters and buffers.",
            )
        # A copy of its own: safetensors refuses tensors that share memory.
        weights[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return weights


def _check(deployed: torch.nn.Module, example: torch.Tensor, folder: Path) -> torch.nn.Module:
    """The model of the written file, run here and compared with the one that was written."""
    import torch

    random_state = torch.get_rng_state()
    was_training = deployed.training
    try:
        loaded = load_model(folder)
        parameter = next(iter(deployed.state_dict().values()), example)
        deployed.eval()
        with torch.no_grad():
            expected = deployed(example.to(parameter.device)).cpu()
            found = loaded(example.cpu())
            unrest = _unrest(deployed, example.to(parameter.device), expected)
    except Exception as error:
        raise PluginError(
            f"The exported {type(deployed).__name__} does not run: "
            f"{type(error).__name__}: {error}.",
            hint="Its class must rebuild from `type(module)(**module.config)`, and everything it "
            "needs must be defined at the top level of its package's modules.",
        ) from error
    finally:
        deployed.train(was_training)
        torch.set_rng_state(random_state)
    _compare(deployed, expected, found, unrest)
    return loaded


def _unrest(deployed: torch.nn.Module, example: torch.Tensor, expected: torch.Tensor) -> float:
    """How far the outputs move when the inputs move by their last digit.

    Logarithms of ill-conditioned matrices in single precision turn a solver's rounding into the
    outputs' fourth digit, and the exported file uses torch's own solver.
    """
    import torch

    if not example.is_floating_point():
        return 0.0
    signs = torch.randint(2, (2, *example.shape), device=example.device) * 2 - 1
    step = torch.finfo(expected.dtype if expected.is_floating_point() else example.dtype).eps
    sizes = (
        example.nan_to_num(nan=0.0).abs().flatten(1).amax(1).view(-1, *[1] * (example.dim() - 1))
    )
    try:
        moved = [deployed(example + own * (step * sizes)).cpu() for own in signs]
    except Exception:  # It may refuse what is not quite symmetric, or not quite a whole number.
        return 0.0
    return max(float((other.double() - expected.double()).abs().max()) for other in moved)


def _compare(
    deployed: torch.nn.Module, expected: torch.Tensor, found: torch.Tensor, unrest: float
) -> None:
    name = type(deployed).__name__
    if found.shape != expected.shape or not bool(expected.isfinite().all()):
        raise PluginError(
            f"The exported {name} gives outputs {tuple(found.shape)}; expected are "
            f"{tuple(expected.shape)}, all finite.",
            hint="Look at `deployed()` of its learner.",
        )
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    # Rebuilding in single precision, or on a GPU, may round differently.
    rounding = 100 * max(_epsilon(expected), _epsilon(found))
    difference = float((found.double() - expected.double()).abs().max()) if found.numel() else 0.0
    if not difference <= max(TOLERANCE * scale, rounding * scale, 10 * unrest):
        raise PluginError(
            f"The exported {name} gives other outputs than the trained one (by {difference:.3g}).",
            hint="Whatever changes its outputs must be in its config, parameters or buffers.",
        )


def _epsilon(outputs: torch.Tensor) -> float:
    import torch

    return torch.finfo(outputs.dtype).eps if outputs.is_floating_point() else 0.0


def _write(path: Path, text: str) -> None:
    path.write_text(encodable(text), encoding="utf-8", newline="\n")


def _replace(new: Path, folder: Path) -> None:
    """Put `new` where `folder` is or shall be; what was there goes once the new one stands."""
    old = new.with_name(new.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    remove_tree(old, folder.parent)
