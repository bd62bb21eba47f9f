"""Follow-ups: planned, found when they are due, and moved on.

Whether somebody may be called is one query, ``callable_now``. The tick asks it to choose, and the
attempt asks it again in the transaction that commits it: minutes may lie between the two, and a
nurse may have cancelled, or the patient asked never to be called again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.alerts.duty import on_duty_in
from services.calls.calling_window import CallingWindow
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import (
    Attempt,
    FollowUp,
    FollowUpState,
    OptOutRow,
    Patient,
    PhoneNumber,
    ScriptVersion,
    new_id,
)


@dataclass(frozen=True, slots=True)
class NewFollowUp:
    """One questionnaire to be asked of one patient."""

    patient_id: str
    script_version_id: str
    language: str
    due_at: datetime
    expires_at: datetime
    priority: int = 5
    """1 is most urgent."""
    ignore_window: bool = False
    """A person wants it placed at once."""
    phone_number_id: str | None = None
    """The only number to try; None: the patient's in turn."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to make the attempt of one number: what a workflow carries."""

    follow_up_id: str
    number: int

    @property
    def workflow_id(self) -> str:
        """The idempotency key."""
        return f"call-{self.follow_up_id}-{self.number}"


class FollowUps:
    """Keeps follow-ups and finds the due ones."""

    def __init__(self, sessions: Sessions, window: CallingWindow, clock: Clock) -> None:
        self._sessions = sessions
        self._window = window
        self._clock = clock

    async def keep_script(self, script_id: str, version: str, source: str) -> str:
        """Keep a script exactly as it will be asked; return the id of that version."""
        sha256 = hashlib.sha256(source.encode()).hexdigest()
        async with self._sessions.begin() as session:
            query = select(ScriptVersion.id).where(
                ScriptVersion.script_id == script_id,
                ScriptVersion.version == version,
                ScriptVersion.sha256 == sha256,
            )
            known = await session.scalar(query)
            if known is not None:
                return known
            row = ScriptVersion(
                id=new_id(),
                script_id=script_id,
                version=version,
                sha256=sha256,
                source=source,
                created_at=self._clock(),
            )
            session.add(row)
        return row.id

    async def plan(self, new: NewFollowUp) -> str:
        """Plan a follow-up; return its id.

        Raises:
            ValueError: it would expire before it is due.
        """
        if new.expires_at <= new.due_at:
            raise ValueError("a follow-up must expire after it is due")
        row = FollowUp(
            id=new_id(),
            patient_id=new.patient_id,
            script_version_id=new.script_version_id,
            language=new.language,
            due_at=new.due_at,
            expires_at=new.expires_at,
            priority=new.priority,
            ignore_window=new.ignore_window,
            phone_number_id=new.phone_number_id,
            created_at=self._clock(),
        )
        async with self._sessions.begin() as session:
            session.add(row)
        return row.id

    async def cancel(self, follow_up_id: str) -> bool:
        """Call nobody for it any more; False if it was over. A call that goes on is not cut."""
        async with self._sessions.begin() as session:
            query = update(FollowUp).where(
                FollowUp.id == follow_up_id,
                FollowUp.state.in_((FollowUpState.PLANNED, FollowUpState.QUEUED)),
            )
            done = query.values(state=FollowUpState.CANCELLED).returning(FollowUp.id)
            return await session.scalar(done) is not None

    async def claim_due(self, lines: int) -> tuple[Ticket, ...]:
        """Move the most urgent due follow-ups to ``queued``, no more than lines are free.

        Nobody on duty: none.
        """
        now = self._clock()
        async with self._sessions() as session:
            if not await on_duty_in(session, now):
                return ()
            free = lines - await _lines_taken(session)
            chosen = await self._choose(session, now, free) if free > 0 else []
        tickets = [await self._claim(follow_up) for follow_up in chosen]
        return tuple(ticket for ticket in tickets if ticket is not None)

    async def _choose(self, session: AsyncSession, now: datetime, free: int) -> list[FollowUp]:
        zones = await open_zones(session, self._window, now)
        other = aliased(FollowUp)
        busy = select(other.id).where(
            other.patient_id == FollowUp.patient_id, other.state == FollowUpState.QUEUED
        )
        query = callable_now(now, zones).where(
            FollowUp.state == FollowUpState.PLANNED, FollowUp.due_at <= now, ~busy.exists()
        )
        query = query.order_by(FollowUp.priority, FollowUp.due_at, FollowUp.id)
        chosen: dict[str, FollowUp] = {}
        for follow_up in await session.scalars(query):
            # One at a time for each patient, the most urgent.
            chosen.setdefault(follow_up.patient_id, follow_up)
            if len(chosen) == free:
                break
        return list(chosen.values())

    async def _claim(self, follow_up: FollowUp) -> Ticket | None:
        """Another tick may have been faster: then None."""
        async with self._sessions.begin() as session:
            query = update(FollowUp).where(
                FollowUp.id == follow_up.id,
                FollowUp.state == FollowUpState.PLANNED,
                FollowUp.attempts == follow_up.attempts,
            )
            number = await session.scalar(
                query.values(state=FollowUpState.QUEUED, attempts=FollowUp.attempts + 1).returning(
                    FollowUp.attempts
                )
            )
        return None if number is None else Ticket(follow_up.id, number)

    async def queued(self) -> tuple[Ticket, ...]:
        """Return what a workflow must have at this moment."""
        async with self._sessions() as session:
            query = select(FollowUp.id, FollowUp.attempts).where(
                FollowUp.state == FollowUpState.QUEUED
            )
            rows = await session.execute(query.order_by(FollowUp.priority, FollowUp.due_at))
            return tuple(Ticket(row.id, row.attempts) for row in rows)

    async def release(self, ticket: Ticket) -> None:
        """Plan a follow-up again whose workflow ended without an attempt."""
        attempt = select(Attempt.id).where(
            Attempt.follow_up_id == ticket.follow_up_id, Attempt.number == ticket.number
        )
        async with self._sessions.begin() as session:
            await session.execute(
                update(FollowUp)
                .where(
                    FollowUp.id == ticket.follow_up_id,
                    FollowUp.attempts == ticket.number,
                    FollowUp.state == FollowUpState.QUEUED,
                    ~attempt.exists(),
                )
                .values(state=FollowUpState.PLANNED)
            )

    async def give_up_expired(self) -> int:
        """Hand follow-ups whose time is over to a person; return how many."""
        async with self._sessions.begin() as session:
            expired = await session.scalars(
                update(FollowUp)
                .where(
                    FollowUp.state == FollowUpState.PLANNED, FollowUp.expires_at <= self._clock()
                )
                .values(state=FollowUpState.GIVEN_UP)
                .returning(FollowUp.id)
            )
            return len(expired.all())


