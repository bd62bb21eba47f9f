"""RTP for the tests' SIP phone: mu-law sound (RFC 3551) and key presses (RFC 4733)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 160
KEYS = "0123456789*#ABCD"


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """ITU-T G.711 mu-law: code of each 16-bit value (shifted by 32768), value of each code."""
    codes = np.arange(256)
    inverted = ~codes & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + 132) << ((inverted & 0x70) >> 4)) - 132
    values = np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int16)
    levels = np.arange(-32768, 32768)
    clipped = np.minimum(np.abs(levels), 32635) + 132
    exponent = np.floor(np.log2(clipped)).astype(int) - 7
    mantissa = (clipped >> (exponent + 3)) & 0x0F
    sign = np.where(levels < 0, 0x80, 0)
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8), values


_CODE, _VALUE = _tables()


def to_mulaw(pcm: bytes) -> bytes:
    """16-bit little-endian samples as mu-law."""
    levels = np.frombuffer(pcm, "<i2").astype(np.int32) + 32768
    return _CODE[levels].tobytes()


def from_mulaw(coded: bytes) -> bytes:
    """Mu-law as 16-bit little-endian samples."""
    return _VALUE[np.frombuffer(coded, np.uint8)].astype("<i2").tobytes()


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet (RFC 3550), without extensions."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Packet | None:
        """None for what is not RTP."""
        if len(data) < 12 or data[0] >> 6 != 2:
            return None
        kind, sequence, timestamp = data[1], *struct.unpack("!HI", data[2:8])
        start = 12 + 4 * (data[0] & 0x0F)
        return cls(kind & 0x7F, bool(kind & 0x80), sequence, timestamp, data[start:])


class Sender:
    """Numbers the packets of one stream."""

    def __init__(self, payload_type: int, event_type: int | None, source: int) -> None:
        self.payload_type = payload_type
        self.event_type = event_type
        self._source = source
        self._sequence = 0
        self._timestamp = 0
        self._fresh = True

    def sound(self, pcm: bytes) -> bytes:
        """20 ms of sound."""
        packet = self._pack(self.payload_type, self._fresh, self._timestamp, to_mulaw(pcm))
        self._fresh = False
        self._timestamp += SAMPLES
        return packet

    def key(self, key: str) -> list[bytes]:
        """A key held for 100 ms: five packets to send 20 ms apart, the last one repeated twice."""
        if self.event_type is None:
            raise ValueError("the caller did not offer telephone-event")
        code, start = KEYS.index(key), self._timestamp
        packets = []
        for step in (1, 2, 3, 4, 5, 5, 5):
            flags = 10 | (0x80 if step == 5 else 0)
            payload = struct.pack("!BBH", code, flags, step * SAMPLES)
            packets.append(self._pack(self.event_type, step == 1, start, payload))
        self._timestamp += 5 * SAMPLES
        return packets

    def _pack(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        kind = payload_type | (0x80 if marker else 0)
        header = struct.pack(
            "!BBHII", 0x80, kind, self._sequence & 0xFFFF, timestamp & 0xFFFFFFFF, self._source
        )
        self._sequence += 1
        return header + payload


class ArrivalClock:
    """When the sound of each packet began to arrive, without the jitter of single packets.

    The sender's clock (RTP timestamps) laid along the times of arrival: it follows them slowly, and
    at once where it is far off.
    """

    FAR = 0.06
    FOLLOWING = 0.02

    def __init__(self) -> None:
        self._zero: float | None = None
        self._timestamp = 0

    def at(self, timestamp: int, arrival: float) -> float:
        """Seconds on the clock of ``arrival``."""
        step = (timestamp - self._timestamp) & 0xFFFFFFFF
        self._timestamp = timestamp
        if self._zero is None:
            self._zero = arrival
            return arrival
        self._zero += step / 8000
        off = arrival - self._zero
        self._zero += off if abs(off) > self.FAR else off * self.FOLLOWING
        return self._zero
