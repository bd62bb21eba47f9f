"""The line port: how the dialer reaches a telephone, whatever carries it.

A *line* dials a *leg*: one call to one number. The media path is up before the phone rings, so
early media (carriers' announcements) is heard too. What happens on a leg comes as one ordered
stream of events with times on the leg's own clock.

Leg clock: seconds since the leg's media path came up, monotonic. Patient audio carries the time at
which its first sample arrived; system audio the time at which the line began to play it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

SAMPLE_RATE = 8000
"""Hz; 16-bit little-endian mono PCM as ``bytes`` on both directions."""
FRAME_SECONDS = 0.02
FRAME_BYTES = 320


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Everything a line needs to ring somebody once."""

    leg_id: str
    """Chosen by the caller and committed to its rows first: the idempotency key of the call."""
    number: str
    """Digits as they are dialled."""
    ring_timeout: float = 40.0
    """Seconds before an unanswered leg is given up."""
    absolute_timeout: float = 900.0
    """Seconds after which the switch itself ends the leg, even if this process is gone."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far phone rings."""

    at: float


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """Somebody, or something, picked up."""

    at: float


@dataclass(frozen=True, slots=True)
class Audio:
    """One 20 ms frame from the far side; before the answer it is early media."""

    pcm: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    key: str
    at: float


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """The first sample of a played clip went out."""

    clip: str
    at: float


@dataclass(frozen=True, slots=True)
class PlayFinished:
    """A clip went out to its end, or was flushed."""

    clip: str
    at: float
    seconds: float
    """How much of the clip went out."""


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The leg is over; the last event of its stream."""

    at: float
    cause: int | None
    """ITU-T Q.850 cause, None where the line knows none."""
    sip_code: int | None
    """Final SIP response of an unanswered leg, None if there was none."""
    by_us: bool
    """We hung up."""
    answered: bool
    rang: bool


LegEvent = Ringing | LegAnswered | Audio | Digit | PlayStarted | PlayFinished | LegEnded


class LineError(Exception):
    """The line could not do what was asked.

    ``retryable``: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class LineUnavailable(LineError):
    """The switch cannot be reached or refuses everything; a later try may succeed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class LegExists(LineError):
    """A leg of this id is or was already there: never ring again for it."""

    def __init__(self, leg_id: str) -> None:
        super().__init__(f"leg {leg_id} exists already", retryable=False)


class Leg(Protocol):
    """One call to one number."""

    id: str

    def events(self) -> AsyncIterator[LegEvent]:
        """Everything that happens, in order; ends after LegEnded. May be iterated once."""
        ...

    async def play(self, clip: str, pcm: bytes) -> None:
        """Queue sound behind what is already queued; PlayStarted and PlayFinished report it.

        ``clip`` names it in those events and is unique in the leg.
        """
        ...

    async def flush(self) -> None:
        """Stop playing now and drop the queue; PlayFinished tells how much went out."""
        ...

    async def hang_up(self) -> None:
        """End the leg; LegEnded follows. Harmless on an ended leg."""
        ...


class Line(Protocol):
    """Something that can ring telephones."""

    name: str

    async def dial(self, request: DialRequest) -> Leg:
        """Create the leg, bring its media path up, and start ringing.

        Raises:
            LegExists: the id was used before.
            LineUnavailable: the switch cannot be reached or refuses.
        """
        ...

    async def reap(self, leg_id: str) -> bool:
        """Hang up whatever is left of a leg, also one of a dead process. True if it was there."""
        ...

    async def legs(self) -> tuple[str, ...]:
        """Ids of the legs that are up on the switch and were dialled through this product."""
        ...
