"""How the far end of a test call behaves, whatever line carries it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Protocol

FRAME_BYTES = 320
SILENCE = bytes(FRAME_BYTES)


class PatientMedia(Protocol):
    """The far end's ears and mouth, driven every 20 ms from the answer on."""

    digits: list[str]
    """Keys to press, first first; whoever drives it removes them."""
    hung_up: bool
    """Set by the far end when it puts the receiver down."""

    def step(self, heard: bytes) -> bytes:
        """Take the 20 ms just heard, give the next 20 ms to say (8 kHz, 16 bit, 320 bytes)."""
        ...


@dataclass(frozen=True, slots=True)
class Callee:
    """What happens when a number is dialled."""

    ring_seconds: float = 0.1
    rings: bool = True
    """False: no sign of ringing before the answer or the refusal."""
    refuse: int | None = None
    """SIP code to refuse with after ``ring_seconds`` (486 busy, 603 declined); None: answers."""
    answers: bool = True
    """False: rings on until the caller gives up."""
    dead: bool = False
    """No reply at all, as of a trunk that is down."""
    early_media: bytes = b""
    """8 kHz 16-bit sound played before the answer or refusal (a carrier's announcement)."""
    media: PatientMedia | None = None
    """None: silent."""


@dataclass(slots=True)
class ScriptedMedia:
    """Says given sound from given moments on; keeps what it heard."""

    says: dict[float, bytes] = field(default_factory=dict)
    """Seconds after the answer: 8 kHz 16-bit sound."""
    presses: dict[float, str] = field(default_factory=dict)
    """Seconds after the answer: a key."""
    hangs_up_after: float | None = None
    """Seconds after the answer."""
    heard: bytearray = field(default_factory=bytearray)
    digits: list[str] = field(default_factory=list)
    hung_up: bool = False
    _steps: int = 0
    _saying: bytes = b""

    def step(self, heard: bytes) -> bytes:
        now = self._steps * 0.02
        self._steps += 1
        self.heard += heard
        for moment in [m for m in self.says if m <= now]:
            self._saying += self.says.pop(moment)
        for moment in [m for m in self.presses if m <= now]:
            self.digits.append(self.presses.pop(moment))
        if self.hangs_up_after is not None and now >= self.hangs_up_after:
            self.hung_up = True
        frame, self._saying = self._saying[:FRAME_BYTES], self._saying[FRAME_BYTES:]
        return frame.ljust(FRAME_BYTES, b"\0")


def square_wave(seconds: float, half_period: int = 8, loudness: int = 8000) -> bytes:
    """A loud tone at 8 kHz with ``half_period`` samples a half wave; loud from its first sample."""
    samples = round(seconds * 8000)
    values = (loudness if (i // half_period) % 2 == 0 else -loudness for i in range(samples))
    return struct.pack(f"<{samples}h", *values)


def onsets(pcm: bytes, *, threshold: int = 2000, quiet: float = 0.1) -> list[float]:
    """Seconds at which sound begins after at least ``quiet`` seconds of none."""
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm[: len(pcm) // 2 * 2])
    found: list[float] = []
    last_loud = -1_000_000
    for index, value in enumerate(samples):
        if abs(value) >= threshold:
            if index - last_loud > quiet * 8000:
                found.append(index / 8000)
            last_loud = index
    return found
