"""One call to the tests' SIP phone: signalling, sound, and the ledger.

The phone rings, refuses, answers, talks (mu-law RTP), presses keys, and puts the receiver down as the
callee wants it. It keeps what it heard and said on one clock, sample by sample, and what happened
when: the ledger that our own timeline is measured against.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.support.callee import FRAME_BYTES, SILENCE, Callee
from tests.support.rtp import ArrivalClock, Packet, Sender, from_mulaw

PHRASES = {
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    503: "Service Unavailable",
    603: "Decline",
}
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}


@dataclass(slots=True)
class Take:
    """Sound with the time of each frame on the phone's clock (``time.monotonic``)."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)

    def since(self, start: float) -> bytes:
        """One unbroken recording that begins at ``start``; silence where there was nothing."""
        out = bytearray()
        for at, pcm in self.frames:
            position = max(0, round((at - start) * 8000)) * 2
            out.extend(bytes(max(0, position - len(out))))
            out[position : position + len(pcm)] = pcm
        return bytes(out)


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message, headers by lower-case name."""

    start: str
    headers: dict[str, list[str]]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.setdefault(_COMPACT.get(name, name), []).append(value.strip())
        return cls(start, headers, body)

    def __getitem__(self, name: str) -> str:
        return self.headers[name][0]


class Desk(Protocol):
    """What a call needs of the phone it came to."""

    host: str
    behaviour: Callable[[str], Callee]

    @property
    def where(self) -> str:
        """Host and port."""
        ...

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send a SIP message."""
        ...


class _Sound(asyncio.DatagramProtocol):
    """The RTP socket of one call."""

    def __init__(self, call: PhoneCall) -> None:
        self._call = call

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._call.hear(data)


