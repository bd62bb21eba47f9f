"""The process in which pyttsx3 speaks; started by ``tts.pyttsx3_voice``, never imported by it.

Two pyttsx3 engines in one process crash it, and a hanging one cannot be stopped from inside, so one
engine lives alone here. It reads one JSON object a line (``text``, ``voice``, ``rate`` in words a
minute) and answers each with four bytes of length, little-endian, and a complete WAV file; length
zero says that it could not speak the sentence. It ends when its input ends. Nothing touches a disk:
what is spoken may be a name.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import struct
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

_PATIENCE = 8.0
"""Seconds for one sentence; about 20 ms are usual. The parent waits longer, then kills."""

_BREATH = 0.001
"""Seconds between two looks at espeak's thread."""


@contextlib.contextmanager
def _espeak_1_52() -> Iterator[None]:
    """Let pyttsx3 find the espeak-ng of the package espeakng-loader, whatever the system has.

    pyttsx3 tries a fixed list of library names. espeak-ng 1.51, which many systems carry, spells
    Hanzi with English sounds; and a bare machine has none.
    """
    import espeakng_loader

    os.environ["ESPEAK_DATA_PATH"] = str(Path(espeakng_loader.get_data_path()).parent)
    find = ctypes.cdll.LoadLibrary
    bundled = espeakng_loader.get_library_path()
    ctypes.cdll.LoadLibrary = (  # type: ignore[method-assign]  # for the length of one import
        lambda name: find(bundled if "espeak" in str(name) else name)
    )
    try:
        yield
    finally:
        ctypes.cdll.LoadLibrary = find  # type: ignore[method-assign]  # and back


def _engine() -> tuple[Any, Callable[[], int]]:
    """The engine, and whether espeak itself is still at work."""
    with _espeak_1_52():
        import pyttsx3
        from pyttsx3.drivers import _espeak

        return pyttsx3.init("espeak"), _espeak.IsPlaying


def _complete(file: io.BytesIO) -> bool:
    data = file.getvalue()
    return len(data) > 44 and len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _speak(engine: Any, playing: Callable[[], int], text: str, voice: str, rate: int) -> bytes:
    """One sentence as a WAV file; empty when it did not come in time.

    Settings and sentences pass through a thread of espeak's own. runAndWait cancels whatever that
    thread is busy with, even a change of rate, and the sentence with it (measured: 5 in 100); and
    it may return while that thread still speaks. So it is waited for, before and after.
    """
    until = time.monotonic() + _PATIENCE
    engine.setProperty("voice", voice)
    engine.setProperty("rate", rate)
    while playing() and time.monotonic() < until:
        time.sleep(_BREATH)
    file = io.BytesIO()
    engine.save_to_file(text, file)
    engine.runAndWait()
    while playing() or not _complete(file):
        if time.monotonic() > until:
            return b""
        time.sleep(_BREATH)
    with contextlib.suppress(wave.Error, EOFError), wave.open(io.BytesIO(file.getvalue())) as sound:
        return file.getvalue() if sound.getnframes() else b""
    return b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    engine, playing = _engine()
    for line in requests:
        request = json.loads(line)
        sound = _speak(engine, playing, request["text"], request["voice"], request["rate"])
        answers.write(struct.pack("<I", len(sound)) + sound)
        answers.flush()
        if not sound:
            return  # an engine that failed once is not trusted with the next sentence


if __name__ == "__main__":
    # pyttsx3 prints; only answers may go where the parent reads.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin.buffer, answers)
