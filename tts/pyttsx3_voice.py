"""The voice that works everywhere: pyttsx3 with espeak-ng, in a process of its own.

It speaks what nobody recorded (a rare name, a changed sentence): quickly, plainly, on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
import sys
import wave
from pathlib import Path

import numpy as np
import soxr

from tts.loudness import Samples, from_pcm, level, to_pcm, trim
from tts.voice import SAMPLE_RATE, VoiceError

VOICES = {"zh": "cmn", "en": "en-us", "ko": "ko"}
"""Language to espeak-ng's voice."""

_RATES = {"zh": 160, "en": 150, "ko": 160}
"""Words a minute; slower than espeak's 200, for old ears."""


class Pyttsx3Voice:
    """One worker process that speaks one sentence after the other.

    It starts with the first sentence. When it dies or hangs it is replaced and the sentence is
    tried once more.

    Args:
        patience: seconds to wait for a sentence before the worker is replaced.
    """

    name = "pyttsx3"

    def __init__(self, *, patience: float = 10.0) -> None:
        self._patience = patience
        self._turn = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None

    def speaks(self, language: str) -> bool:
        """Whether espeak-ng is asked to speak this language."""
        return language in VOICES

    async def render(self, text: str, language: str) -> bytes:
        """Speak ``text`` as 16-bit PCM at 8 kHz.

        Raises:
            VoiceError: unknown language, nothing to pronounce, or two workers in a row failed.
        """
        if language not in VOICES:
            raise VoiceError(f"pyttsx3 is not set up to speak the language {language!r}")
        if not any(character.isalnum() for character in text):
            raise VoiceError("there is no word to pronounce in this text")
        request = {"text": text, "voice": VOICES[language], "rate": _RATES[language]}
        line = json.dumps(request).encode() + b"\n"
        async with self._turn:
            for _ in range(2):
                try:
                    async with asyncio.timeout(self._patience):
                        file = await self._ask(line)
                except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                    await self._end()
                    continue
                except BaseException:
                    # Cancelled in between: the answer still to come would be taken for the next.
                    await self._end()
                    raise
                if file:
                    return await asyncio.to_thread(_telephone, file)
                await self._end()
        raise VoiceError("pyttsx3 failed twice to speak a sentence", retryable=True)

    async def close(self) -> None:
        """End the worker process."""
        async with self._turn:
            await self._end()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return self._worker.pid if self._worker else None

    async def _ask(self, line: bytes) -> bytes:
        if self._worker is None:
            self._worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # by path, without its folder on sys.path: the worker imports none of ours
                str(Path(__file__).with_name("pyttsx3_worker.py")),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # its tracebacks could quote a sentence
            )
        questions, answers = self._worker.stdin, self._worker.stdout
        if questions is None or answers is None:
            raise ConnectionError("the worker has no pipes")
        questions.write(line)
        await questions.drain()
        (length,) = struct.unpack("<I", await answers.readexactly(4))
        return await answers.readexactly(length)

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await asyncio.shield(worker.wait())


def _telephone(file: bytes) -> bytes:
    """A WAV file as an even, tight clip at the telephone's rate."""
    with wave.open(io.BytesIO(file)) as sound:
        rate, pcm = sound.getframerate(), sound.readframes(sound.getnframes())
    samples: Samples = np.asarray(
        soxr.resample(from_pcm(pcm), rate, SAMPLE_RATE, quality="HQ"), dtype=np.float64
    )
    return to_pcm(level(trim(samples, SAMPLE_RATE), SAMPLE_RATE))
