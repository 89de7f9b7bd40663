"""The stages of `gpu_check.sh`, each in a process of its own with a time limit; see there."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

DEVICE = os.environ.get("GPU_CHECK_DEVICE", "cuda")
BUDGET_S = float(os.environ.get("GPU_CHECK_BUDGET", "570"))
STARTED = float(os.environ.get("GPU_CHECK_STARTED", time.time()))
ONLY = set(filter(None, os.environ.get("GPU_CHECK_ONLY", "").split(",")))
RESERVE_S = 5.0
LEAST_S = 10.0
"""A stage for which less is left is not begun."""
SHORT = (
    "train.epochs=2",
    "strategy.epochs=2",
    "train.final.seeds=1",
    "train.final.random=1",
    "task.test_signals=1500",
)
MACHINE = """
import json, torch
from toolkit_spd.kernels import available
cuda = torch.cuda.is_available()
p = torch.cuda.get_device_properties(0) if cuda else None
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "kernels": available(),
    "gpu": p.name if p else None, "gpu_memory_gb": round(p.total_memory / 1e9, 1) if p else None}))
"""


class Stage(NamedTuple):
    """One part of the check.

    Attributes:
        name: in the JSON.
        command: to run; `{seconds}` stands for the time it has.
        share: of the whole budget that it may take.
        read: makes of its folder and its output what the JSON tells.
    """

    name: str
    command: list[str]
    share: float
    read: Callable[[Path, str], Any]


def main(checkout: Path, scratch: Path, out: Path) -> int:
    """Runs the stages; the JSON is written anew after each."""
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "device": DEVICE,
        "machine": machine(),
        "stages": {},
    }
    write(out, found)
    for stage in stages(checkout):
        if ONLY and stage.name not in ONLY:
            continue
        found["stages"][stage.name] = run(stage, scratch / stage.name)
        found["seconds"] = round(time.time() - STARTED, 1)
        write(out, found)
        state = found["stages"][stage.name]
        sys.stdout.write(f"{stage.name}: {state['state']}, {state.get('seconds', 0)} s\n")
        sys.stdout.flush()
    states = [stage["state"] for stage in found["stages"].values()]
    return 0 if all(state == "done" for state in states) else 1


def stages(checkout: Path) -> list[Stage]:
    """Returns all stages in their order: what matters most comes first."""
    python = [sys.executable, "-P"]
    # Without -P: the benchmarks import each other.
    gpu = [sys.executable, str(checkout / "benchmarks" / "gpu.py")]
    pytest = [*python, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "--timeout=100"]
    return [
        Stage("machine", [*python, "-c", MACHINE], 0.15, last_line),
        Stage(
            "tests",
            [
                *pytest,
                f"--rootdir={checkout}",
                "--junitxml={folder}/tests.xml",
                "--durations=8",
                "-rs",
                str(checkout / "tests" / "gpu"),
            ],
            0.35,
            tests,
        ),
        Stage("eigh", [*gpu, "eigh", "--device", DEVICE, "--seconds", "{seconds}"], 0.1, lines),
        Stage("times", [*gpu, "times", "--device", DEVICE, "--seconds", "{seconds}"], 0.2, lines),
        drone("drone_short_gpu", checkout, DEVICE != "cpu", 0.2, SHORT),
        drone("drone_short_cpu", checkout, False, 0.2, SHORT),
        Stage("waits", [*gpu, "waits", "--device", DEVICE], 0.1, lines),
        Stage(
            "batches", [*gpu, "batches", "--device", DEVICE, "--seconds", "{seconds}"], 0.2, lines
        ),
        drone("drone_cpu", checkout, False, 0.4, ()),
        drone("drone_gpu", checkout, DEVICE != "cpu", 0.9, ()),
    ]


def drone(name: str, checkout: Path, gpu: bool, share: float, overrides: tuple[str, ...]) -> Stage:
    """A search of the recipe `spd_drone`; on a GPU four final trainings share it."""
    recipe = str(checkout / "recipes" / "spd_drone.yaml")
    command = [sys.executable, "-P", "-m", "toolkit", "search", recipe, "-o", "{folder}/run"]
    where = "resources.gpus=0.25" if gpu else "resources.gpus=0"
    return Stage(name, [*command, "--json", where, *overrides], share, search)


def run(stage: Stage, folder: Path) -> dict[str, Any]:
    """Runs one stage; whatever it does, what comes back says so."""
    left = BUDGET_S - (time.time() - STARTED) - RESERVE_S
    if left < LEAST_S:
        return {"state": "left out", "why": f"{max(left, 0):.0f} s were left"}
    limit = min(left, stage.share * BUDGET_S)
    folder.mkdir()
    fill = {"seconds": f"{0.75 * limit:.0f}", "folder": str(folder)}
    command = [
        word.format(**fill) if "{seconds}" in word or "{folder}" in word else word
        for word in stage.command
    ]
    began = time.time()
    text, errors, code = launch(command, folder, limit)
    told: dict[str, Any] = {"state": "done", "seconds": round(time.time() - began, 1)}
    if code is None:
        told |= {"state": "timed out", "limit_s": round(limit)}
    elif code:
        told |= {"state": "failed", "exit_code": code}
    if code != 0:
        told["output"] = (text[-1500:] if stage.name != "tests" else "") + errors[-1500:]
    try:
        told["result"] = stage.read(folder, text)
    except Exception as error:
        told["unread"] = f"{type(error).__name__}: {error}"
        told.setdefault("output", text[-1500:] + errors[-1500:])
        told["state"] = "failed" if told["state"] == "done" else told["state"]
    return told


def launch(command: list[str], folder: Path, limit: float) -> tuple[str, str, int | None]:
    """Runs a command: what it said, and its exit code or None where it was ended."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    environment |= {"TOOLKIT_DATA": str(folder.parent / "data"), "GPU_CHECK_DEVICE": DEVICE}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # Threads that spin hold up those that work.
    for name in ("times", "batches"):
        if folder.name == name:  # They set the number of threads themselves.
            del environment["OMP_NUM_THREADS"]
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, cwd=folder, env=environment, start_new_session=True
        )
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    texts = [(folder / name).read_text(errors="replace") for name in ("out", "err")]
    return texts[0], texts[1], code


