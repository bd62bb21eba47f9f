"""Who was heard when at a telephone, from the sound it sent and received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.support.sip_call import Take

LOUD = 500
"""Amplitude (16-bit) above which somebody is heard."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The patient said something, and we went on; on the clock of the telephone, seconds."""

    patient_ended: float
    """After the last loud sample of the patient."""
    we_began: float
    """Before our first loud sample."""

    @property
    def latency(self) -> float:
        return self.we_began - self.patient_ended


def answered(said: Take, heard: Take) -> list[Answered]:
    """Every time the word passed from the patient to us."""
    sounds = [(*span, True) for span in _loud(said)]
    sounds += [(*span, False) for span in _loud(heard)]
    sounds.sort()
    return [
        Answered(before[1], after[0])
        for before, after in pairwise(sounds)
        if before[2] and not after[2]
    ]


def spoken(said: Take, before: float = 0.5, after: float = 1.0) -> list[bytes]:
    """The patient's stretches of speech with the quiet around them, as recognition gets them."""
    start = said.frames[0][0]
    sound = said.since(start)
    stretches: list[tuple[float, float]] = []
    for begins, ends in _loud(said):
        if stretches and begins - stretches[-1][1] < after:
            stretches[-1] = (stretches[-1][0], ends)
        else:
            stretches.append((begins, ends))
    return [
        sound[_byte(begins - before - start) : _byte(ends + after - start)]
        for begins, ends in stretches
    ]


def _byte(seconds: float) -> int:
    return max(0, round(seconds * 8000)) * 2


def _loud(take: Take) -> Iterator[tuple[float, float]]:
    """From the first to the last loud sample of every frame that holds one."""
    for at, pcm in take.frames:
        loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)) > LOUD)
        if len(loud):
            yield at + loud[0] / 8000, at + (loud[-1] + 1) / 8000
