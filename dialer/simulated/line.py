"""The simulated line: calls without a switch, at the pace of the running event loop's clock.

It behaves as a real line does: it rings before it answers, sends 20 ms frames whatever happens,
carries mu-law with noise, refuses a leg id that was used, and ends a leg that lasts too long.
On a loop with virtual time a call takes milliseconds.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from dialer.line import (
    FRAME_BYTES,
    FRAME_SECONDS,
    Audio,
    DialRequest,
    Digit,
    LegAnswered,
    LegEnded,
    LegEvent,
    LegExists,
    LineError,
    PlayFinished,
    PlayStarted,
    Ringing,
)
from dialer.simulated.circuit import Circuit

_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,32}")
_NORMAL_CLEARING: Final = 16
_NO_ANSWER: Final = 19
_NO_SUCH_NUMBER: Final = 1
_TIMER_EXPIRED: Final = 102


class PatientMedia(Protocol):
    """Somebody at a telephone, frame by frame. The SIP phone of the tests takes the same."""

    digits: list[str]
    """Keys that were pressed and not yet sent; whoever sends them takes them out."""
    hung_up: bool

    def step(self, heard: bytes) -> bytes:
        """Hear one 20 ms frame (320 bytes), say one."""
        ...


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call that is refused."""

    cause: int
    """Q.850."""
    sip_code: int
    after: float | None = None
    """Seconds of ringing before it; None: it never rings."""


BUSY: Final = Rejection(17, 486)
DECLINED: Final = Rejection(21, 603, after=4.0)


@dataclass(frozen=True, slots=True)
class FarEnd:
    """What a dialled telephone will do."""

    media: PatientMedia
    answers_after: float | None = 3.0
    """Seconds of ringing; None: nobody picks up."""
    rejection: Rejection | None = None
    """The call is refused instead."""
    early_media: bytes = b""
    """Sound before the answer: 8 kHz PCM of a carrier's announcement."""


class SimulatedLine:
    """A line whose telephones are objects.

    Args:
        far_end: The telephone of a number; None: there is no such number.
        noise: RMS of the circuits' noise in 16-bit sample units.
        seed: Of the noise.
    """

    name = "simulated"

    def __init__(
        self, far_end: Callable[[str], FarEnd | None], *, noise: float = 20.0, seed: int = 0
    ) -> None:
        self._far_end, self._noise, self._seed = far_end, noise, seed
        self._used: set[str] = set()
        self._up: dict[str, SimulatedLeg] = {}

    async def dial(self, request: DialRequest) -> SimulatedLeg:
        """Ring a telephone; see ``dialer.line.Line``."""
        if request.leg_id in self._used:
            raise LegExists(request.leg_id)
        if not _NUMBER.fullmatch(request.number):
            raise LineError("the number is not one that can be dialled", retryable=False)
        self._used.add(request.leg_id)
        seed = self._seed + 2 * len(self._used)
        circuits = (Circuit(self._noise, seed), Circuit(self._noise, seed + 1))
        leg = SimulatedLeg(request, self._far_end(request.number), circuits)
        self._up[leg.id] = leg
        leg.task.add_done_callback(lambda _: self._up.pop(leg.id, None))
        return leg

    async def reap(self, leg_id: str) -> bool:
        """Hang up a leg; True if it was up."""
        leg = self._up.get(leg_id)
        if leg is None or leg.over:
            return False
        await leg.hang_up()
        return True

    async def legs(self) -> tuple[str, ...]:
        """Ids of the legs that are up."""
        return tuple(leg.id for leg in self._up.values() if not leg.over)


@dataclass(slots=True)
class _Clip:
    name: str
    pcm: bytes
    out: int = 0
    """Bytes that have gone out."""


