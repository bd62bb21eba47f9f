"""One round of the demo: enrol the ward, call everybody, compare with what had to happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.answers import Severity
from scripts.questionnaire import Questionnaire
from scripts.turns import Disposition
from services.calls.followups import NewFollowUp
from services.database.tables import (
    Alert,
    Attempt,
    Recording,
    RecordingState,
    TurnRow,
    User,
    new_id,
)
from services.demo.residents import Resident, Telephones
from services.runtime import Hospital
from services.security.passwords import Passwords

NURSE = "nurse"
"""Login of the person on duty in the demo."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was expected of one resident's call, and what happened."""

    resident: Resident
    disposition: str | None
    severity: Severity
    seconds: float
    rings: int
    recorded: bool
    turns: int
    """Of the patient."""

    @property
    def good(self) -> bool:
        """Whether the call ended as it had to, and the telephone rang once."""
        wanted = self.resident
        recording = self.recorded or wanted.disposition not in (
            Disposition.COMPLETED,
            Disposition.PARTIAL,
        )
        return (
            self.disposition == wanted.disposition
            and self.severity is wanted.severity
            and self.rings == 1
            and recording
        )


async def put_somebody_on_duty(on: Hospital, name: str, password: str) -> str:
    """Make the demo's nurse, on duty for a day; return the user's id."""
    now = on.clock()
    user = User(
        id=new_id(),
        login=NURSE,
        name=name,
        password_hash=await asyncio.to_thread(Passwords().hash, password),
        role="administrator",
        language="zh",
        created_at=now,
    )
    async with on.sessions.begin() as session:
        session.add(user)
    await on.duty.take(user.id, now, now + timedelta(hours=24))
    return user.id


async def plan(on: Hospital, people: Sequence[Resident], script: Questionnaire) -> dict[str, str]:
    """Enrol the residents, each with a call that is due now; return resident id to follow-up id."""
    version = await on.follow_ups.keep_script(script.id, script.version, script.source)
    now, planned = on.clock(), {}
    for each in people:
        planned[each.id] = await on.follow_ups.plan(
            NewFollowUp(
                patient_id=await on.patients.enrol(each.patient),
                script_version_id=version,
                language=each.patient.language,
                due_at=now,
                expires_at=now + timedelta(hours=24),
                # A demo in the evening must call too.
                ignore_window=True,
            )
        )
    return planned


async def until_called(
    on: Hospital, planned: dict[str, str], tell: Callable[[str], None], poll: float = 0.5
) -> None:
    """Return once everybody's first call is over, and its recording is in the store."""
    told: set[str] = set()
    while len(told) < len(planned):
        async with on.sessions() as session:
            for resident, follow_up in planned.items():
                attempt = await _first_attempt(session, follow_up)
                if resident in told or attempt is None or attempt.ended_at is None:
                    continue
                waiting = select(Recording.id).where(
                    Recording.attempt_id == attempt.id,
                    Recording.state == RecordingState.WRITING,
                )
                if await session.scalar(waiting) is None:
                    told.add(resident)
                    tell(f"{resident}: {attempt.disposition}")
        await asyncio.sleep(poll)


async def outcome(
    on: Hospital, people: Sequence[Resident], planned: dict[str, str], phones: Telephones
) -> list[Row]:
    """Compare what happened with what was expected."""
    rows = []
    async with on.sessions() as session:
        for each in people:
            attempt = await _first_attempt(session, planned[each.id])
            ended = None if attempt is None else attempt.ended_at
            if attempt is None or ended is None:
                raise ValueError(f"the call of {each.id} is not over")
            alerts = await session.scalars(
                select(Alert.severity).where(Alert.attempt_id == attempt.id)
            )
            recorded = await session.scalar(
                select(Recording.state).where(Recording.attempt_id == attempt.id)
            )
            turns = await session.scalar(
                select(func.count()).where(
                    TurnRow.attempt_id == attempt.id, TurnRow.speaker == "patient"
                )
            )
            rows.append(
                Row(
                    resident=each,
                    disposition=attempt.disposition,
                    severity=max(
                        map(Severity, alerts), key=lambda s: s.rank, default=Severity.NONE
                    ),
                    seconds=(ended - attempt.started_at).total_seconds(),
                    rings=sum(ring.number == each.number for ring in phones.rings),
                    recorded=recorded == RecordingState.STORED,
                    turns=turns or 0,
                )
            )
    return rows


async def _first_attempt(session: AsyncSession, follow_up_id: str) -> Attempt | None:
    query = select(Attempt).where(Attempt.follow_up_id == follow_up_id, Attempt.number == 1)
    attempt: Attempt | None = await session.scalar(query)
    return attempt
