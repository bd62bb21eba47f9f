"""What a telephone circuit does to sound: mu-law at 8 kHz, and a little noise.

The code points follow ITU-T G.711 (mu-law, 14-bit decision values).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_BIAS: Final = 33
_CLIP: Final = 8158


def _round_trip_table() -> npt.NDArray[np.int16]:
    """For every 16-bit sample, what comes out of an encoder and a decoder."""
    samples = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.minimum(np.abs(samples) >> 2, _CLIP) + _BIAS
    # The segment is the position of the leading bit above the sixth, 0 to 7.
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    interval = (magnitude >> (segment + 1)) & 0x0F
    decoded = (((2 * interval + _BIAS) << segment) - _BIAS) << 2
    table: npt.NDArray[np.int16] = (np.sign(samples) * decoded).astype(np.int16)
    return table


_ROUND_TRIP: Final = _round_trip_table()


class Circuit:
    """One direction of a call.

    Args:
        noise: RMS of the white noise on it, in 16-bit sample units (20 is a quiet line).
        seed: Of the noise; the same seed makes the same noise.
    """

    def __init__(self, noise: float, seed: int) -> None:
        self._noise = noise
        self._random = np.random.default_rng(seed)

    def carry(self, pcm: bytes) -> bytes:
        """16-bit PCM as it comes out at the other end."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        if self._noise > 0:
            samples = samples + self._noise * self._random.standard_normal(len(samples))
        codes = np.clip(np.rint(samples), -32768, 32767).astype(np.int32) + 32768
        return _ROUND_TRIP[codes].astype("<i2").tobytes()
