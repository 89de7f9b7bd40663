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


def predict_file(model: torch.nn.Module, path: Path) -> torch.Tensor:
    """Scores (N, classes) of the inputs in a `.pt` file, or in a `.safetensors` file's `inputs`."""
    if path.suffix == ".safetensors":
        inputs = read_safetensors(path)["inputs"]
    else:
        inputs = torch.load(path, map_location="cpu", weights_only=True)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            inputs = inputs.to(tensor.dtype)
            break
    with torch.no_grad():
        scores: torch.Tensor = model(inputs)
    return scores


def run(model: torch.nn.Module, classes: list[str], input_shape: tuple[int, ...]) -> None:
    """Print what a model is, or its predictions for the inputs in the file that is named."""
    if len(sys.argv) < 2:
        count = sum(parameter.numel() for parameter in model.parameters())
        shape = ", ".join(map(str, input_shape))
        sys.stdout.write(f"{type(model).__name__}: {count:,} parameters, inputs (N, {shape})\n")
        return
    lines = []
    for index, scores in enumerate(predict_file(model, Path(sys.argv[1]))):
        best = int(scores.argmax())
        name = classes[best] if classes else str(best)
        listed = " ".join(f"{score:.4g}" for score in scores.tolist())
        lines.append(f"{index}: {name}  ({listed})\n")
    # At once, so that whoever reads the first lines only does not cut the others off.
    sys.stdout.write("".join(lines))
