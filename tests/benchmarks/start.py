"""What ``./huifang`` adds to a command, once it is installed.

python -m tests.benchmarks.start

Runs the commands in turn, so that what else the machine does meets all of them alike, and prints
the medians of their seconds on the clock and on the processor, as a table in Markdown.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.support.debian import ROOT

COMMANDS = {
    "python -c pass": (sys.executable, "-c", "pass"),
    "huifang demo --help": (str(Path(sys.executable).with_name("huifang")), "demo", "--help"),
    "./huifang demo --help": (str(ROOT / "huifang"), "demo", "--help"),
}  # fmt: skip


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=15, help="runs of each command")
    times = parser.parse_args().times
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(times + 1):
        for name, command in COMMANDS.items():
            measured[name].append(_seconds(command))
    print("| command | seconds | processor seconds |\n|---|---|---|")
    for name, runs in measured.items():
        # The first of each filled the file cache.
        clock, processor = (statistics.median(values) for values in zip(*runs[1:], strict=True))
        print(f"| `{name}` | {clock:.2f} | {processor:.2f} |")


def _seconds(command: tuple[str, ...]) -> tuple[float, float]:
    before, began = _children(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
