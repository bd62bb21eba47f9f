"""What a process has cost so far, as Linux tells it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Processor seconds of a process, of all its threads and of its children that have ended."""
    # The name of the program, in brackets, may hold spaces; the rest is counted from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def peak_megabytes(pid: int) -> float:
    """The most memory a process has held so far, in MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("this system does not tell how much memory a process has held")
    return int(found[1]) / 1024
