"""What a conversation needs of others, as Protocols.

The parts themselves are made elsewhere (``scripts``, ``asr``, ``tts``, ``recordings``) and put
together by ``services.runtime``; tests bring their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scripts.turns import Action, Event, Segment


class Dialogue(Protocol):
    """The dialogue of one call: the machine of ``scripts.dialogue`` with its state."""

    def handle(self, event: Event) -> tuple[Action, ...]:
        """Tell it what happened; it answers what to do, in order."""
        ...


class Speech(Protocol):
    """Prompts as sound. Everything a script says is prepared before the phone rings."""

    async def clip(self, segments: Sequence[Segment], language: str) -> bytes:
        """The sound of a prompt: 8 kHz 16-bit mono PCM, normally at once from memory.

        Raises:
            tts.voice.VoiceError: nobody can speak it.
        """
        ...


class VoiceActivity(Protocol):
    """Tells speech from other sound. One instance a call: it remembers what it heard."""

    def probability(self, pcm: bytes) -> float:
        """Probability, 0 to 1, that a 20 ms frame (320 bytes) holds speech."""
        ...


class CallRecorder(Protocol):
    """Takes both sides of the call. Nothing is kept unless ``keep`` is called."""

    def patient(self, pcm: bytes, at: float) -> None:
        """Sound from the far side; ``at``: its first sample on the leg's clock, seconds."""
        ...

    def system(self, pcm: bytes, at: float) -> None:
        """Sound that went out to the far side; ``at`` as above."""
        ...

    def keep(self) -> None:
        """The right party consented."""
        ...

    def drop(self) -> None:
        """Forget everything, and keep nothing that follows."""
        ...


@dataclass(frozen=True, slots=True)
class ReplyTiming:
    """When the steps of one reply happened, in seconds on the leg's clock."""

    speech_ended: float
    """End of the person's last voiced frame."""
    turn_ended: float
    """The pause was over: we took the floor."""
    heard: float
    """The final transcript was there."""
    understood: float
    """The dialogue knew what to do."""
    reply_started: float
    """The first sample of our reply went out."""


class Observer(Protocol):
    """Watches a conversation without touching it."""

    def reply(self, timing: ReplyTiming) -> None:
        """One turn of the person was answered."""
        ...