async def _lines_taken(session: AsyncSession) -> int:
    """Count what is queued, and the calls that go on although their follow-up was cancelled."""
    queued = select(func.count()).where(FollowUp.state == FollowUpState.QUEUED)
    others = (
        select(func.count())
        .select_from(Attempt)
        .join(FollowUp, FollowUp.id == Attempt.follow_up_id)
        .where(Attempt.ended_at.is_(None), FollowUp.state != FollowUpState.QUEUED)
    )
    return (await session.scalar(queued) or 0) + (await session.scalar(others) or 0)


def callable_now(now: datetime, zones: list[str]) -> Select[FollowUp]:
    """Select the follow-ups whose patient may be called now, in whatever state they are.

    Args:
        now: the time.
        zones: the time zones in which the calling window is open.
    """
    live = select(Attempt.id).where(
        Attempt.patient_id == FollowUp.patient_id, Attempt.ended_at.is_(None)
    )
    opted_out = select(OptOutRow.id).where(OptOutRow.patient_id == FollowUp.patient_id)
    number = select(PhoneNumber.id).where(number_to_try())
    return (
        select(FollowUp)
        .join(Patient, Patient.id == FollowUp.patient_id)
        .where(
            FollowUp.expires_at > now,
            or_(FollowUp.ignore_window, Patient.time_zone.in_(zones)),
            ~live.exists(),
            ~opted_out.exists(),
            number.exists(),
        )
    )


def number_to_try() -> ColumnElement[bool]:
    """Whether a number may be dialled for the follow-up that stands in the same query."""
    return and_(
        PhoneNumber.patient_id == FollowUp.patient_id,
        or_(FollowUp.phone_number_id.is_(None), PhoneNumber.id == FollowUp.phone_number_id),
        usable_number(),
    )


def usable_number() -> ColumnElement[bool]:
    """Whether a number may be dialled: it exists, and nobody there asked never to be called."""
    refused = select(OptOutRow.id).where(OptOutRow.number_hash == PhoneNumber.number_hash)
    return PhoneNumber.valid & ~refused.exists()


async def open_zones(session: AsyncSession, window: CallingWindow, now: datetime) -> list[str]:
    """Return the time zones of our patients in which a phone may ring now."""
    zones = await session.scalars(select(Patient.time_zone).distinct())
    return [zone for zone in zones if window.open_at(now, zone)]
