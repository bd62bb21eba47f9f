"""The calls of a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.answers import Severity
from services.database.tables import Alert, AnswerRow, Attempt, Recording, RecordingState
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.names import Names, Person
from services.web.severities import worst_of
from services.web.visitors import Visitor, may

router = APIRouter()


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in the list."""

    row: Attempt
    patient: Person
    severity: Severity
    recorded: bool

    @property
    def seconds(self) -> float | None:
        """How long they talked."""
        if self.row.answered_at is None or self.row.ended_at is None:
            return None
        return (self.row.ended_at - self.row.answered_at).total_seconds()


@router.get("/calls")
async def calls_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(may("read_calls"))],
    day: Annotated[date | None, Query()] = None,
) -> Response:
    """Show the calls that were begun on a day of the hospital's zone, the newest first."""
    desk = Desk.of(request)
    today = desk.now().date()
    day = day or today
    async with desk.services.sessions.begin() as session:
        calls = await _calls(session, Names(desk.services), _day_of(desk, day))
        note(session, desk.services.clock(), visitor.id, Did.LIST_CALLS, "attempt")
    one = timedelta(days=1)
    return desk.page(
        request,
        "calls.html",
        calls=calls,
        day=day,
        before=day - one if day > date.min else None,
        after=day + one if day < today else None,
        is_today=day == today,
    )


def _day_of(desk: Desk, day: date) -> tuple[datetime, datetime]:
    zone = desk.services.zone
    start = datetime.combine(day, time(), zone)
    # Of the wall clock: a day on which it changes is not 24 hours long.
    return start, datetime.combine(day + timedelta(days=1), time(), zone)


async def _calls(
    session: AsyncSession, names: Names, day: tuple[datetime, datetime]
) -> list[CallLine]:
    begun = (Attempt.started_at >= day[0]) & (Attempt.started_at < day[1])
    query = select(Attempt).where(begun).order_by(Attempt.started_at.desc())
    attempts: Sequence[Attempt] = (await session.scalars(query)).all()
    people = await names.of(session, {attempt.patient_id for attempt in attempts})
    severities: dict[str, list[str]] = defaultdict(list)
    for table in (Alert, AnswerRow):
        found = select(table.attempt_id, table.severity).join(Attempt).where(begun).distinct()
        for attempt_id, severity in await session.execute(found):
            severities[attempt_id].append(severity)
    recorded = set(
        await session.scalars(
            select(Recording.attempt_id)
            .join(Attempt)
            .where(begun, Recording.state == RecordingState.STORED)
        )
    )
    return [
        CallLine(
            row=attempt,
            patient=people[attempt.patient_id],
            severity=worst_of(*severities[attempt.id]),
            recorded=attempt.id in recorded,
        )
        for attempt in attempts
    ]
