"""Even loudness and tight ends, so that clips of different voices join into one sentence.

Loudness is the integrated loudness of ITU-R BS.1770-4 with the gates of EBU R 128: two K-weighting
filters, 400 ms blocks overlapping by three quarters, an absolute gate at -70 LUFS and a relative
one 10 LU below. Everything here is pure; samples are mono float64 between -1 and 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

TARGET_LUFS = -20.0
"""Loudness of every clip. Loud enough for old ears on a telephone; peaks still stay below 0 dBFS."""

PEAK = 0.89
"""Highest sample after levelling (-1 dBFS): mu-law and Opus overshoot a little."""

_BLOCK_SECONDS = 0.4
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_EDGE_DB = -42.0
"""Below the loudest part of a clip; quieter is silence. Fricatives (是, s) stay well above."""


def from_pcm(pcm: bytes) -> Samples:
    """Samples of 16-bit little-endian PCM."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64) / 32768.0


def to_pcm(samples: Samples) -> bytes:
    """16-bit little-endian PCM of samples; what is out of range is clipped."""
    return np.round(np.clip(samples, -1.0, 32767 / 32768) * 32768.0).astype("<i2").tobytes()


def _k_weighting(frequencies: Samples, rate: int) -> Samples:
    """Gain of the two K-weighting filters of BS.1770-4 at any sample rate.

    The norm gives coefficients for 48 kHz only; these are the analogue prototypes behind them,
    put through the bilinear transform at ``rate``.
    """
    z = np.exp(-2j * np.pi * frequencies / rate)

    def biquad(b: tuple[float, float, float], a: tuple[float, float, float]) -> Samples:
        gain = (b[0] + b[1] * z + b[2] * z**2) / (a[0] + a[1] * z + a[2] * z**2)
        return np.asarray(np.abs(gain), dtype=np.float64)

    quality, shelf_gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    k = float(np.tan(np.pi * 1681.974450955533 / rate))
    band_gain = shelf_gain**0.4996667741545416
    shelf = biquad(
        (
            shelf_gain + band_gain * k / quality + k * k,
            2 * (k * k - shelf_gain),
            shelf_gain - band_gain * k / quality + k * k,
        ),
        (1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k),
    )
    quality = 0.5003270373238773
    k = float(np.tan(np.pi * 38.13547087602444 / rate))
    high_pass = biquad(
        (1.0, -2.0, 1.0), (1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k)
    )
    # The norm leaves the high-pass numerator at 1, -2, 1 over a normalised denominator.
    weighting = shelf * high_pass * (1 + k / quality + k * k)
    return np.asarray(weighting, dtype=np.float64)


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS; ``-inf`` for silence.

    A clip shorter than one block is measured as one block of its own length.
    """
    if not len(samples):
        return float("-inf")
    padded = len(samples) + rate  # room for the filters to ring out instead of wrapping round
    spectrum = np.fft.rfft(samples, padded)
    frequencies: Samples = np.asarray(np.fft.rfftfreq(padded, 1 / rate), dtype=np.float64)
    weighted = np.fft.irfft(spectrum * _k_weighting(frequencies, rate), padded)
    energy = np.concatenate([[0.0], np.cumsum(weighted[: len(samples)] ** 2)])
    block = min(int(_BLOCK_SECONDS * rate), len(samples))
    starts = np.arange(0, len(samples) - block + 1, max(1, block // 4))
    powers = (energy[starts + block] - energy[starts]) / block
    powers = powers[_lufs(powers) > _ABSOLUTE_GATE]
    if not len(powers):
        return float("-inf")
    powers = powers[_lufs(powers) > _lufs(np.mean(powers)) + _RELATIVE_GATE]
    return float(_lufs(np.mean(powers)))


def _lufs(power: Samples | np.floating) -> Samples:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-20)), dtype=np.float64)


def trim(samples: Samples, rate: int, *, margin: float = 0.03) -> Samples:
    """Cut silence from both ends, leaving ``margin`` seconds so that no consonant is clipped."""
    frame = max(1, int(0.01 * rate))
    count = len(samples) // frame
    if count == 0:
        return samples
    levels = np.sqrt(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1))
    if not levels.max():
        return samples[:0]
    (sounding,) = np.nonzero(levels > levels.max() * 10 ** (_EDGE_DB / 20))
    start = max(0, int(sounding[0]) * frame - int(margin * rate))
    end = min(len(samples), (int(sounding[-1]) + 1) * frame + int(margin * rate))
    return samples[start:end]


def level(samples: Samples, rate: int, *, target: float = TARGET_LUFS) -> Samples:
    """Bring a clip to the target loudness.

    Rare peaks that would pass ``PEAK`` are rounded off, so that loudness stays even: a listener
    notices a quiet word in the middle of a sentence, not 2 dB less on one glottal pulse.
    """
    measured = loudness(samples, rate)
    if not np.isfinite(measured):
        return samples
    louder = samples * 10 ** ((target - measured) / 20)
    knee = PEAK * 0.7
    over = np.abs(louder) > knee
    rounded = knee + (PEAK - knee) * np.tanh((np.abs(louder) - knee) / (PEAK - knee))
    return np.asarray(np.where(over, np.sign(louder) * rounded, louder), dtype=np.float64)
