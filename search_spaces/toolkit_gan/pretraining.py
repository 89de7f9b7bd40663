"""The source networks: trained once on the source classes, and read by every trial.

The folder holds `generator.safetensors` and `discriminator.safetensors` (a generator of the source
classes with the statistics of its running mean), and `facts.json` (how good it is).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from toolkit.contracts import TaskInfo, TrialContext
from toolkit.errors import DataError
from toolkit_gan.discriminator import AnyDiscriminator
from toolkit_gan.duel import Duel, Play
from toolkit_gan.generator import AnyGenerator
from toolkit_gan.networks import AnyNetworks
from toolkit_gan.sampling import Sampler

GENERATOR, DISCRIMINATOR, FACTS = (
    "generator.safetensors",
    "discriminator.safetensors",
    "facts.json",
)
_REPORTS = 20
"""How often a pre-training saves a checkpoint."""


@dataclass(frozen=True)
class Schooling:
    """How the source networks are trained."""

    steps: int
    batch: int
    lr: float
    beta2: float = 0.9
    accumulation: int = 1


@dataclass(frozen=True)
class Source:
    """The source networks, in evaluation mode."""

    generator: AnyGenerator
    discriminator: AnyDiscriminator
    facts: Mapping[str, Any]


def pretrain(
    networks: AnyNetworks, schooling: Schooling, trial: TrialContext, folder: Path
) -> None:
    """Trains the source networks and writes them.

    Raises:
        DataError: the task has no source classes.
        DivergedError: a loss is not finite.
    """
    images, labels = tensors(trial.splits.source, trial.device)
    classes = len(trial.info.source_classes)
    torch.manual_seed(trial.seed)
    model = networks.fresh(classes, trial.info).to(trial.device)
    discriminator = networks.discriminator(classes, trial.info).to(trial.device)
    play = Play(
        schooling.lr,
        schooling.lr,
        schooling.batch,
        networks.noise,
        beta2=schooling.beta2,
        accumulation=schooling.accumulation,
    )
    duel = Duel(model, discriminator, images, labels, play, trial.seed)
    if (state := trial.restore()) is not None:
        duel.restore(state)
    each = math.ceil(schooling.steps / _REPORTS)
    while duel.step < schooling.steps:
        d_loss, g_loss = duel.advance()
        if duel.step % each == 0:
            trial.save(duel.state())
            trial.report(duel.step, {"d_loss": float(d_loss), "g_loss": float(g_loss)})
    generator = networks.generator(classes, trial.info).to(trial.device)
    duel.averaged().fold_into(generator)
    facts = {"source": "pre-trained here", "steps": schooling.steps, "seed": trial.seed}
    _write(generator, discriminator, networks, facts, trial, folder)


def adopt(given: Path, networks: AnyNetworks, trial: TrialContext, folder: Path) -> None:
    """Takes source networks that were trained elsewhere.

    Raises:
        DataError: they cannot be read, or are of another shape.
    """
    classes = len(trial.info.source_classes)
    generator = networks.generator(classes, trial.info)
    discriminator = networks.discriminator(classes, trial.info)
    load_weights(generator, given / GENERATOR)
    load_weights(discriminator, given / DISCRIMINATOR)
    generator.to(trial.device)
    _write(generator, discriminator, networks, {"source": str(given)}, trial, folder)


def _write(
    generator: AnyGenerator,
    discriminator: AnyDiscriminator,
    networks: AnyNetworks,
    about: Mapping[str, Any],
    trial: TrialContext,
    folder: Path,
) -> None:
    """Writes both networks, and facts on where they come from and how good they are."""
    generator.eval()
    facts = {
        **about,
        "classes": list(trial.info.source_classes),
        "networks": asdict(cast(Any, networks)),
    }
    if trial.splits.source_val is not None and trial.task.judge is not None:
        with torch.no_grad():
            judged = trial.task.judge(Sampler(generator), trial.splits.source_val, trial.device)
        facts["judged"] = judged
    _save(generator, folder / GENERATOR)
    _save(discriminator, folder / DISCRIMINATOR)
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_source(
    folder: Path, networks: AnyNetworks, info: TaskInfo, device: torch.device
) -> Source:
    """Reads what `pretrain` wrote.

    Raises:
        DataError: the weights are of another shape.
    """
    classes = len(info.source_classes)
    # Weights are drawn and replaced: the trial's own draws must not depend on it.
    with torch.random.fork_rng(devices=[]):
        made = networks.generator(classes, info), networks.discriminator(classes, info)
    for model, name in zip(made, (GENERATOR, DISCRIMINATOR), strict=True):
        load_weights(model, folder / name)
        model.to(device).eval()
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return Source(*made, facts)


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Fills a model from a safetensors file.

    Raises:
        DataError: the file is none, or its weights are of another shape; it is told which.
    """
    try:
        given = load_file(path)
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as weights: {error}.",
            hint="Weights are read from .safetensors files; `weights` names the folder of both.",
        ) from error
    own = model.state_dict()
    for name, tensor in own.items():
        found = tuple(given[name].shape) if name in given else "nothing"
        if found != tuple(tensor.shape):
            raise DataError(
                f"{path} holds {found} under {name!r}, and {tuple(tensor.shape)} is expected.",
                hint="Give space the noise and the widths with which these weights were trained.",
            )
    model.load_state_dict({name: given[name] for name in own})


def tensors(data: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images and labels of a data set, on a device.

    Raises:
        DataError: there are none.
    """
    if data is None or not len(data):
        raise DataError(
            "The task has no images of source classes.",
            hint="Use a task such as digits_generation, and name its target classes.",
        )
    known = getattr(data, "tensors", None)
    if known is None:
        pairs = [cast(Any, data)[index] for index in range(len(data))]
        known = torch.stack([pair[0] for pair in pairs]), torch.tensor([p[1] for p in pairs])
    return known[0].to(device), known[1].to(device)


def _save(model: torch.nn.Module, path: Path) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file({name: value.clone() for name, value in state.items()}, path)
