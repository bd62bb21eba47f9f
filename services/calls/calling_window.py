"""When somebody may be called: by the clock on their own wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class CallingWindow:
    """Times of day between which a phone may ring; ``until`` itself is too late."""

    start: time
    until: time

    def open_at(self, at: datetime, time_zone: str) -> bool:
        """Whether the window is open for somebody who lives in ``time_zone`` (IANA name).

        In a zone that is not known it is never open: the hour there cannot be told.
        """
        try:
            zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError):
            return False
        return self.start <= at.astimezone(zone).time() < self.until
