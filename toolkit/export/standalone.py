"""What every exported `model.py` holds beside its model: reading weights, and a small `main`.

The exporter copies these definitions; they import only torch and the standard library.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch

WEIGHT_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

BEFORE = "preparation."
"""What the names of a preparation's tensors begin with, among those of the network."""


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file: the header's length (8 bytes), a JSON header, and raw numbers.

    Raises:
        ValueError: the file is damaged or holds a type that is not known here.
    """
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or start > len(content):
        raise ValueError(f"{path} is no safetensors file, or its end is missing.")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        raw = content[start + first : start + last]
        if entry["dtype"] not in WEIGHT_TYPES:
            raise ValueError(f"{path}: {name} is of the unknown type {entry['dtype']}.")
        dtype = WEIGHT_TYPES[entry["dtype"]]
        size = math.prod(entry["shape"]) * torch.empty((), dtype=dtype).element_size()
        if not len(raw) == last - first == size:
            raise ValueError(f"{path}: {name} has {len(raw)} bytes where {size} are expected.")
        flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def fill(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """Give a fresh model its weights in the precision they are stored in, ready to predict."""
    floating = {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()}
    if len(floating) == 1:
        model.to(floating.pop())
    model.load_state_dict(weights, assign=True)
    return model.eval()


class PreparedModel(torch.nn.Module):
    """A network behind the preparation of its inputs: raw inputs to scores, or to values.

    Args:
        network: takes prepared inputs.
        preparation: makes them of raw ones; None where this is told in words alone.
        input_shape: of one prepared input.
        classes: their names, by index; None where the network gives values in units, (N, 1).
    """

    def __init__(
        self,
        network: torch.nn.Module,
        preparation: torch.nn.Module | None,
        input_shape: tuple[int, ...],
        classes: list[str] | None,
    ) -> None:
        super().__init__()
        self.network, self.preparation = network, preparation
        self.input_shape, self.classes = input_shape, classes

    def prepare(self, raw: torch.Tensor) -> torch.Tensor:
        """What the network takes, made of raw inputs.

        Raises:
            ValueError: the raw inputs are of another shape; or this file has no preparation.
        """
        if self.preparation is None:
            raise ValueError(
                "This model has no preparation of raw inputs: prepare them as card.md says, and"
                " give them to `scores_of`."
            )
        inputs: torch.Tensor = self.preparation(raw)
        return inputs

    def scores_of(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes) of prepared inputs, or values (N, 1).

        Raises:
            ValueError: they are of another shape.
        """
        fixed = -1 if getattr(self.network, "any_length", False) else None
        if tuple(inputs.shape[1:])[:fixed] != self.input_shape[:fixed]:
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"The inputs have shape {tuple(inputs.shape)}; expected are (N, {expected})."
            )
        scores: torch.Tensor = self.network(inputs)
        return scores

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes) of raw inputs, or values (N, 1)."""
        return self.scores_of(self.prepare(raw))

    @torch.inference_mode()
    def predict(self, raw: torch.Tensor) -> list[str] | list[float]:
        """The name of the class of each raw input, or its value."""
        found = self(raw)
        if self.classes is None:
            return [float(value) for value in found[:, 0]]
        best = found.argmax(-1).tolist()
        return [self.classes[index] if self.classes else str(index) for index in best]

    @torch.inference_mode()
    def novelty(self, raw: torch.Tensor) -> torch.Tensor | None:
        """How unlike all classes each raw input is (N,), or None where the network cannot tell.

        That is the distance to the nearest class in the network's joint null space, in units of
        the training samples' spread within their classes.
        """
        measure = getattr(self.network, "novelty", None)
        return None if measure is None else measure(self(raw))


def fill_prepared(
    network: torch.nn.Module, preparation: torch.nn.Module | None, weights: dict[str, torch.Tensor]
) -> None:
    """Give a network, and the preparation in front of it, their weights."""
    if preparation is not None:
        own = {name: value for name, value in weights.items() if name.startswith(BEFORE)}
        weights = {name: value for name, value in weights.items() if name not in own}
        state = {name.removeprefix(BEFORE): value for name, value in own.items()}
        preparation.load_state_dict(state, assign=True)
    fill(network, weights)


def predict_file(model: PreparedModel, path: Path, raw: bool = False) -> torch.Tensor:
    """Scores, or values, of the inputs in a `.pt` file, or in a `.safetensors` file's `inputs`."""
    if path.suffix == ".safetensors":
        inputs = read_safetensors(path)["inputs"]
    else:
        inputs = torch.load(path, map_location="cpu", weights_only=True)
    with torch.no_grad():
        if raw:
            inputs = model.prepare(inputs)
        for tensor in model.network.state_dict().values():
            if tensor.is_floating_point():
                inputs = inputs.to(tensor.dtype)
                break
        return model.scores_of(inputs)


def run(model: PreparedModel) -> None:
    """Print what a model is, or its predictions for the inputs in the file that is named."""
    words = [word for word in sys.argv[1:] if word != "--raw"]
    if not words:
        count = sum(parameter.numel() for parameter in model.network.parameters())
        shape = ", ".join(map(str, model.input_shape))
        name = type(model.network).__name__
        sys.stdout.write(f"{name}: {count:,} parameters, inputs (N, {shape})\n")
        return
    lines = []
    try:
        found = predict_file(model, Path(words[0]), "--raw" in sys.argv)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    for index, scores in enumerate(found):
        if model.classes is None:
            lines.append(f"{index}: {float(scores[0]):.6g}\n")
            continue
        best = int(scores.argmax())
        name = model.classes[best] if model.classes else str(best)
        listed = " ".join(f"{score:.4g}" for score in scores.tolist())
        lines.append(f"{index}: {name}  ({listed})\n")
    # At once, so that whoever reads the first lines only does not cut the others off.
    sys.stdout.write("".join(lines))
