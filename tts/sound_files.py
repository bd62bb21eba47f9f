"""Clips as files: Opus in an Ogg container, read and written with FFmpeg (PyAV)."""

from __future__ import annotations

import io

import av
import numpy as np
import soxr
from av.error import FFmpegError

from tts.loudness import Samples
from tts.voice import SAMPLE_RATE, VoiceError

BIT_RATE = 24_000
"""Bits a second of a mono narrow-band clip; transparent for 8 kHz speech."""


def decode(data: bytes, rate: int = SAMPLE_RATE) -> Samples:
    """Samples of any sound file FFmpeg can read, mixed to mono at ``rate`` Hz.

    Raises:
        VoiceError: the bytes are no sound file.
    """
    pieces: list[Samples] = []
    source_rate = rate
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.audio[0]
            mono = av.AudioResampler(format="flt", layout="mono")
            for frame in container.decode(stream):
                source_rate = frame.sample_rate
                for converted in mono.resample(frame):
                    pieces.append(converted.to_ndarray().ravel().astype(np.float64))
    except (FFmpegError, IndexError) as error:
        raise VoiceError(f"this is no sound file that can be read: {error}") from error
    if not pieces:
        raise VoiceError("this sound file holds no sound")
    samples = np.concatenate(pieces)
    if source_rate == rate:
        return samples
    return np.asarray(soxr.resample(samples, source_rate, rate, quality="HQ"), dtype=np.float64)


def encode(samples: Samples, rate: int = SAMPLE_RATE) -> bytes:
    """An Ogg Opus file of mono samples; ``rate`` is one that Opus takes (8000, 16000, 24000 ...)."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=rate, layout="mono")
        stream.bit_rate = BIT_RATE
        stream.options = {"application": "voip", "frame_duration": "20"}
        frame = av.AudioFrame.from_ndarray(
            samples.astype(np.float32).reshape(1, -1), format="flt", layout="mono"
        )
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()
