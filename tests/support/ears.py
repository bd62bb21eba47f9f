"""Recorded and synthetic speech as a telephone brings it, and the models of the tests."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import av
import espeakng_loader
import numpy as np
import numpy.typing as npt
import soxr

from asr.recogniser import FRAME_BYTES, SAMPLE_RATE, Decoder, Transcript
from tests.support.leaving_out import leave_out as leave_out
from tests.support.rtp import from_mulaw, to_mulaw

SHARED = Path(__file__).parents[3] / "shared"
"""Beside the repository: models and recordings that are not part of it."""


def models_folder() -> Path:
    """HUIFANG_MODELS, or the folder beside the repository."""
    named = os.environ.get("HUIFANG_MODELS")
    return Path(named) if named else SHARED / "models"


def recordings(kind: str) -> Path:
    """A folder of recorded speech (``words``, ``aishell``); without it the test says so."""
    folder = SHARED / "audio" / kind
    if not folder.is_dir():
        leave_out(f"recorded speech is missing: ../shared/audio/{kind} beside the repository")
    return folder


def telephone(file: Path) -> bytes:
    """A recording as it comes out of the telephone: 8 kHz, through mu-law."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(file)) as container:
        frames = [*container.decode(audio=0), None]
        pieces = [out.to_ndarray() for frame in frames for out in resampler.resample(frame)]
    return through_mulaw(np.concatenate(pieces, axis=1)[0].astype("<i2").tobytes())


def through_mulaw(pcm: bytes) -> bytes:
    """What a call leaves of the sound."""
    return from_mulaw(to_mulaw(pcm))


def hear(decoder: Decoder, pcm: bytes) -> tuple[list[Transcript], Transcript]:
    """Feed sound in frames of 20 ms; the partial transcripts and the final one."""
    partials = [
        decoder.accept(pcm[at : at + FRAME_BYTES]) for at in range(0, len(pcm), FRAME_BYTES)
    ]
    return partials, decoder.finish()


_SPEED_PARAMETER = 1
_SYNCHRONOUS = 2
_UTF8 = 1
_OnSound = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    # Once a process: a second initialisation corrupts the phoneme tables of espeak-ng 1.52.
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = Path(espeakng_loader.get_data_path()).parent
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), 0)
    return library, int(rate)


def korean(text: str, *, words_a_minute: int = 110) -> bytes:
    """Synthetic Korean on the telephone, with quiet around it."""
    library, rate = _espeak()
    pieces: list[npt.NDArray[np.int16]] = []

    def on_sound(samples: ctypes._Pointer[ctypes.c_short], count: int, _: object) -> int:
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = _OnSound(on_sound)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(b"ko") != 0:
        raise RuntimeError("espeak-ng has no Korean voice")
    library.espeak_SetParameter(_SPEED_PARAMETER, words_a_minute, 0)
    said = text.encode()
    library.espeak_Synth(said, len(said) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    wave = soxr.resample(np.concatenate(pieces).astype(np.float32), rate, SAMPLE_RATE)
    quiet = np.zeros(3000, np.float32)
    whole = np.concatenate([quiet, wave, quiet, quiet]).clip(-32768, 32767)
    return through_mulaw(whole.astype("<i2").tobytes())
