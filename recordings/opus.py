"""Opus at rest: two channels that share nothing.

Ordinary stereo Opus couples its channels, and one side of the call leaks into the other. Ogg Opus
channel mapping family 255 (RFC 7845, section 5.1.1.3) keeps each channel a stream of its own.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

from recordings.alignment import Samples
from recordings.pieces import SAMPLE_RATE

BITS_PER_SECOND = 32_000
"""Of both sides together."""
_UNCOUPLED = {"mapping_family": "255", "application": "voip"}


def encode(sound: Samples) -> bytes:
    """Return an Ogg Opus file of ``sound``, shape (2, samples), int16 at 8 kHz."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
        stream.options = dict(_UNCOUPLED)
        stream.bit_rate = BITS_PER_SECOND
        for start in range(0, sound.shape[1], SAMPLE_RATE):
            second = sound[:, start : start + SAMPLE_RATE]
            interleaved = np.ascontiguousarray(second.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            frame.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode(file: bytes) -> Samples:
    """Return what an Ogg Opus file of ours holds, shape (2, samples), int16 at 8 kHz."""
    with av.open(io.BytesIO(file), "r") as container:
        resampler = av.AudioResampler("s16p", "stereo", SAMPLE_RATE)
        frames = [
            resampled.to_ndarray()
            for frame in container.decode(audio=0)
            for resampled in resampler.resample(frame)
        ]
        frames += [resampled.to_ndarray() for resampled in resampler.resample(None)]
    return np.concatenate(frames, axis=1).astype(np.int16)
