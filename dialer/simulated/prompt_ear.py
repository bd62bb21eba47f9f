"""Recognising known prompts by ear, as a person who has heard them before would.

The sound is compared by its spectrum over time: log energies in twelve bands every 10 ms, with each
band's own mean taken away, so that loudness and the colour of the line do not matter. A prompt is
recognised by its *end* (what comes before may be a name that nobody knows beforehand); when several
prompts end alike, the one of which most was heard wins.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
"""One row of band energies every 10 ms."""

_RATE: Final = 8000
_FRAME: Final = 160
_HOP: Final = 80
_WINDOW: Final = 240
_BANDS: Final = 12
_TAIL: Final = 120
"""Rows of a prompt's end that are looked for: 1.2 s."""
_SHORTEST: Final = 40
_BLOCK: Final = 40
"""Rows that are compared at a time further back."""
_GAP: Final = 6
"""Quiet rows, 60 ms, after which the sound before them may have been the end of a prompt."""
_SLACK: Final = 6
"""Rows by which an end may be found too early or too late."""
_MEMORY: Final = 1500
"""Rows that are remembered: 15 s."""
_ALIKE: Final = 0.7
"""Correlation from which the end of a prompt is recognised."""
_STILL_ALIKE: Final = 0.6
_FLOOR: Final = 250.0
"""RMS, in 16-bit sample units, under which sound is not looked at: noise of the line."""
_LOUD: Final = 250.0
"""RMS from which somebody is speaking."""
SAME_END: Final = 0.3
"""Seconds within which two ends are one, seen twice."""


def _bands() -> npt.NDArray[np.float32]:
    """Which of the spectrum's lines belong to which band, 200 to 3400 Hz, evenly on a log scale."""
    edges = np.geomspace(200, 3400, _BANDS + 1)
    lines = np.fft.rfftfreq(256, 1 / _RATE)
    return np.stack(
        [(lines >= low) & (lines < high) for low, high in itertools.pairwise(edges)]
    ).astype(np.float32)


_WEIGHTS: Final = _bands().T
_HANN: Final = np.hanning(_WINDOW).astype(np.float32)


def features(samples: npt.NDArray[np.float32]) -> Features:
    """Band energies of 8 kHz sound in 16-bit units; a row for each whole window."""
    if len(samples) < _WINDOW:
        return np.zeros((0, _BANDS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * _HANN
    power = np.abs(np.fft.rfft(windows, 256).astype(np.complex64)) ** 2
    floor = _FLOOR**2 * _WINDOW / _BANDS
    rows: Features = np.log(power @ _WEIGHTS + floor).astype(np.float32)
    return rows


def _level(rows: Features) -> Features:
    """Rows (the last two axes) with each band's mean taken away, at unit length."""
    centred = rows - rows.mean(axis=-2, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True))
    level: Features = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1.0)
    return level


def _trimmed(pcm: bytes) -> npt.NDArray[np.float32]:
    """Samples without the quiet at both ends, told by the same measure as while listening."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.flatnonzero(_rms(frames) > _LOUD)
    return samples[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME] if len(loud) else samples[:0]


def _rms(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of the last axis."""
    rms: npt.NDArray[np.float32] = np.sqrt(np.mean(samples**2, axis=-1))
    return rms


@dataclass(frozen=True, slots=True)
class PromptHeard:
    """A known prompt came to its end."""

    prompt_id: str
    ended: float
    """Seconds of sound heard before its end."""
    matched: float
    """Seconds of it that were recognised, from the end backwards."""


@dataclass(frozen=True, slots=True)
class _Known:
    prompt_id: str
    rows: Features
    tail: Features


class PromptEar:
    """Listens for known prompts; feed it everything that is heard.

    Args:
        prompts: Prompt id to its sound, 8 kHz 16-bit PCM; without the personal pieces if they are
            not known, as long as the end is there.
    """

    def __init__(self, prompts: Mapping[str, bytes]) -> None:
        self._known: dict[int, list[_Known]] = {}
        for prompt_id, pcm in prompts.items():
            rows = features(_trimmed(pcm))
            length = min(len(rows), _TAIL)
            if length >= _SHORTEST:
                known = _Known(prompt_id, rows, _level(rows[-length:]))
                self._known.setdefault(length, []).append(known)
        self._tails = {
            length: np.stack([known.tail.ravel() for known in group])
            for length, group in self._known.items()
        }
        self.quiet = 0.0
        """Seconds since anybody spoke."""
        self._rest = np.zeros(0, np.float32)
        self._rows: list[Features] = []
        self._heard = 0
        """Rows heard in all."""
        self._looked_at = 0
        """Row of the end that was looked at last."""
        self._last: PromptHeard | None = None

    def hear(self, pcm: bytes) -> PromptHeard | None:
        """Hear some more, a frame at a time; the prompt that has just ended, if any.

        A prompt is told once or, when a second look shows that it was another, corrected: the
        later word about the same end is the better one.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        loud = float(_rms(samples)) > _LOUD
        self.quiet = 0.0 if loud else self.quiet + len(samples) / _RATE
        self._rest = np.concatenate([self._rest, samples])
        rows = features(self._rest)
        self._rest = self._rest[len(rows) * _HOP :]
        self._rows.append(rows)
        self._heard += len(rows)
        end = self._heard - round(self.quiet * _RATE / _HOP)
        if self._heard - end < _GAP or end - self._looked_at < _GAP:
            return None
        self._looked_at = end
        return self._better(self._look(self._heard - end))

    def _better(self, found: PromptHeard | None) -> PromptHeard | None:
        """What was found, unless less of it was heard than of what has the same end."""
        last = self._last
        if found is None or (
            last is not None
            and found.ended - last.ended < SAME_END
            and found.matched <= last.matched
        ):
            return None
        self._last = found
        return found

    def _look(self, ago: int) -> PromptHeard | None:
        """Compare what ended about ``ago`` rows ago with the ends of the prompts."""
        heard = np.concatenate(self._rows)[-_MEMORY:]
        self._rows = [heard]
        middle = len(heard) - ago
        best: tuple[int, float, float] = (0, 0.0, 0.0)
        found: PromptHeard | None = None
        for length, group in self._known.items():
            ends = np.arange(max(length, middle - _SLACK), min(middle + _SLACK, len(heard)) + 1)
            if not len(ends):
                continue
            windows = np.stack([heard[end - length : end] for end in ends])
            scores = self._tails[length] @ _level(windows).reshape(len(ends), -1).T
            for known, row in zip(group, scores, strict=True):
                if row.max() < _ALIKE:
                    continue
                end = int(ends[row.argmax()])
                matched = _matched(known, heard, end)
                rank = (matched // _BLOCK, matched / len(known.rows), float(row.max()))
                if rank > best:
                    best = rank
                    ended = (self._heard - len(heard) + end) * _HOP / _RATE
                    found = PromptHeard(known.prompt_id, ended, matched * _HOP / _RATE)
        return found


def _matched(known: _Known, heard: Features, end: int) -> int:
    """Rows of a prompt that are there, counted backwards from its end in whole blocks.

    One block in between may be unlike: a pause that the line fills with noise has no shape.
    """
    matched = looked = len(known.tail)
    while looked - matched <= _BLOCK:
        here, there = end - looked, len(known.rows) - looked
        size = min(_BLOCK, there, here)
        if size < _BLOCK // 2:
            return len(known.rows) if 0 <= there < _BLOCK // 2 and looked == matched else matched
        wanted = _level(known.rows[there - size : there])
        looked += size
        if float((wanted * _level(heard[here - size : here])).sum()) >= _STILL_ALIKE:
            matched = looked
    return matched
