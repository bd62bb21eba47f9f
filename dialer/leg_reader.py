"""Reading one leg's events and telling everybody who must know at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from dialer.hearing import Hearing
from dialer.line import (
    FRAME_SECONDS,
    Audio,
    Digit,
    Leg,
    LegAnswered,
    LegEnded,
    LegEvent,
    LineError,
    PlayFinished,
    PlayStarted,
    Ringing,
)
from dialer.moments import Moments
from dialer.ports import CallRecorder
from dialer.speaking import Speaker

_log = logging.getLogger(__name__)

_HOLE: Final = 0.1
"""Seconds without a frame after which time goes on without sound."""


class LegReader:
    """Distributes what happens on a leg: sound to the hearing and the recording, the rest in order."""

    def __init__(
        self, leg: Leg, hearing: Hearing, speaker: Speaker, recorder: CallRecorder, moments: Moments
    ) -> None:
        self.answered = False
        self.ended: LegEnded | None = None
        self._leg, self._hearing, self._speaker = leg, hearing, speaker
        self._recorder, self._moments = recorder, moments
        self._leg_time = 0.0
        self._loop_time = asyncio.get_running_loop().time()
        self._last_frame = self._loop_time

    @property
    def now(self) -> float:
        """The leg's clock, seconds."""
        return self._leg_time + asyncio.get_running_loop().time() - self._loop_time

    async def read(self) -> None:
        """Read until the leg is over, or the line breaks."""
        clock = asyncio.create_task(self._keep_time())
        try:
            async for event in self._leg.events():
                self._take(event)
        except LineError as error:
            _log.warning("the line broke in a call: %s", type(error).__name__)
        finally:
            clock.cancel()
            self._moments.put_end()

    def _take(self, event: LegEvent) -> None:
        self._leg_time, self._loop_time = event.at, asyncio.get_running_loop().time()
        match event:
            case Audio():
                # It is told once its last sample is there.
                self._leg_time += FRAME_SECONDS
                self._last_frame = self._loop_time
                if self.answered:
                    self._recorder.patient(event.pcm, event.at)
                self._speaker.advance(event.at)
                self._hearing.frame(event.pcm, event.at)
            case PlayStarted():
                self._speaker.started(event)
            case PlayFinished():
                self._speaker.finished(event)
                self._moments.put(event)
            case LegAnswered():
                self.answered = True
                # What came before was the carrier's.
                self._hearing.forget()
                self._moments.put(event)
            case Ringing() | Digit():
                self._moments.put(event)
            case LegEnded():
                self.ended = event

    async def _keep_time(self) -> None:
        """A phone that sends nothing while its owner is quiet must not stop our clock."""
        while True:
            await asyncio.sleep(_HOLE)
            if asyncio.get_running_loop().time() - self._last_frame > _HOLE:
                self._speaker.advance(self.now)
                self._hearing.no_sound(self.now)
