"""CPU time of two ways to do the same work, measured in turns in one process, and its report."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import torch

Row = dict[str, Any]
_BLOCK_S = 0.04
"""Calls are timed in blocks of about this length, so that the clock's resolution does not count."""


def cpu_seconds(work: Callable[[], Any], calls: int = 1) -> float:
    """Return the CPU seconds of one call, the mean of several."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls


def compare(
    work: str, ours: Callable[[], Any], peer: Callable[[], Any], name: str, repeats: int = 9
) -> Row:
    """Time two functions in turns, after one call each to warm up; medians of the repeats.

    Parameters
    ----------
    work : str
        What is done.
    ours, peer : callable
        The two ways.
    name : str
        The peer's name.
    repeats : int
        Blocks of calls timed of each.
    """
    ours()
    peer()
    calls = max(1, round(_BLOCK_S / max(cpu_seconds(ours), 1e-6)))
    mine, theirs = [], []
    for _ in range(repeats):
        mine.append(cpu_seconds(ours, calls))
        theirs.append(cpu_seconds(peer, calls))
    our_s, peer_s = statistics.median(mine), statistics.median(theirs)
    return {
        "work": work,
        "ours_cpu_s": float(f"{our_s:.4g}"),
        "peer": name,
        "peer_cpu_s": float(f"{peer_s:.4g}"),
        "ratio": round(peer_s / our_s, 2),
    }


def processor() -> str:
    """Return the processor's model, where the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def covariances(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    """Return random sample covariances (..., n, n) with a condition number of some thousands."""
    generator = torch.Generator().manual_seed(seed)
    n = shape[-1]
    x = torch.randn(*shape[:-1], 2 * n, dtype=torch.float64, generator=generator)
    x = x * torch.logspace(-1, 0, n, dtype=torch.float64)[:, None]
    return (x @ x.mT / (2 * n)).to(dtype)


def report(description: str | None, rows: Callable[[argparse.Namespace], Iterable[Row]]) -> None:
    """Read the options, measure on one thread, and print a table, or a JSON list by `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--repeats", type=int, default=9, help="blocks timed of each")
    parser.add_argument("--only", default="", help="measure only work whose name has this in it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if arguments.json:
        print(json.dumps(list(rows(arguments)), indent=1))
        return
    print(f"{processor()}, one thread, torch {torch.__version__}\n")
    print("| work | ours, CPU s | peer | peer, CPU s | ratio |\n|---|---|---|---|---|")
    for row in rows(arguments):
        print(
            f"| {row['work']} | {row['ours_cpu_s']:.3g} | {row['peer']} | {row['peer_cpu_s']:.3g}"
            f" | {row['ratio']:.2f} |",
            flush=True,
        )
