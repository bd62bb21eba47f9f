"""The recogniser port: sound of one turn in, words out.

An engine loads its model once and serves every call from it. It is synchronous and runs in worker
threads (see ``asr.decoding``); the conversation sees the asynchronous side only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SAMPLE_RATE = 8000
"""Hz. All sound that crosses the port is 16-bit little-endian mono PCM at this rate, as ``bytes``."""
FRAME_BYTES = 320
"""One 20 ms frame."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word."""

    text: str
    start: float
    """Seconds from the start of the stream."""
    end: float
    """Seconds from the start of the stream."""
    confidence: float | None = None
    """0 to 1; None where the engine gives none."""
    pinyin: str | None = None
    """Toned pinyin, syllables separated by spaces, where the engine hears syllables."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What has been heard of a stream so far."""

    text: str
    words: tuple[Word, ...] = ()
    final: bool = False
    confidence: float | None = None
    """0 to 1 over the whole; None where the engine gives none."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What the speaker is likely to say; an engine uses what it can and ignores the rest."""

    phrases: tuple[str, ...] = ()
    closed: bool = False
    """True: nothing but these phrases is expected (a Vosk grammar may be used)."""


class EarsError(Exception):
    """A recogniser cannot be had or stopped working.

    ``retryable``: whether the same engine may work on a second try.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Decoder(Protocol):
    """The synchronous side of one stream: used by one thread at a time."""

    def accept(self, pcm: bytes) -> Transcript:
        """Take more sound and return what is heard so far (``final`` False)."""
        ...

    def finish(self) -> Transcript:
        """Return the final transcript. Nothing may be called after it."""
        ...


class Engine(Protocol):
    """A loaded model for one language. Thread-safe in ``decoder``."""

    name: str
    """``vosk``, ``sherpa``, ``whisper``."""
    language: str
    """Two-letter code."""
    model: str
    """Name of the model, as the catalogue has it; stored with every turn."""
    streaming: bool
    """False: partial transcripts stay empty and the words come at the end."""

    def decoder(self, hints: Hints) -> Decoder:
        """Open a stream."""
        ...


class RecognitionStream(Protocol):
    """One turn being heard, as the conversation sees it."""

    def feed(self, pcm: bytes) -> None:
        """Hand over sound; returns at once, decoding happens on a worker thread in order."""
        ...

    @property
    def partial(self) -> Transcript:
        """What has been heard so far; may lag behind what was fed."""
        ...

    async def finish(self) -> Transcript:
        """Decode what is left and return the final transcript.

        Raises:
            EarsError: the engine failed on this stream.
        """
        ...

    def cancel(self) -> None:
        """Drop the stream; nothing more is decoded."""
        ...


class Recogniser(Protocol):
    """Ears for one language, off the event loop."""

    engine: Engine

    def open(self, hints: Hints) -> RecognitionStream:
        """Start hearing one turn."""
        ...
