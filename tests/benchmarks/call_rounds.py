"""What was measured while calls went on at once, and its tables in Markdown."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dialer.ports import ReplyTiming


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds so far."""

    at: float
    worker: float
    switch: float
    telephones: float

    def __sub__(self, before: Cost) -> Cost:
        return Cost(
            self.at - before.at,
            self.worker - before.worker,
            self.switch - before.switch,
            self.telephones - before.telephones,
        )


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured while some calls went on at once."""

    at_once: int
    calls: int
    as_expected: int
    """Calls that ended as their patient's must."""
    minutes: float
    """From the answer to the hang-up, all calls together."""
    idle: Cost
    busy: Cost
    megabytes: float
    latencies: Sequence[float]
    """Seconds at the telephone from the patient's last word to our next."""
    timings: Sequence[ReplyTiming]
    """The worker's own times of the same replies."""
    alerts: Sequence[float]
    """Seconds from the patient's last word to the alert at a subscriber."""
    hearing: float
    """Processor seconds to decode the patients' speech again, bare."""
    voice_activity: float
    """The same for voice activity over all sound from the patients."""
    load: float

    def a_minute(self, part: Callable[[Cost], float]) -> float:
        """Processor seconds a minute of call, without what is used when nobody is called."""
        return (part(self.busy) - part(self.idle) / self.idle.at * self.busy.at) / self.minutes


def print_tables(rounds: Sequence[Round], alerts: Sequence[Round]) -> None:
    """Print latency, its parts, cost, and the latency of alerts."""
    print(f"{os.cpu_count()} cores; load average at the end of each round in the last column.\n")
    print(
        "Seconds from the patient's last loud sample to our first, at the telephone: p50 / p95 / max."
    )
    print(
        "\n| calls at once | ended as they should | replies | latency | load |\n|---|---|---|---|---|"
    )
    for each in rounds:
        print(
            f"| {each.at_once} | {each.as_expected} of {each.calls} | {len(each.latencies)} | "
            f"{_spread(each.latencies)} | {each.load:.1f} |"
        )
    print("\nOf that, by the worker's own clock; the rest is the line and the edges of the words.")
    print("\n| calls at once | the pause | words | understanding | start of the reply | together |")
    print("|---|---|---|---|---|---|")
    for each in rounds:
        steps = zip(*map(_steps, each.timings), strict=True)
        print(f"| {each.at_once} | " + " | ".join(map(_spread, steps)) + " |")
    print("\nProcessor seconds a minute of call, without what is used when nobody is called.")
    print("\n| calls at once | worker | of it words | of it voice activity |", end="")
    print(" Asterisk | a minute with no call | peak memory |\n|---|---|---|---|---|---|---|")
    for each in rounds:
        worker = each.a_minute(lambda cost: cost.worker)
        print(
            f"| {each.at_once} | {worker:.2f} | {each.hearing / each.minutes / worker:.0%} | "
            f"{each.voice_activity / each.minutes / worker:.0%} | "
            f"{each.a_minute(lambda cost: cost.switch):.2f} | "
            f"{each.idle.worker / each.idle.at * 60:.2f} | {each.megabytes:.0f} MB |"
        )
    for each in alerts:
        print(
            f"\nAlert at a subscriber after the last word: {_spread(each.alerts)} s "
            f"(n {len(each.alerts)} of {each.calls}, {each.at_once} at once)"
        )


def _steps(timing: ReplyTiming) -> tuple[float, ...]:
    return (
        timing.turn_ended - timing.speech_ended,
        timing.heard - timing.turn_ended,
        timing.understood - timing.heard,
        timing.reply_started - timing.understood,
        timing.reply_started - timing.speech_ended,
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    p50, p95 = np.percentile(values, [50, 95])
    return f"{p50:.2f} / {p95:.2f} / {max(values):.2f}"
