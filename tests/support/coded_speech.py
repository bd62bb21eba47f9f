"""Speech whose words can be read from the sound itself, and ears that read it.

Every word is a loudness of its own, which survives mu-law. So a test says what is spoken, and the
real line, turn-taking and conversation work on real frames, while the ears are perfect, fast, slow
or broken as the test wants.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from asr.recogniser import EarsError, Engine, Hints, RecognitionStream, Transcript, Word

COUGH = "(cough)"
_WORDS = (COUGH, "yes", "no", "pain", "hello", "better", "slowly", "again", "please", "wait")
_PROMPTS = ("opening", "thanks", "q1", "q2", "firm", "goodbye", "sorry", "filler", "personal")
_LEVELS = {word: round(800 * 1.15**k) for k, word in enumerate((*_WORDS, *_PROMPTS))}
_FRAME = 160
_FIRST_WORD = 0.5
"""Seconds after its beginning at which a word shows in the partial transcript."""


def sound(word: str, seconds: float) -> bytes:
    """``seconds`` of a word or a prompt: 8 kHz 16-bit PCM."""
    wave = np.where(np.arange(round(seconds * 8000)) % 8 < 4, 1, -1) * _LEVELS[word]
    return wave.astype("<i2").tobytes()


def quiet(seconds: float) -> bytes:
    """Nothing."""
    return bytes(2 * round(seconds * 8000))


def read(frame: bytes) -> str | None:
    """The word or prompt a frame belongs to; None in silence."""
    samples = np.abs(np.frombuffer(frame, "<i2").astype(np.float64))
    level = float(np.median(samples)) if len(samples) else 0.0
    if level < 500:
        return None
    return min(_LEVELS, key=lambda word: abs(_LEVELS[word] - level))


class CodedVoiceActivity:
    """Certain of every frame that is not silent."""

    def probability(self, pcm: bytes) -> float:
        """1 or 0."""
        return 0.0 if read(pcm) is None else 1.0


def words(pcm: bytes) -> tuple[Word, ...]:
    """Every word in a piece of sound, with its times."""
    return _runs([read(pcm[i : i + 2 * _FRAME]) for i in range(0, len(pcm), 2 * _FRAME)])


def _runs(frames: list[str | None]) -> tuple[Word, ...]:
    found, begin = [], 0
    for word, run in groupby(frames):
        length = len(list(run))
        if word is not None and word != COUGH:
            found.append(Word(word, begin * 0.02, (begin + length) * 0.02, 1.0))
        begin += length
    return tuple(found)


@dataclass
class CodedEngine:
    """What the conversation asks an engine."""

    name: str = "coded"
    language: str = "en"
    model: str = "test"
    streaming: bool = True

    def decoder(self, hints: Hints) -> CodedDecoder:
        return CodedDecoder()


class CodedDecoder:
    """The synchronous side."""

    def __init__(self) -> None:
        self._pcm = b""

    def accept(self, pcm: bytes) -> Transcript:
        self._pcm += pcm
        return Transcript("")

    def finish(self) -> Transcript:
        heard = words(self._pcm)
        return Transcript(" ".join(word.text for word in heard), heard, final=True)


class CodedStream:
    def __init__(self, ears: CodedEars) -> None:
        self._ears, self.pcm, self.cancelled = ears, b"", False
        self._read: list[str | None] = []

    def feed(self, pcm: bytes) -> None:
        self.pcm += pcm

    @property
    def partial(self) -> Transcript:
        if not self._ears.engine.streaming:
            return Transcript("")
        until = len(self.pcm) / 16000 - _FIRST_WORD
        unread = self.pcm[len(self._read) * 2 * _FRAME :]
        self._read += [read(unread[i : i + 2 * _FRAME]) for i in range(0, len(unread), 2 * _FRAME)]
        heard = tuple(word for word in _runs(self._read) if word.start <= until)
        return Transcript(" ".join(word.text for word in heard), heard)

    async def finish(self) -> Transcript:
        await asyncio.sleep(self._ears.takes)
        self._ears.heard.append(self.pcm)
        if self._ears.broken:
            raise EarsError("broken by the test")
        heard = words(self.pcm)
        return Transcript(" ".join(word.text for word in heard), heard, final=True)

    def cancel(self) -> None:
        self.cancelled = True


class CodedEars:
    """A recogniser that reads coded speech; ``takes`` seconds for the final transcript."""

    def __init__(self, *, takes: float = 0.1, broken: bool = False, streaming: bool = True) -> None:
        self.engine: Engine = CodedEngine(streaming=streaming)
        self.takes, self.broken = takes, broken
        self.heard: list[bytes] = []

    def open(self, hints: Hints) -> RecognitionStream:
        return CodedStream(self)