class PhoneCall:
    """One call to the phone, from INVITE to the end."""

    def __init__(self, phone: Desk, invite: Message, address: tuple[str, int]) -> None:
        self.number = invite.start.split()[1].partition(":")[2].partition("@")[0]
        self.heard = Take()
        self.said = Take()
        self.ledger: list[tuple[float, str]] = []
        self.ended = asyncio.Event()
        self.answered_at: float | None = None
        self._phone, self._invite, self._address = phone, invite, address
        self._tag = uuid.uuid4().hex
        self._acknowledged = asyncio.Event()
        self._last_response = b""
        self._queue: list[bytes] = []
        self._rtp: asyncio.DatagramTransport | None = None
        self._remote = ("", 0)
        self._sender: Sender | None = None
        self._arrival = ArrivalClock()
        self.task = asyncio.create_task(self._run())

    def log(self, what: str) -> None:
        """Add to the ledger."""
        self.ledger.append((time.monotonic(), what))

    def when(self, what: str) -> float:
        """When something first happened, on the phone's clock."""
        return next(at for at, happened in self.ledger if happened == what)

    @property
    def shown_number(self) -> str:
        """The caller's number as this telephone shows it; empty if there is none."""
        found = re.search(r"sips?:([^@>;]+)@", self._invite["from"])
        return found[1] if found else ""

    def happened(self) -> list[str]:
        """The ledger without its times."""
        return [what for _, what in self.ledger]

    # --- course of the call ----------------------------------------------------------------------

    async def _run(self) -> None:
        callee = self._phone.behaviour(self.number)
        self.log("invited")
        try:
            if callee.dead:
                await self.ended.wait()
                return
            if callee.early_media:
                await self._open_media()
                self.respond(183, with_media=True)
                await self._play_early(callee.early_media)
            elif callee.rings:
                self.respond(180)
                self.log("ringing")
            await asyncio.sleep(callee.ring_seconds)
            if callee.refuse is not None:
                self.log("refused")
                self.respond(callee.refuse)
                self.ended.set()
            elif callee.answers:
                await self._answer()
                await self._talk(callee)
            else:
                await self.ended.wait()
        finally:
            self.ended.set()
            if self._rtp is not None:
                self._rtp.close()

    async def _answer(self) -> None:
        await self._open_media()
        self.answered_at = time.monotonic()
        self.log("answered")
        for _ in range(8):
            self.respond(200, with_media=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._acknowledged.wait(), 0.5)
                return

    async def _open_media(self) -> None:
        if self._rtp is not None:
            return
        offer = self._invite.body
        host = re.search(r"^c=IN IP4 (\S+)", offer, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", offer, re.MULTILINE)
        event = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", offer, re.MULTILINE)
        if host is None or port is None:
            raise ValueError("the INVITE offers no sound")
        self._remote = (host[1], int(port[1]))
        self._sender = Sender(0, int(event[1]) if event else None, source=id(self) & 0xFFFFFFFF)
        self._rtp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Sound(self), local_addr=(self._phone.host, 0)
        )

    async def _play_early(self, pcm: bytes) -> None:
        frames = [pcm[i : i + FRAME_BYTES] for i in range(0, len(pcm), FRAME_BYTES)]
        due = time.monotonic()
        for frame in frames:
            if self.ended.is_set():
                return
            self._say(frame.ljust(FRAME_BYTES, b"\0"))
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _talk(self, callee: Callee) -> None:
        media, sender = callee.media, self._sender
        pressing: list[bytes] = []
        due = time.monotonic()
        while not self.ended.is_set():
            heard = self._queue.pop(0) if self._queue else SILENCE
            if len(self._queue) > 3:  # the caller's clock runs faster than ours
                self._queue.pop(0)
            said = media.step(heard) if media is not None else SILENCE
            if media is not None and media.hung_up:
                self.hang_up()
                return
            if media is not None and media.digits and not pressing and sender is not None:
                pressing = sender.key(media.digits.pop(0))
                self.log("pressed")
            if pressing and self._rtp is not None:
                self._rtp.sendto(pressing.pop(0), self._remote)
            else:
                self._say(said)
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _say(self, pcm: bytes) -> None:
        if self._rtp is not None and self._sender is not None:
            self.said.frames.append((time.monotonic(), pcm))
            self._rtp.sendto(self._sender.sound(pcm), self._remote)

    def hear(self, data: bytes) -> None:
        """Take an RTP packet."""
        now, packet = time.monotonic(), Packet.parse(data)
        if packet is None or packet.payload_type != 0:
            return
        pcm = from_mulaw(packet.payload)
        self.heard.frames.append((self._arrival.at(packet.timestamp, now), pcm))
        if self.answered_at is not None:
            self._queue.append(pcm)

    # --- signalling ------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Put the receiver down."""
        if self.ended.is_set():
            return
        self.log("bye sent")
        contact = re.search(r"<([^>]+)>", self._invite["contact"])
        target = contact[1] if contact else self._invite["contact"]
        self._send(
            f"BYE {target} SIP/2.0",
            [
                f"Via: SIP/2.0/UDP {self._phone.where};branch=z9hG4bK-{self._tag};rport",
                f"From: {self._invite['to']};tag={self._tag}",
                f"To: {self._invite['from']}",
                f"Call-ID: {self._invite['call-id']}",
                "CSeq: 2 BYE",
                "Max-Forwards: 70",
            ],
        )
        self.ended.set()

    def respond(self, code: int, *, with_media: bool = False, to: Message | None = None) -> None:
        """Answer a request, the INVITE unless told otherwise."""
        request = to or self._invite
        headers = [f"Via: {via}" for via in request.headers["via"]]
        headers += [
            f"From: {request['from']}",
            f"To: {request['to']}" + ("" if "tag=" in request["to"] else f";tag={self._tag}"),
            f"Call-ID: {request['call-id']}",
            f"CSeq: {request['cseq']}",
            f"Contact: <sip:{self.number}@{self._phone.where}>",
        ]
        line = f"SIP/2.0 {code} {PHRASES.get(code, 'Refused')}"
        raw = self._send(line, headers, self._description() if with_media else "")
        if request is self._invite:
            self._last_response = raw

    def _send(self, line: str, headers: list[str], body: str = "") -> bytes:
        if body:
            headers.append("Content-Type: application/sdp")
        raw = "\r\n".join([line, *headers, f"Content-Length: {len(body)}", "", body]).encode()
        self._phone.send(raw, self._address)
        return raw

    def _description(self) -> str:
        """Our side of the SDP answer (RFC 4566): mu-law, and keys if they were offered."""
        if self._rtp is None or self._sender is None:
            raise RuntimeError("the media socket is not open")
        host, port = self._rtp.get_extra_info("sockname")[:2]
        event = self._sender.event_type
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} RTP/AVP 0" + (f" {event}" if event is not None else ""),
            "a=ptime:20",
        ]
        if event is not None:
            lines += [f"a=rtpmap:{event} telephone-event/8000", f"a=fmtp:{event} 0-15"]
        return "\r\n".join([*lines, ""])

    def take(self, message: Message) -> None:
        """A further request within this call."""
        method = message.start.split()[0]
        if method == "INVITE":
            self._phone.send(self._last_response, self._address)
        elif method == "ACK":
            self._acknowledged.set()
        elif method == "CANCEL":
            self.respond(200, to=message)
            self.respond(487)
            self.log("cancelled")
            self._stop()
        elif method == "BYE":
            self.respond(200, to=message)
            self.log("bye received")
            self._stop()
        else:
            self.respond(200, to=message)

    def _stop(self) -> None:
        self.ended.set()
        self.task.cancel()
