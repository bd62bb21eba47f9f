"""Wakes those who show alerts and calls live.

Within this process a change is told at once. Other processes change rows too (a worker raises, the
desk shows), so the rows are looked at every second as well, by a fingerprint that is cheap to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import func, select

from services.database.session import Sessions
from services.database.tables import AlertEvent, Attempt, DutyShift

POLL_SECONDS = 1.0

Fingerprint = tuple[object, ...]


class Changes:
    """The bus of one process."""

    def __init__(self, sessions: Sessions, poll_seconds: float = POLL_SECONDS) -> None:
        self._sessions = sessions
        self._poll_seconds = poll_seconds
        self._told = asyncio.Event()

    def tell(self) -> None:
        """Alerts, calls or duties changed; the rows are committed."""
        # Each waits on the event of its own time: setting it wakes exactly those who wait now.
        told, self._told = self._told, asyncio.Event()
        told.set()

    async def watch(self) -> AsyncIterator[None]:
        """Yield once at the start, then after every change. Changes close together may be one."""
        seen: Fingerprint | None = None
        while True:
            told = self._told
            now = await self._fingerprint()
            if now != seen:
                seen = now
                yield
                continue
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await told.wait()
            except TimeoutError:
                continue

    async def _fingerprint(self) -> Fingerprint:
        calls = select(Attempt.state, Attempt.stage, func.count()).group_by(
            Attempt.state, Attempt.stage
        )
        async with self._sessions() as session:
            alerts = await session.scalar(select(func.count()).select_from(AlertEvent))
            duties = await session.execute(
                select(func.count(), func.max(DutyShift.ends_at)).select_from(DutyShift)
            )
            stages = await session.execute(calls.order_by(Attempt.state, Attempt.stage))
            return (alerts, *duties.one(), *(tuple(row) for row in stages))
