"""Gives each received frame its place on the leg's clock, free of network jitter.

A telephone sends one frame every 20 ms, so in an unbroken stream the sample clock is better than
the time of arrival. But frames can be missing (packets lost, a telephone that sends nothing in
silence), and then only the arrival tells where the next one belongs.

A frame that comes late is one of two things: first after a gap, or held up with others behind it.
What comes next decides: held-up frames arrive faster than they were spoken, until they have caught
up. So a late frame waits until three more have come at their ordinary pace, 60 ms as a rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from dialer.line import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, Audio

LATE = 0.03
"""Seconds behind the sample clock from which a frame is looked at."""
TOGETHER = 0.016
"""Seconds between arrivals below which messages were held up together."""
CALM = 3
"""Messages at an ordinary pace after which a late one is judged."""
DRIFT = 0.015
"""Mean seconds off the sample clock from which the clock is set again: lost single packets and
clocks that run at different speeds."""
_SMOOTHING = 0.1


@dataclass(slots=True)
class FrameClock:
    """Places the frames of one direction of one leg."""

    _expected: float | None = None
    """When the next sample is due; None before the first."""
    _off: float = 0.0
    """Smoothed lateness in seconds."""
    _waiting: list[tuple[bytes, float]] = field(default_factory=list)
    """Messages that are not placed yet, with their arrivals."""
    _calm: int = 0
    _rest: bytes = b""
    """Start of a frame that the next message completes (packets that are not whole frames)."""

    def place(self, pcm: bytes, arrival: float) -> list[Audio]:
        """Take a message that arrived at ``arrival``; the frames that are now sure of their place.

        Args:
            pcm: any number of samples.
            arrival: seconds on the leg's clock.
        """
        if self._waiting:
            pause = arrival - self._waiting[-1][1]
            if pause > FRAME_SECONDS + 2 * LATE:  # late itself
                return self.settle() + self.place(pcm, arrival)
            self._calm += pause >= TOGETHER
            self._waiting.append((pcm, arrival))
            return self.settle() if self._calm >= CALM else []
        late = None if self._expected is None else arrival - self._expected
        if late is None or late > LATE:
            self._waiting, self._calm = [(pcm, arrival)], 0
            return []
        self._off += (late - self._off) * _SMOOTHING
        if abs(self._off) > DRIFT:
            settled = self._jump(self._off)
            return settled + self._emit(pcm)
        return self._emit(pcm)

    def settle(self) -> list[Audio]:
        """Place what still waits; also called when the stream ends."""
        if not self._waiting:
            return []
        # Each of them was held up by something; the least says best when the first was due.
        start, ahead = inf, 0.0
        for pcm, arrival in self._waiting:
            start = min(start, arrival - ahead)
            ahead += _seconds(pcm)
        settled: list[Audio] = []
        if self._expected is None:
            self._expected = start
        elif start - self._expected > LATE:
            settled = self._jump(start - self._expected)
        for pcm, _ in self._waiting:
            settled += self._emit(pcm)
        self._waiting = []
        return settled

    def _jump(self, seconds: float) -> list[Audio]:
        """Set the clock; a frame that was begun is completed with silence before a gap."""
        settled = []
        if self._rest and seconds > 0:
            settled = self._emit(bytes(FRAME_BYTES - len(self._rest)))
        self._expected = (self._expected or 0.0) + seconds
        self._off = 0.0
        return settled

    def _emit(self, pcm: bytes) -> list[Audio]:
        start = (self._expected or 0.0) - _seconds(self._rest)
        whole = self._rest + pcm
        count = len(whole) // FRAME_BYTES
        self._rest = whole[count * FRAME_BYTES :]
        self._expected = (self._expected or 0.0) + _seconds(pcm)
        return [
            Audio(whole[i * FRAME_BYTES : (i + 1) * FRAME_BYTES], start + i * FRAME_SECONDS)
            for i in range(count)
        ]


def _seconds(pcm: bytes) -> float:
    return len(pcm) / (2 * SAMPLE_RATE)
