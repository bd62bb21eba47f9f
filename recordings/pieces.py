"""The raw log of a call's sound: pieces of either side, in the order in which they became known.

A piece says when it was heard or played, so nothing has to be aligned while the call goes on, and
what the system said may be told after the fact. ``recordings.alignment`` lays the pieces out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

SAMPLE_RATE = 8000
"""Hz; 16-bit little-endian mono PCM."""
_RECORD = struct.Struct(">BdI")


class Side(IntEnum):
    """Whose sound; also the channel of the recording, 0 left and 1 right."""

    PATIENT = 0
    SYSTEM = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound of one side."""

    side: Side
    at: float
    """Seconds on the leg's clock."""
    pcm: bytes


def encode(piece: Piece) -> bytes:
    """Return the piece as the log keeps it."""
    return _RECORD.pack(piece.side, piece.at, len(piece.pcm)) + piece.pcm


def decode(log: bytes) -> Iterator[Piece]:
    """Yield the pieces of a log; a log that breaks off yields what is left of its last piece."""
    offset = 0
    while offset + _RECORD.size <= len(log):
        side, at, length = _RECORD.unpack_from(log, offset)
        offset += _RECORD.size
        yield Piece(Side(side), at, log[offset : offset + length])
        offset += length
