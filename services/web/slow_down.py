"""Makes guessing passwords slow without locking anybody out for good."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.clock import Clock

FREE_FAILURES = 5
LONGEST = timedelta(minutes=5)
FORGET_AFTER = timedelta(minutes=30)
_MOST_REMEMBERED = 10_000


class SlowDown:
    """Counts failures by key: a login, or the address they come from.

    After five failures the next try has to wait one second, then two, four ... at most five minutes.
    Kept in memory: a restart forgets it, which helps nobody guess.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, datetime]] = {}

    def wait(self, *keys: str) -> float:
        """Return how many seconds until the next try is allowed; 0: now."""
        return max((self._wait(key) for key in keys), default=0.0)

    def _wait(self, key: str) -> float:
        count, last = self._failures.get(key, (0, self._clock()))
        over = min(count - FREE_FAILURES, 20)
        if over < 0:
            return 0.0
        allowed_at = last + min(timedelta(seconds=2**over), LONGEST)
        return max(0.0, (allowed_at - self._clock()).total_seconds())

    def failed(self, *keys: str) -> None:
        """Note a failure."""
        now = self._clock()
        for key in keys:
            count, last = self._failures.pop(key, (0, now))
            self._failures[key] = (1 if now - last > FORGET_AFTER else count + 1, now)
        while len(self._failures) > _MOST_REMEMBERED:
            # The oldest first: a dictionary keeps its order.
            del self._failures[next(iter(self._failures))]

    def succeeded(self, *keys: str) -> None:
        """Forget the failures."""
        for key in keys:
            self._failures.pop(key, None)
