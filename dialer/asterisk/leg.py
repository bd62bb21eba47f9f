"""One call over Asterisk: a telephone channel and a media channel in a bridge.

State of a leg, by what Asterisk tells::

    created --dial--> dialled --Ringing--> rings --Up--> answered
       |                 |                   |              |
       +-----------------+-------------------+--------------+--ChannelDestroyed--> ended

The ids on the switch follow from the leg's own: the telephone channel carries it as it is, the media
channel and the bridge with a suffix. So any process can clear away what is left of a leg.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine

from dialer.asterisk.ari import Ari
from dialer.asterisk.ari_events import ChannelDestroyed, ChannelStateChange, Event, StasisStart
from dialer.asterisk.media import MEDIA_FORMAT, MediaSocket
from dialer.line import (
    DialRequest,
    LegAnswered,
    LegEnded,
    LegEvent,
    LineError,
    LineUnavailable,
    Ringing,
)

log = logging.getLogger(__name__)

MEDIA_SUFFIX = "-media"
BRIDGE_SUFFIX = "-bridge"
TEMPORARY_FAILURE = 41
"""Q.850: the network out of order for a moment; told when our media path broke."""
_SETUP_LIMIT = 5.0
"""Seconds for a channel to come under our control; measured: 2 ms."""
_MEDIA_CLOSE_LIMIT = 1.0
_GRACE = 30.0
"""Seconds after the absolute limit within which the switch must have ended the leg."""


class AsteriskLeg:
    """A leg on its way or up; made by ``AsteriskLine.dial``."""

    def __init__(
        self,
        ari: Ari,
        request: DialRequest,
        clock: Callable[[], float],
        forget: Callable[[str], None],
    ) -> None:
        self.id = request.leg_id
        self.clock_zero = clock()
        """Reading of the line's clock at the zero of the leg's clock."""
        self.dialled = False
        self.wants_hang_up = False
        self._ari = ari
        self._request = request
        self._clock = clock
        self._forget = forget
        self._queue: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._in_stasis = {self.id: asyncio.Event(), self._media_id: asyncio.Event()}
        self._media: MediaSocket | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._finishing: asyncio.Task[None] | None = None
        self._answered = self._rang = self._media_lost = False

    @property
    def _media_id(self) -> str:
        return self.id + MEDIA_SUFFIX

    @property
    def _bridge_id(self) -> str:
        return self.id + BRIDGE_SUFFIX

    @property
    def over(self) -> bool:
        """Whether the telephone channel is gone."""
        return self._finishing is not None

    @property
    def must_end(self) -> bool:
        """Whether a leg that is still on the switch is to be hung up there."""
        return self.wants_hang_up or self._media_lost

    @property
    def overdue(self) -> bool:
        """Whether the switch must have ended the leg long ago."""
        return self._now() > self._request.absolute_timeout + _GRACE

    # --- the port ----------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[LegEvent]:
        """Everything that happens, in order; ends after LegEnded."""
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, LegEnded):
                return

    async def play(self, clip: str, pcm: bytes) -> None:
        """Queue sound behind what is queued. On an ended leg nothing is played or told."""
        if self._media is not None and self._finishing is None:
            await self._media.play(clip, pcm)

    async def flush(self) -> None:
        """Stop playing now; PlayFinished of each queued clip follows."""
        if self._media is not None and self._finishing is None:
            await self._media.flush()

    async def hang_up(self) -> None:
        """End the leg. Where the switch does not answer, the line tries again until it does."""
        if self._finishing is not None:
            return
        self.wants_hang_up = True
        try:
            await self._ari.hang_up(self.id)
        except LineError as error:
            log.warning("leg %s is not hung up yet: %s", self.id, error)

    # --- the line's side -----------------------------------------------------------------------

    async def create(self, endpoint: str) -> None:
        """Make the telephone channel. AriError 409: the id is taken."""
        limit = round(self._request.absolute_timeout)
        await self._ari.create_channel(self.id, endpoint, {"TIMEOUT(absolute)": str(limit)})

    async def connect(self, caller_id: str) -> None:
        """Bring the media path up; the leg's clock starts.

        Args:
            caller_id: the number shown to the far side, empty for the trunk's own. It is set on the
                media channel: a telephone shows whom the bridge connects it with.

        Raises:
            LineUnavailable: the switch is too slow or the media socket does not open.
            AriError: it refuses.
        """
        variables = {"TIMEOUT(absolute)": str(round(self._request.absolute_timeout + _GRACE))}
        if caller_id:
            variables["CALLERID(num)"] = caller_id
        connection = await self._ari.create_media_channel(self._media_id, MEDIA_FORMAT, variables)
        socket = await self._ari.open_media(connection)
        self._media = MediaSocket(socket, self._queue.put_nowait, self._now)
        try:
            async with asyncio.timeout(_SETUP_LIMIT):
                for started in self._in_stasis.values():
                    await started.wait()
        except TimeoutError as error:
            raise LineUnavailable("Asterisk does not hand the channels over") from error
        await self._ari.create_bridge(self._bridge_id)
        await self._ari.bridge_channels(self._bridge_id, (self.id, self._media_id))
        self.clock_zero = self._clock()
        self._receiving = self._start(self._receive(self._media))

    async def ring(self) -> None:
        """Dial.

        A dial command without an answer may have been obeyed, and a refused one leaves a channel
        that is no use: the leg then ends like one that failed on the way, and is not tried again
        under this id.
        """
        self.dialled = True
        try:
            await self._ari.dial(self.id, self._request.ring_timeout)
        except LineError as error:
            log.warning("leg %s: dialling failed: %s", self.id, error)
            self._media_lost = True
            await self._hang_up_quietly()

    def handle(self, event: Event) -> None:
        """Take what Asterisk tells about one of this leg's channels."""
        match event:
            case StasisStart(channel):
                self._in_stasis[channel].set()
            case ChannelStateChange(self.id, state):
                self.reached(state)
            case ChannelDestroyed(self.id, cause, sip_code):
                self.end(cause, sip_code)

    def reached(self, state: str) -> None:
        """The telephone channel is in this state (told, or found on reconciliation)."""
        if state == "Ringing" and not self._rang and not self._answered:
            self._rang = True
            self._queue.put_nowait(Ringing(self._now()))
            self._start(self._stop_ring_tone())
        elif state == "Up" and not self._answered:
            self._answered = True
            self._queue.put_nowait(LegAnswered(self._now()))

    def end(self, cause: int | None, sip_code: int | None) -> None:
        """The telephone channel is gone: tell what is left, then LegEnded, and clear away."""
        if self._finishing is not None:
            return
        if self._media_lost:
            cause, sip_code = TEMPORARY_FAILURE, None
        ended = LegEnded(
            at=self._now(),
            cause=cause,
            sip_code=None if self._answered else sip_code,
            by_us=self.wants_hang_up and not self._media_lost,
            answered=self._answered,
            rang=self._rang,
        )
        self._finishing = asyncio.create_task(self._finish(ended), name=f"end {self.id}")

    async def abandon(self) -> None:
        """Clear away a leg that never rang, or that the process leaves behind when it stops."""
        await self._hang_up_quietly()
        self.end(None, None)
        if self._finishing is not None:
            await asyncio.shield(self._finishing)

    # --- inside --------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock() - self.clock_zero

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _receive(self, media: MediaSocket) -> None:
        await media.receive()
        if self._finishing is None:
            log.warning("leg %s lost its media path and is hung up", self.id)
            self._media_lost = True
            await self._hang_up_quietly()

    async def _stop_ring_tone(self) -> None:
        # A switch with tones configured plays one into the bridge, where it would pass for sound
        # from the far side.
        with contextlib.suppress(LineError):
            await self._ari.stop_ring_tone(self._media_id)

    async def _hang_up_quietly(self) -> None:
        with contextlib.suppress(LineError):
            await self._ari.hang_up(self.id)

    async def _finish(self, ended: LegEnded) -> None:
        try:
            await self._clear_away()
        finally:
            if self._media is not None:
                self._media.finish()
            self._forget(self.id)
            self._queue.put_nowait(ended)

    async def _clear_away(self) -> None:
        """Remove the media channel and the bridge.

        Asterisk closes the socket after all sound that came before the end, so that reading to the
        close loses nothing.
        """
        with contextlib.suppress(LineError):
            await self._ari.hang_up(self._media_id)
        if self._receiving is not None:
            await asyncio.wait([self._receiving], timeout=_MEDIA_CLOSE_LIMIT)
        if self._media is not None:
            await self._media.close()
        with contextlib.suppress(LineError):
            await self._ari.destroy_bridge(self._bridge_id)
