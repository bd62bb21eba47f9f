"""The picture of a call: how loud each side was, and where the dangers are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from recordings.alignment import Samples
from recordings.pieces import SAMPLE_RATE

PER_SECOND = 20
_WIDTH, _LANE = 1000, 50
"""Units of the drawing; the page stretches it to its own width."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment to point out."""

    at: float
    """Seconds from the start."""
    kind: str
    """CSS class of the line: the severity."""
    label: str
    """Told on hover and to screen readers."""


def peaks(sound: Samples) -> dict[str, Any]:
    """Return the loudest sample of every 50 ms of either side, 0 to 100; goes into the row."""
    return {
        "per_second": PER_SECOND,
        "patient": _lane_peaks(sound[0]),
        "system": _lane_peaks(sound[1]),
    }


def _lane_peaks(lane: Samples) -> list[int]:
    step = SAMPLE_RATE // PER_SECOND
    whole = -(-len(lane) // step)
    padded = np.zeros(whole * step, np.int32)
    padded[: len(lane)] = np.abs(lane.astype(np.int32))
    loudest = padded.reshape(whole, step).max(axis=1, initial=0)
    return [int(value) for value in np.ceil(loudest * (100 / 32768)).astype(int)]


def draw(peaks: dict[str, Any], seconds: float, marks: Sequence[Mark] = ()) -> str:
    """Return an SVG of both lanes, patient above system.

    Colours come from the page's style sheet: classes ``lane patient``, ``lane system``, ``mark`` with
    the mark's kind, and ``playhead`` (a line the page may move).
    """
    lanes = "".join(
        f'<path class="lane {side}" d="{_outline(peaks[side], middle)}"/>'
        for side, middle in (("patient", _LANE // 2), ("system", _LANE + _LANE // 2))
    )
    lines = "".join(_line(mark, seconds) for mark in marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="waveform" data-seconds="{seconds:.3f}"'
        f' viewBox="0 0 {_WIDTH} {2 * _LANE}" preserveAspectRatio="none">'
        f'{lanes}{lines}<line class="playhead" x1="0" x2="0" y1="0" y2="{2 * _LANE}"/></svg>'
    )


def _outline(levels: Sequence[int], middle: int) -> str:
    """Return a path through the loudest level of each column, mirrored at the middle."""
    columns = [max(part) for part in _parts(levels, _WIDTH)]
    if not columns:
        return f"M0 {middle}H{_WIDTH}"
    step = _WIDTH / len(columns)
    half = _LANE / 2 - 2
    # The square root shows a quiet patient beside a loud system, as the ear would.
    heights = [max(0.4, half * math.sqrt(level / 100)) for level in columns]
    above = "".join(f"L{n * step:.1f} {middle - h:.1f}" for n, h in enumerate(heights))
    below = "".join(
        f"L{n * step:.1f} {middle + h:.1f}" for n, h in reversed(list(enumerate(heights)))
    )
    return f"M0 {middle}{above}L{_WIDTH} {middle}{below}Z"


def _parts(levels: Sequence[int], most: int) -> list[Sequence[int]]:
    """Cut the levels into at most ``most`` parts of about the same length."""
    count = min(most, len(levels))
    edges = [len(levels) * n // count for n in range(count + 1)] if count else [0]
    return [levels[a:b] for a, b in pairwise(edges)]


def _line(mark: Mark, seconds: float) -> str:
    x = _WIDTH * min(max(mark.at / seconds, 0.0), 1.0) if seconds > 0 else 0.0
    return (
        f'<line class={quoteattr("mark " + mark.kind)} x1="{x:.1f}" x2="{x:.1f}" y1="0"'
        f' y2="{2 * _LANE}"><title>{escape(mark.label)}</title></line>'
    )
