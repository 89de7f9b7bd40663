"""A bundle is one file that imports only torch and the standard library, and means the same."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import PluginError
from toolkit.export.bundle import bundle

MakePackage = Callable[..., Any]

LAYERS = '''
"""Layers of a small network."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .functions import shift

if TYPE_CHECKING:
    import numpy as np
    from .unseen import Nothing

# Why one: it has to be some number.
ONE = 1.0


def helper(x: Tensor, other: np.ndarray | None = None) -> Tensor:
    return F.relu(x) * math.pi


def never_needed() -> None:
    import numpy  # would be refused


@torch.no_grad()
def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


class Layer(nn.Module):
    """A layer."""

    def forward(self, x: Tensor) -> Tensor:
        return shift(helper(x), ONE)
'''
FUNCTIONS = '''
"""Functions."""
from dataclasses import dataclass

@dataclass
class Settings:
    by: float = 2.0

TABLE = {}
TABLE["shift"] = Settings(); OTHER = 3


def shift(x, one: "float"):
    return x + one * TABLE["shift"].by
'''
NETWORK = '''
"""The network."""
from torch import nn

from small_package.layers import Layer
from small_package import shift


class Network(nn.Module):
    def __init__(self, width: int, classes: int = 2):
        super().__init__()
        self.config = {"width": width, "classes": classes}
        self.layer, self.head = Layer(), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(shift(self.layer(x), 1.0))
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePackage]:
    def make(**modules: str) -> Any:
        home = tmp_path / "small_package"
        home.mkdir()
        (home / "__init__.py").write_text("from .functions import shift\n")
        files = {"functions": FUNCTIONS, "layers": LAYERS, "network": NETWORK, **modules}
        for name, text in files.items():
            (home / f"{name}.py").write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(str(tmp_path))
        return import_module("small_package.network")

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "small_package"]:
        del sys.modules[name]


def run(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "bundled"}
    module = type(sys)("bundled")
    sys.modules["bundled"] = module
    try:
        exec(compile(source, "bundled.py", "exec"), namespace)
    finally:
        del sys.modules["bundled"]
    return namespace


def test_bundle_runs_like_the_package(package: MakePackage) -> None:
    import torch

    original = package().Network
    source = bundle(original)
    made = run(source)["Network"](5)
    expected = original(5)
    made.load_state_dict(expected.state_dict())
    inputs = torch.randn(4, 5)
    torch.testing.assert_close(made(inputs), expected(inputs), rtol=0, atol=0)


def test_a_module_that_has_changed_is_read_again(package: MakePackage) -> None:
    network = package()
    path = Path(network.__file__).with_name("layers.py")
    before = bundle(network.Layer)
    path.write_text(path.read_text().replace("* math.pi", "* math.pi + 0.0625"))
    after = bundle(network.Layer)
    assert "+ 0.0625" not in before and "* math.pi + 0.0625" in after


def test_bundle_holds_only_what_is_needed_in_the_order_of_dependencies(
    package: MakePackage,
) -> None:
    source = bundle(package().Network)
    for absent in ("never_needed", "OTHER", "numpy", "small_package import", "Nothing", "count"):
        assert absent not in source.replace("From small_package", "")
    assert source.index("def shift") < source.index("class Layer") < source.index("class Network")
    assert "# Why one: it has to be some number.\nONE = 1.0" in source
    assert source.startswith("from __future__ import annotations\n")
    assert source.count("from __future__") == 1
    assert source.count("from torch import Tensor, nn") == 1
    assert 'TABLE["shift"] = ' in source.replace("'", '"')


def test_bundle_runs_where_nothing_of_the_package_can_be_found(
    package: MakePackage, tmp_path: Path
) -> None:
    path = tmp_path / "elsewhere" / "one.py"
    path.parent.mkdir()
    path.write_text(bundle(package().Network) + "\nprint(type(Network(3)).__name__)\n")
    done = subprocess.run(
        [sys.executable, "-I", str(path)], cwd=path.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Network"), done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import numpy as np\ndef shift(x, one): return np.add(x, one)", "imports numpy"),
        ("def shift(x, one):\n    import numpy\n    return x", "inside a definition"),
        ("from .other import add as plus\ndef shift(x, one): return plus(x)", "under the name"),
        ("from . import other\ndef shift(x, one): return other.add(x)", "as a whole"),
        ("import small_package.other\ndef shift(x, one): return small_package", "as a whole"),
        ("from .other import helper\ndef shift(x, one): return helper(x)", "'helper' means"),
        ("from math import *\ndef shift(x, one): return exp(one) * x", "imports every name"),
    ],
)
def test_what_cannot_be_bundled_is_refused_with_module_and_line(
    package: MakePackage, line: str, said: str
) -> None:
    other = "def add(x): return x\ndef helper(x): return x\n"
    network = package(functions=line, other=other).Network
    with pytest.raises(PluginError, match=said) as caught:
        bundle(network)
    assert "small_package." in str(caught.value) and "line " in str(caught.value)
    assert caught.value.hint


def test_classes_out_of_reach_are_refused() -> None:
    class Local:
        pass

    with pytest.raises(PluginError, match="inside a function"):
        bundle(Local)


def test_reserved_names_stay_free(package: MakePackage) -> None:
    with pytest.raises(PluginError, match="'helper' means"):
        bundle(package().Network, reserved=frozenset({"helper"}))


def test_a_class_of_torch_is_imported() -> None:
    from torch import nn

    assert "from torch.nn.modules.linear import Linear" in bundle(nn.Linear)
