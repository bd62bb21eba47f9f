"""The SIP patient: a telephone on loopback that Asterisk's trunk leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from tests.support.callee import Callee
from tests.support.sip_call import Message, PhoneCall


class SipPhone(asyncio.DatagramProtocol):
    """Takes every call on one address; an async context manager.

    Args:
        behaviour: from the dialled number to how it behaves.
        host: address to listen on.
        port: UDP port; 0: any free one, then read ``port``.
    """

    def __init__(
        self, behaviour: Callable[[str], Callee], host: str = "127.0.0.1", port: int = 15070
    ) -> None:
        self.behaviour = behaviour
        self.host, self.port = host, port
        self.calls: list[PhoneCall] = []
        self._by_id: dict[str, PhoneCall] = {}
        self._rung = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"

    def calls_to(self, number: str) -> list[PhoneCall]:
        """Every call to a number so far, in order."""
        return [call for call in self.calls if call.number == number]

    async def call_to(self, number: str, patience: float = 10.0) -> PhoneCall:
        """The first call to a number, waiting for it."""
        async with asyncio.timeout(patience):
            while not self.calls_to(number):
                self._rung.clear()
                await self._rung.wait()
        return self.calls_to(number)[0]

    async def __aenter__(self) -> Self:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(self.host, self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in self.calls:
            call.hang_up() if call.answered_at is not None else None
            call.task.cancel()
        await asyncio.gather(*(call.task for call in self.calls), return_exceptions=True)
        if self._transport is not None:
            self._transport.close()

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, address)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        message = Message.parse(data)
        if message.start.startswith("SIP/2.0") or "call-id" not in message.headers:
            return
        call = self._by_id.get(message["call-id"])
        if call is not None:
            call.take(message)
        elif message.start.startswith("INVITE "):
            call = PhoneCall(self, message, addr)
            self._by_id[message["call-id"]] = call
            self.calls.append(call)
            self._rung.set()
