"""Playing prompts, and handing what really went out to the recording as it goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dialer.line import SAMPLE_RATE, Leg, PlayFinished, PlayStarted
from dialer.ports import CallRecorder

_BYTES_A_SECOND: Final = 2 * SAMPLE_RATE
_BEHIND: Final = 0.1
"""Seconds that the recording stays behind, so that it never holds what a flush took back."""


def seconds(pcm: bytes) -> float:
    """Length of 8 kHz 16-bit mono sound."""
    return len(pcm) / _BYTES_A_SECOND


def size(length: float) -> int:
    """Bytes of ``length`` seconds, whole samples."""
    return 2 * max(0, round(length * SAMPLE_RATE))


@dataclass(slots=True)
class Playback:
    """One clip on its way out."""

    clip: str
    pcm: bytes
    started: float | None = None
    """Leg clock; None until its first sample went out."""
    ended: float | None = None
    handed: int = 0
    """Bytes that the recording has."""

    def out(self, now: float) -> float:
        """Seconds of it that went out by ``now``."""
        if self.started is None:
            return 0.0
        until = now if self.ended is None else self.ended
        return min(max(until - self.started, 0.0), seconds(self.pcm))


class Speaker:
    """The system's side of one leg."""

    def __init__(self, leg: Leg, recorder: CallRecorder) -> None:
        self._leg, self._recorder = leg, recorder
        self._on_the_way: dict[str, Playback] = {}
        self._clips = 0

    async def play(self, prompt_id: str, pcm: bytes) -> Playback:
        """Queue a clip; what it returns is kept up to date while it plays."""
        self._clips += 1
        playback = Playback(f"{prompt_id}.{self._clips}", pcm)
        self._on_the_way[playback.clip] = playback
        await self._leg.play(playback.clip, pcm)
        return playback

    async def stop(self) -> None:
        """Stop now and drop what is queued."""
        await self._leg.flush()

    def started(self, event: PlayStarted) -> None:
        """The line began to play a clip."""
        if playback := self._on_the_way.get(event.clip):
            playback.started = event.at

    def advance(self, now: float) -> None:
        """Time goes on: what has gone out by now belongs to the recording, crash or no crash."""
        for playback in self._on_the_way.values():
            self._hand_over(playback, playback.out(now) - _BEHIND)

    def finished(self, event: PlayFinished) -> None:
        """A clip went out, or as much of it as was let out."""
        if playback := self._on_the_way.pop(event.clip, None):
            if playback.started is None:
                playback.started = event.at - event.seconds
            playback.ended = playback.started + event.seconds
            self._hand_over(playback, event.seconds)

    def _hand_over(self, playback: Playback, until: float) -> None:
        end = min(size(until), len(playback.pcm))
        if playback.started is None or end <= playback.handed:
            return
        at = playback.started + playback.handed / _BYTES_A_SECOND
        self._recorder.system(playback.pcm[playback.handed : end], at)
        playback.handed = end
