"""The media socket of a leg: chan_websocket with JSON control messages, 8 kHz linear sound."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence

import aiohttp

from dialer.asterisk.frame_clock import FrameClock
from dialer.asterisk.playout import Playout
from dialer.line import Digit, LegEvent

MEDIA_FORMAT = "slin"
"""Asterisk's name for 8 kHz 16-bit linear sound."""


class MediaSocket:
    """Both directions of one leg's sound.

    Args:
        socket: the connected WebSocket.
        tell: takes Audio, Digit, PlayStarted and PlayFinished as they happen.
        clock: seconds on the leg's clock.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        tell: Callable[[LegEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._socket = socket
        self._tell = tell
        self._clock = clock
        self._frames = FrameClock()
        self._playout = Playout()
        self._sending = asyncio.Lock()

    async def play(self, clip: str, pcm: bytes) -> None:
        """Queue a clip; a clip behind which the socket closes is reported by ``finish``."""
        self._playout.play(clip, pcm)
        await self._send()

    async def flush(self) -> None:
        """Stop now and drop what is queued."""
        async with self._sending:
            with contextlib.suppress(ConnectionError):
                for command in self._playout.flush():
                    await self._socket.send_str(command)

    async def receive(self) -> None:
        """Read until the socket closes."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._tell_all(self._frames.place(message.data, self._clock()))
            elif message.type is aiohttp.WSMsgType.TEXT:
                await self._obey(json.loads(message.data))

    def finish(self) -> None:
        """Tell what is left to tell; the socket is closed."""
        self._tell_all(self._frames.settle())
        self._tell_all(self._playout.ended(self._clock()))

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()

    async def _obey(self, message: dict[str, object]) -> None:
        now = self._clock()
        match message.get("event"):
            case "MEDIA_MARK_PROCESSED":
                self._tell_all(self._playout.mark(str(message.get("correlation_id")), now))
                await self._send()
            case "STATUS":
                self._tell_all(self._playout.status(int(str(message["queue_length"])), now))
            case "DTMF_END":
                self._tell(Digit(str(message["digit"]), now))
            case "MEDIA_XOFF":
                self._playout.pause(True)
            case "MEDIA_XON":
                self._playout.pause(False)
                await self._send()

    async def _send(self) -> None:
        async with self._sending:
            with contextlib.suppress(ConnectionError):
                for message in self._playout.messages(self._clock()):
                    if isinstance(message, bytes):
                        await self._socket.send_bytes(message)
                    else:
                        await self._socket.send_str(message)

    def _tell_all(self, events: Sequence[LegEvent]) -> None:
        for event in events:
            self._tell(event)
