"""An examination of the interpreter, the packages, the machine and the plugins."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "nni": "nni",
    "optuna": "optuna",
    "networkx": "networkx",
    "rich": "rich",
    "typer": "typer",
    "pydantic": "pydantic",
    "ruamel.yaml": "ruamel.yaml",
    "safetensors": "safetensors.torch",
    "psutil": "psutil",
    "nvidia-ml-py": "pynvml",
    "numpy": "numpy",
    "scikit-learn": "sklearn",
    "plotly": "plotly",
    "setuptools": "pkg_resources",
}
"""Distribution -> module whose import shows that it works."""
LITTLE_DISK = 2.0
"""GB of free disk below which a run may not fit."""
LITTLE_MEMORY = 1.0
"""GB of free memory below which a trial may not fit."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `problem` is empty where all is well."""

    topic: str
    found: str
    problem: str = ""


def examine(plugin_paths: Sequence[Path] = ()) -> list[Finding]:
    """Looks at everything; never raises for what it finds."""
    return [
        _interpreter(),
        *(_package(name, module) for name, module in PACKAGES.items()),
        _torch_build(),
        _nni_manager(),
        *_gpus(),
        _placement(),
        *_machine(),
        *_plugins(plugin_paths),
    ]


def _interpreter() -> Finding:
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    found = f"{version} at {sys.executable} on {platform.system()} {platform.machine()}"
    return Finding("python", found, "expected 3.11 or newer" if old else "")


def _package(name: str, module: str) -> Finding:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", f"pip install {name}")
    problem = _import_problem(module)
    if name == "setuptools" and int(version.split(".", 1)[0]) >= 82:
        problem = (
            "nni imports pkg_resources, which setuptools 82 dropped: pip install 'setuptools<82'"
        )
    return Finding(name, version, problem)


def _import_problem(module: str) -> str:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    except (Exception, SystemExit) as error:
        lines = str(error).splitlines() or [""]
        return f"does not import: {type(error).__name__}: {lines[0]}"
    return ""


def _torch_build() -> Finding:
    torch: Any
    try:
        import torch
    except Exception as error:
        return Finding("torch build", "unknown", f"torch does not import: {error}")
    cuda = torch.version.cuda
    usable = torch.cuda.is_available()
    build = f"CUDA {cuda}, {'usable' if usable else 'no usable GPU'}" if cuda else "CPU only"
    return Finding("torch build", f"{torch.__version__}: {build}")


def _nni_manager() -> Finding:
    """The Node program behind `--executor nni`; NNI brings its own."""
    topic = "NNI's manager"
    found = importlib.util.find_spec("nni_node")
    if found is None or not found.submodule_search_locations:
        return Finding(topic, "not installed", "pip install nni==3.0")
    node = Path(found.submodule_search_locations[0]) / ("node.exe" if os.name == "nt" else "node")
    try:
        answer = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(topic, str(node), f"does not run: {error}")
    return Finding(topic, f"Node {answer.stdout.strip().lstrip('v')}")


def _gpus() -> Iterator[Finding]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception as error:
        yield Finding("GPUs", f"none ({error})")
        return
    try:
        count = pynvml.nvmlDeviceGetCount()
        if not count:
            yield Finding("GPUs", "none")
        for index in range(count):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = _text(pynvml.nvmlDeviceGetName(handle))
            uuid = _text(pynvml.nvmlDeviceGetUUID(handle))
            free = f"{memory.free / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
            yield Finding(f"GPU {index}", f"{name}, {uuid}, {free}", _unusable_gpu())
    except pynvml.NVMLError as error:
        yield Finding("GPUs", "unknown", f"the driver does not answer: {error}")
    finally:
        pynvml.nvmlShutdown()


def _placement() -> Finding:
    from toolkit.base.errors import RecipeError
    from toolkit.executors.local import LocalExecutor

    try:
        return Finding("placement", LocalExecutor.preview(None, None, None))
    except RecipeError as error:
        return Finding("placement", "nothing fits", error.message)


def _unusable_gpu() -> str:
    try:
        import torch
    except Exception:
        return ""
    if torch.cuda.is_available():
        return ""
    return "torch cannot use it: install a build of torch for this driver's CUDA version"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _machine() -> Iterator[Finding]:
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cores", f"{usable} usable of {psutil.cpu_count()}")
    threads = {
        name: os.environ[name]
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        if name in os.environ
    }
    limits = ", ".join(f"{name}={value}" for name, value in threads.items()) or "not limited"
    yield Finding("threads", f"{limits}; the engine gives each worker its share of the cores")
    memory = psutil.virtual_memory()
    free = memory.available / 1e9
    little = f"under {LITTLE_MEMORY:g} GB free" if free < LITTLE_MEMORY else ""
    yield Finding("memory", f"{free:.1f} of {memory.total / 1e9:.1f} GB free", little)
    disk = shutil.disk_usage(Path.cwd())
    little = f"under {LITTLE_DISK:g} GB free" if disk.free / 1e9 < LITTLE_DISK else ""
    yield Finding("disk", f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB free here", little)


def _plugins(plugin_paths: Sequence[Path]) -> Iterator[Finding]:
    from toolkit.registry import Registry

    rows = Registry(plugin_paths, tolerant=True).rows(check=True)
    broken = [row for row in rows if row.error]
    yield Finding("plugins", f"{len(rows) - len(broken)} of {len(rows)} load")
    for row in broken:
        yield Finding(f"plugin {row.name}", row.origin, row.error)
