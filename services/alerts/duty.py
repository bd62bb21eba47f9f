"""Who answers for alerts at a moment. Without somebody, nobody is called."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.database.session import Sessions
from services.database.tables import DutyShift, User


class Duty:
    """The duty roster."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def on_duty(self, at: datetime) -> tuple[str, ...]:
        """Return the ids of the users on duty at ``at``, the longest there first.

        A user who may no longer sign in could not acknowledge, and is not counted.
        """
        async with self._sessions() as session:
            return await on_duty_in(session, at)

    async def somebody_on_duty(self, at: datetime) -> bool:
        """Whether calls may be placed at ``at``."""
        return bool(await self.on_duty(at))

    async def take(self, user_id: str, starts_at: datetime, ends_at: datetime) -> str:
        """Put a user on duty; return the id of the shift.

        Raises:
            ValueError: the shift ends before it starts.
        """
        if ends_at <= starts_at:
            raise ValueError("a duty must end after it starts")
        shift = DutyShift(user_id=user_id, starts_at=starts_at, ends_at=ends_at)
        async with self._sessions.begin() as session:
            session.add(shift)
        return shift.id


async def on_duty_in(session: AsyncSession, at: datetime) -> tuple[str, ...]:
    """Return who is on duty, read within a session that is open already."""
    query = (
        select(DutyShift.user_id)
        .join(User, User.id == DutyShift.user_id)
        .where(DutyShift.starts_at <= at, DutyShift.ends_at > at, User.active)
        .order_by(DutyShift.starts_at)
    )
    return tuple(dict.fromkeys(await session.scalars(query)))
