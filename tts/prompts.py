"""Prompts made ready before the phone rings.

A prompt is a row of segments, each one clip. Every segment is spoken by the first voice that can:
the hospital's own recordings, then the shipped ones, then the synthetic voice. The clips are joined
with the small pauses that a reader makes at a comma and at a full stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Protocol

from tts.recorded import spoken_form
from tts.voice import SAMPLE_RATE, Voice, VoiceError

_log = logging.getLogger(__name__)

SENTENCE_PAUSE = 0.30
"""Seconds after a full stop, a question mark or an exclamation mark."""

CLAUSE_PAUSE = 0.15
"""Seconds after a comma, a semicolon or a colon."""

WORD_PAUSE = 0.03
"""Seconds between segments that run on: the ends of clips keep this much themselves."""

_SENTENCE_ENDS = "。！？.!?…"
_CLAUSE_ENDS = "，、；：,;:"


class SpokenSegment(Protocol):
    """A piece of a prompt that is spoken as one clip; ``scripts.turns.Segment`` is one."""

    @property
    def text(self) -> str:
        """The words."""
        ...

    @property
    def personal(self) -> bool:
        """Whether they come from the patient's facts."""
        ...


Clips = MutableMapping[tuple[str, str], bytes]
"""Language and spoken form to sound; only of segments that are not personal."""


def pause(before: str, after: str) -> float:
    """Seconds of silence between two segments of one prompt."""
    marks = before.rstrip()[-1:] + after.lstrip()[:1]
    if any(mark in _SENTENCE_ENDS for mark in marks):
        return SENTENCE_PAUSE
    if any(mark in _CLAUSE_ENDS for mark in marks):
        return CLAUSE_PAUSE
    return WORD_PAUSE


class PromptBook:
    """The prompts of one call.

    Make one for each call, over the same voices and the same ``shared`` clips, and let it go with
    the call: what it holds of a patient goes with it.

    Args:
        voices: asked in this order.
        shared: clips that any call may use, kept as long as the process lives.
    """

    def __init__(self, voices: Sequence[Voice], shared: Clips | None = None) -> None:
        self._voices = tuple(voices)
        self._shared: Clips = {} if shared is None else shared
        self._personal: Clips = {}

    async def prepare(self, prompts: Iterable[Sequence[SpokenSegment]], language: str) -> None:
        """Have every segment of these prompts as sound, so that ``clip`` answers at once.

        Raises:
            VoiceError: a segment that no voice can speak; the call must not be placed.
        """
        segments = {
            (spoken_form(segment.text), segment.personal): segment
            for prompt in prompts
            for segment in prompt
        }
        await asyncio.gather(*(self._segment(each, language) for each in segments.values()))

    async def clip(self, segments: Sequence[SpokenSegment], language: str) -> bytes:
        """The sound of one prompt, as ``voice.SAMPLE_RATE`` PCM.

        Raises:
            VoiceError: no voice can speak one of its segments.
        """
        pieces = [await self._segment(segment, language) for segment in segments]
        sound = bytearray()
        for number, piece in enumerate(pieces):
            if number:
                silence = pause(segments[number - 1].text, segments[number].text)
                sound += bytes(2 * round(silence * SAMPLE_RATE))
            sound += piece
        return bytes(sound)

    async def _segment(self, segment: SpokenSegment, language: str) -> bytes:
        clips = self._personal if segment.personal else self._shared
        key = (language, spoken_form(segment.text))
        if key not in clips:
            clips[key] = await self._render(segment, language)
        return clips[key]

    async def _render(self, segment: SpokenSegment, language: str) -> bytes:
        retryable = False
        for voice in self._voices:
            if not voice.speaks(language):
                continue
            try:
                return await voice.render(segment.text, language)
            except VoiceError as error:
                retryable = retryable or error.retryable
                if error.retryable:
                    _log.warning("the voice %s failed: %s", voice.name, error)
        raise VoiceError(
            f"no voice can speak a {'personal ' if segment.personal else ''}segment in "
            f"{language!r}: record it, or allow the synthetic voice (setting 'voice')",
            retryable=retryable,
        )