class SimulatedLeg:
    """One call on the simulated line; see ``dialer.line.Leg``."""

    def __init__(
        self, request: DialRequest, far: FarEnd | None, circuits: tuple[Circuit, Circuit]
    ) -> None:
        self.id = request.leg_id
        self._request, self._far = request, far
        self._to_them, self._to_us = circuits
        self._events: asyncio.Queue[LegEvent | Exception] = asyncio.Queue()
        self._clips: deque[_Clip] = deque()
        self._started = asyncio.get_running_loop().time()
        self._frames = 0
        self._early = far.early_media if far else b""
        self._answered = self._rang = self.over = False
        self.task = asyncio.create_task(self._run())

    async def events(self) -> AsyncIterator[LegEvent]:
        """Everything that happens, in order; ends after LegEnded.

        Raises:
            LineError: the simulated person raised something, which is the cause.
        """
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise LineError("the simulated telephone broke", retryable=False) from event
            yield event
            if isinstance(event, LegEnded):
                return

    async def play(self, clip: str, pcm: bytes) -> None:
        """Queue sound; harmless on an ended leg."""
        if not self.over:
            self._clips.append(_Clip(clip, pcm))

    async def flush(self) -> None:
        """Stop playing and drop the queue."""
        while self._clips:
            self._finish(self._clips.popleft())

    async def hang_up(self) -> None:
        """End the leg; harmless on an ended one."""
        self._end(_NORMAL_CLEARING, by_us=True)

    @property
    def _at(self) -> float:
        return self._frames * FRAME_SECONDS

    async def _run(self) -> None:
        try:
            await self._live()
        except Exception as error:
            self.over = True
            self._events.put_nowait(error)

    async def _live(self) -> None:
        """The life of the call, in frames."""
        if self._far is None:
            self._end(_NO_SUCH_NUMBER, sip_code=404)
            return
        rejection = self._far.rejection
        if rejection is None or rejection.after is not None:
            self._rang = True
            self._events.put_nowait(Ringing(self._at))
        while not self.over:
            await self._next_frame()
            if self.over:
                return
            if self._answered:
                self._exchange_frame(self._far.media)
            else:
                self._ring(self._far)
            self._frames += 1
            if self._far.media.hung_up:
                self._end(_NORMAL_CLEARING)
            elif self._at >= self._request.absolute_timeout:
                self._end(_TIMER_EXPIRED)

    async def _next_frame(self) -> None:
        """Wait until the present frame's last sample has passed."""
        due = self._started + (self._frames + 1) * FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    def _ring(self, far: FarEnd) -> None:
        if self._early:
            frame, self._early = self._early[:FRAME_BYTES], self._early[FRAME_BYTES:]
            pcm = self._to_us.carry(frame.ljust(FRAME_BYTES, b"\0"))
            self._events.put_nowait(Audio(pcm, self._at))
        elif far.rejection is not None:
            if self._at >= (far.rejection.after or 0.0):
                self._end(far.rejection.cause, sip_code=far.rejection.sip_code)
        elif far.answers_after is not None and self._at >= far.answers_after:
            self._answered = True
            self._events.put_nowait(LegAnswered(self._at))
        elif self._at >= self._request.ring_timeout:
            self._end(_NO_ANSWER, sip_code=480)

    def _exchange_frame(self, person: PatientMedia) -> None:
        said = person.step(self._to_them.carry(self._outgoing()))
        self._events.put_nowait(Audio(self._to_us.carry(said), self._at))
        while person.digits:
            self._events.put_nowait(Digit(person.digits.pop(0), self._at))

    def _outgoing(self) -> bytes:
        """The next frame of what is queued; a clip begins at a frame of its own."""
        if not self._clips:
            return bytes(FRAME_BYTES)
        clip = self._clips[0]
        if clip.out == 0:
            self._events.put_nowait(PlayStarted(clip.name, self._at))
        frame = clip.pcm[clip.out : clip.out + FRAME_BYTES]
        clip.out += len(frame)
        if clip.out >= len(clip.pcm):
            self._finish(self._clips.popleft(), last=len(frame))
        return frame.ljust(FRAME_BYTES, b"\0")

    def _finish(self, clip: _Clip, last: int = 0) -> None:
        """Report a clip; ``last``: bytes of the frame that is going out right now."""
        now = self._at + last / (2 * 8000)
        self._events.put_nowait(PlayFinished(clip.name, now, clip.out / (2 * 8000)))

    def _end(self, cause: int, *, sip_code: int | None = None, by_us: bool = False) -> None:
        if self.over:
            return
        self.over = True
        while self._clips:
            self._finish(self._clips.popleft())
        self._events.put_nowait(
            LegEnded(self._at, cause, sip_code, by_us, self._answered, self._rang)
        )
