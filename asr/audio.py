"""Telephone sound (8 kHz, 16-bit bytes) for models that were trained on 16 kHz."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import soxr

from asr.recogniser import SAMPLE_RATE

MODEL_RATE = 16000
"""Hz."""

Samples = npt.NDArray[np.float32]
"""Mono samples, -1 to 1."""


def samples_of(pcm: bytes) -> Samples:
    """16-bit little-endian PCM as samples from -1 to 1; an odd last byte is left out."""
    whole = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
    return whole.astype(np.float32) / np.float32(32768)


class Upsampler:
    """Brings a stream from 8 to 16 kHz piece by piece; one for each stream.

    Args:
        without_delay: interpolate without delay, less cleanly. Otherwise the filter holds back 50 to
            100 ms of sound until more follows (measured).
    """

    def __init__(self, *, without_delay: bool = False) -> None:
        self._stream = soxr.ResampleStream(
            SAMPLE_RATE, MODEL_RATE, 1, dtype="float32", quality="QQ" if without_delay else "HQ"
        )

    def feed(self, pcm: bytes, *, last: bool = False) -> Samples:
        """Return what the sound so far allows, at 16 kHz; with ``last`` all that is left."""
        return cast(Samples, self._stream.resample_chunk(samples_of(pcm), last=last))


def upsample(pcm: bytes) -> Samples:
    """A whole recording from 8 to 16 kHz."""
    return cast(Samples, soxr.resample(samples_of(pcm), SAMPLE_RATE, MODEL_RATE))
