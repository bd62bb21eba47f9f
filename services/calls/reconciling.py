"""What a dead process left behind: found, hung up, ended.

Every worker looks all the time. All of it may be done twice, by two workers at once, without harm.
"""

from __future__ import annotations

import logging

from sqlalchemy import select

from dialer.line import Line, LineError
from services.calls.placing import Placing
from services.database.session import Sessions
from services.database.tables import Attempt

log = logging.getLogger(__name__)


class Reconciling:
    """Cleans up on one line."""

    def __init__(self, sessions: Sessions, line: Line, placing: Placing) -> None:
        self._sessions = sessions
        self._line = line
        self._placing = placing

    async def look(self) -> None:
        """End what nobody carries any more, and hang up legs that should be down."""
        await self._end_left_attempts()
        await self._reap_orphans()

    async def _end_left_attempts(self) -> None:
        async with self._sessions() as session:
            query = select(Attempt).where(
                Attempt.ended_at.is_(None), Attempt.line == self._line.name
            )
            live = (await session.scalars(query)).all()
        for attempt in live:
            if attempt.id not in self._placing.carried:
                await self._placing.reconcile(attempt)

    async def _reap_orphans(self) -> None:
        """Hang up legs whose attempt has ended.

        A worker that was only slow may dial after the others took it for dead. A leg that is in no
        row at all is another installation's on the same switch, and none of our business.
        """
        try:
            up = [leg for leg in await self._line.legs() if leg not in self._placing.carried]
        except LineError as error:
            log.warning("the switch cannot be asked for its legs: %s", type(error).__name__)
            return
        if not up:
            return
        async with self._sessions() as session:
            ended = await session.scalars(
                select(Attempt.id).where(Attempt.id.in_(up), Attempt.ended_at.is_not(None))
            )
            orphans = ended.all()
        for leg in orphans:
            log.warning("leg %s was up although its attempt had ended; hanging up", leg)
            try:
                await self._line.reap(leg)
            except LineError as error:
                log.error("leg %s cannot be reaped yet: %s", leg, type(error).__name__)
