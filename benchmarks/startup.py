"""CPU seconds that commands of the toolkit take to start, beside other command lines."""

import argparse
import json
import resource
import statistics
import subprocess
import sys

COMMANDS = {
    "toolkit --help": ["-m", "toolkit", "--help"],
    "toolkit plugins": ["-m", "toolkit", "plugins"],
}
PEERS = {
    "bare python": ["-c", "pass"],
    "optuna --help": ["-m", "optuna.cli", "--help"],
}


def cpu_seconds(arguments: list[str]) -> float:
    """Return user and system seconds of one Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    names = COMMANDS | PEERS
    runs = [
        {name: cpu_seconds(words) for name, words in names.items()} for _ in range(options.repeats)
    ]
    medians = {name: statistics.median(run[name] for run in runs) for name in names}
    rows = [
        {
            "work": work,
            "ours_cpu_s": round(medians[work], 3),
            "peer": peer,
            "peer_cpu_s": round(medians[peer], 3),
            "ratio": round(medians[peer] / medians[work], 2),
        }
        for work in COMMANDS
        for peer in PEERS
    ]
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(
            f"{row['work']:16} {row['ours_cpu_s']:.3f} s   {row['peer']:14} "
            f"{row['peer_cpu_s']:.3f} s   ratio {row['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