def machine() -> dict[str, Any]:
    """What can be said of this machine without torch."""
    told: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
    }
    with suppress(OSError):
        rows = Path("/proc/cpuinfo").read_text().splitlines()
        names = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
        told["cpu"] = names[0]
    query = "--query-gpu=name,uuid,driver_version,memory.total,memory.used,mig.mode.current"
    with suppress(OSError, subprocess.SubprocessError):
        told["nvidia_smi"] = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.splitlines()
    return told


def last_line(folder: Path, text: str) -> Any:
    """The last line of the output, as JSON."""
    return json.loads(text.splitlines()[-1])


def lines(folder: Path, text: str) -> list[Any]:
    """Every whole line of the output, as JSON; a later line of the same work and batch counts."""
    found: dict[Any, Any] = {}
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            found[row["work"], row.get("batch")] = row
    if not found:
        raise ValueError("nothing was measured")
    return list(found.values())


def tests(folder: Path, text: str) -> dict[str, Any]:
    """How many tests passed, what the others said, and how long each took."""
    path = folder / "tests.xml"
    if not path.exists():
        return {"progress": text[-800:]}
    told: dict[str, Any] = {"passed": 0, "failed": {}, "skipped": {}, "seconds": {}}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        told["seconds"][name] = round(float(case.get("time", 0)), 2)
        fault = next((c for c in case if c.tag in ("failure", "error")), None)
        skipped = case.find("skipped")
        if fault is not None:
            told["failed"][name] = (fault.text or "")[-1500:]
        elif skipped is not None:
            told["skipped"][name] = skipped.get("message", "")
        else:
            told["passed"] += 1
    return told


def search(folder: Path, text: str) -> dict[str, Any]:
    """How a search went: seconds of its stages, what came out, how far it got."""
    told: dict[str, Any] = {}
    times: dict[str, float] = {}
    losses: list[float] = []
    run_folder = folder / "run"
    for line in (run_folder / "events.jsonl").read_text().splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            times.setdefault(event["event"], event["time"])
            if event["event"] == "trial_reported" and event.get("number") == 1:
                losses.append(event["values"].get("train_loss"))
            if event["event"] in ("tested", "search_ended", "final_ended", "run_ended"):
                times[event["event"]] = event["time"]
                told[event["event"]] = {k: v for k, v in event.items() if k not in ("time",)}
    first = min(times.values())
    told["seconds_until"] = {name: round(at - first, 1) for name, at in times.items()}
    told["supernet_losses"] = losses
    status = subprocess.run(
        [sys.executable, "-P", "-m", "toolkit", "status", str(run_folder), "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    with suppress(ValueError):
        told["status"] = json.loads(status.stdout)
    return told


def unpack(source: Path, site: Path) -> int:
    """Puts the packages of a checkout and their entry points into a folder, without pip."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    for parent in (source, source / "plugins", source / "search_spaces"):
        for package in parent.glob("toolkit*"):
            shutil.copytree(package, site / package.name)
    information = site / f"nas_toolkit-{project['version']}.dist-info"
    information.mkdir()
    head = f"Metadata-Version: 2.1\nName: nas-toolkit\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(head)
    groups = {**project["entry-points"], "console_scripts": project["scripts"]}
    text = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    )
    (information / "entry_points.txt").write_text(text)
    return 0


def write(path: Path, found: dict[str, Any]) -> None:
    """Writes the JSON aside, then puts it in its place."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(json.dumps(found, indent=1) + "\n")
    aside.replace(path)


if __name__ == "__main__":
    if sys.argv[1] == "--unpack":
        sys.exit(unpack(Path(sys.argv[2]), Path(sys.argv[3])))
    sys.exit(main(*map(Path, sys.argv[1:4])))
