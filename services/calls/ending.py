"""The end of an attempt, and what it means for the follow-up: one transaction, once.

Whoever ends an attempt does so under ``ended_at IS NULL``: the call itself, a worker that finds it
left behind, or both at once.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from dialer.outcomes import CallResult
from scripts.turns import Disposition
from services.alerts.changes import Changes
from services.calls.followups import number_to_try
from services.calls.retry import Again, Decision, Done, Person, RetryPolicy
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import Attempt, AttemptState, FollowUp, FollowUpState, PhoneNumber
from services.messaging.messages import CallKind, call_message
from services.messaging.mqtt import Outgoing

log = logging.getLogger(__name__)

DATABASE_WAITS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between tries while the database is away; the last repeats."""


@dataclass(frozen=True, slots=True)
class Endings:
    """Ends attempts and moves their follow-ups on."""

    sessions: Sessions
    policy: RetryPolicy
    outgoing: Outgoing
    changes: Changes
    clock: Clock

    async def end(self, attempt_id: str, result: CallResult) -> bool:
        """Write how an attempt ended; False if it had ended already.

        While the database is away it tries again for as long as the process lives: a patient whose
        completed call was forgotten would be called twice.
        """
        tries = 0
        while True:
            try:
                return await self._end_once(attempt_id, result)
            except SQLAlchemyError as error:
                wait = DATABASE_WAITS[min(tries, len(DATABASE_WAITS) - 1)]
                log.error(
                    "the end of attempt %s cannot be written (%s); again in %.1f s",
                    attempt_id, type(error).__name__, wait,
                )  # fmt: skip
                tries += 1
                await asyncio.sleep(wait)

    async def _end_once(self, attempt_id: str, result: CallResult) -> bool:
        now = self.clock()
        async with self.sessions.begin() as session:
            ended = await session.scalar(
                update(Attempt)
                .where(Attempt.id == attempt_id, Attempt.ended_at.is_(None))
                .values(
                    state=AttemptState.ENDED,
                    disposition=result.disposition,
                    cause=result.cause,
                    sip_code=result.sip_code,
                    ended_at=now,
                )
                .returning(Attempt)
            )
            if ended is None:
                return False
            await self._move_on(session, ended, result.disposition)
        self.changes.tell()
        self.outgoing.post(call_message(ended, CallKind.ENDED, now, disposition=result.disposition))
        return True

    async def _move_on(
        self, session: AsyncSession, attempt: Attempt, disposition: Disposition
    ) -> None:
        follow_up = await session.get_one(FollowUp, attempt.follow_up_id)
        if disposition is Disposition.INVALID_NUMBER:
            decision = await self._after_invalid_number(session, attempt)
        else:
            earlier = await session.scalars(
                select(Attempt.disposition)
                .where(
                    Attempt.follow_up_id == attempt.follow_up_id, Attempt.disposition.is_not(None)
                )
                .order_by(Attempt.number)
            )
            ended = [Disposition(each) for each in earlier if each is not None]
            decision = self.policy.decide(ended, self.clock(), follow_up.expires_at)
        values: dict[str, object] = {"disposition": disposition, "state": _state(decision)}
        if isinstance(decision, Again):
            values["due_at"] = decision.at
        # A follow-up that somebody cancelled meanwhile stays cancelled.
        await session.execute(
            update(FollowUp)
            .where(
                FollowUp.id == attempt.follow_up_id,
                FollowUp.state == FollowUpState.QUEUED,
                FollowUp.attempts == attempt.number,
            )
            .values(values)
        )

    async def _after_invalid_number(self, session: AsyncSession, attempt: Attempt) -> Decision:
        """Never dial it again; the next number of the patient is tried at once."""
        await session.execute(
            update(PhoneNumber).where(PhoneNumber.id == attempt.phone_number_id).values(valid=False)
        )
        left = await session.scalar(
            select(func.count(PhoneNumber.id))
            .join(FollowUp, number_to_try())
            .where(FollowUp.id == attempt.follow_up_id)
        )
        return Again(self.clock()) if left else Person()


def _state(decision: Decision) -> FollowUpState:
    if isinstance(decision, Again):
        return FollowUpState.PLANNED
    return FollowUpState.DONE if isinstance(decision, Done) else FollowUpState.GIVEN_UP
