"""The clock that is passed to everything that asks for the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time now, timezone-aware. Tests pass their own."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)
