"""Laying pieces of sound out on two channels that share the leg's clock.

A frame from the network may arrive late, never early. So while frames come within 20 ms of where
the previous one ended they are joined without a seam, and a frame that seems later than that opens
a gap only when the following ones are late as well; otherwise only the packet was slow. Where pieces
of one side overlap, the newer one ends the older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from recordings.pieces import SAMPLE_RATE, Piece, Side

Samples = npt.NDArray[np.int16]

TOLERANCE = SAMPLE_RATE // 50
"""Samples (20 ms) by which a piece may miss the end of the one before and still be joined to it."""
LOOK_AHEAD = 10
"""Frames that decide whether a late frame means a gap."""


def align(pieces: Iterable[Piece]) -> Samples:
    """Return the recording, shape (2, samples): patient, then system; equal length."""
    by_side: dict[Side, list[Piece]] = {Side.PATIENT: [], Side.SYSTEM: []}
    for piece in pieces:
        by_side[piece.side].append(piece)
    # What we play is placed by the line exactly; only what comes over the network is late.
    patient = _lane(by_side[Side.PATIENT], LOOK_AHEAD)
    system = _lane(by_side[Side.SYSTEM], 1)
    both = np.zeros((2, max(len(patient), len(system))), np.int16)
    both[0, : len(patient)] = patient
    both[1, : len(system)] = system
    return both


def _lane(pieces: list[Piece], look_ahead: int) -> Samples:
    ordered = sorted(pieces, key=lambda piece: piece.at)
    sounds = [np.frombuffer(p.pcm[: len(p.pcm) & ~1], "<i2") for p in ordered]
    wanted = [round(piece.at * SAMPLE_RATE) for piece in ordered]
    placed = _places(wanted, [len(sound) for sound in sounds], look_ahead)
    longest = max((at + len(sound) for at, sound in zip(placed, sounds, strict=True)), default=0)
    lane = np.zeros(longest, np.int16)
    end = 0
    for at, sound in zip(placed, sounds, strict=True):
        lane[at:end] = 0
        lane[at : at + len(sound)] = sound
        end = at + len(sound)
    return lane[:end]


def _places(wanted: Sequence[int], lengths: Sequence[int], look_ahead: int) -> list[int]:
    """Return the sample at which each piece starts."""
    places: list[int] = []
    cursor: int | None = None
    for index, at in enumerate(wanted):
        if cursor is None or abs(at - cursor) >= TOLERANCE:
            at = _earliest(wanted, lengths, index, look_ahead)
        if cursor is not None and abs(at - cursor) < TOLERANCE:
            at = cursor
        at = max(0, at)
        places.append(at)
        cursor = at + lengths[index]
    return places


def _earliest(wanted: Sequence[int], lengths: Sequence[int], index: int, look_ahead: int) -> int:
    """Return where a run that starts with this piece belongs, judged by its least late piece."""
    place, spoken = wanted[index], 0
    for number in range(index, min(index + look_ahead, len(wanted))):
        place = min(place, wanted[number] - spoken)
        spoken += lengths[number]
    return place
