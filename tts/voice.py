"""The voice port: a sentence in, telephone sound out."""

from __future__ import annotations

from typing import Protocol

SAMPLE_RATE = 8000
"""Hz. All sound that crosses the port is 16-bit little-endian mono PCM at this rate, as ``bytes``."""


class VoiceError(Exception):
    """A voice cannot speak a sentence.

    ``retryable``: whether the same voice may speak it on a second try.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Voice(Protocol):
    """Somebody who can speak."""

    name: str

    def speaks(self, language: str) -> bool:
        """Whether this voice knows the language (two-letter code)."""
        ...

    async def render(self, text: str, language: str) -> bytes:
        """Speak ``text``; the ends are trimmed of silence, the loudness is even.

        Raises:
            VoiceError: it cannot; the message names no personal text.
        """
        ...
