"""One attempt, from its ticket to its end in the rows.

::

    ticket --> allowed? --no--> not called (the follow-up is planned again)
                  |
                 yes: the attempt row is committed, with the id its leg will have
                  |
                place_call (ring, converse) --> ended, and the follow-up moves on

A workflow that is run again after a crash finds its attempt. It never dials: it hangs up whatever is
left of the leg and ends the attempt as ``interrupted``; the retry policy plans the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from dialer.line import LegExists, Line, LineError
from dialer.outcomes import CallResult
from scripts.turns import Disposition
from services.alerts.duty import on_duty_in
from services.calls.calling_window import CallingWindow
from services.calls.ending import Endings
from services.calls.followups import Ticket, callable_now, number_to_try, open_zones
from services.database.tables import Attempt, FollowUp, FollowUpState, PhoneNumber, new_id
from services.messaging.messages import CallKind, call_message

log = logging.getLogger(__name__)

BREAK_OFF_SECONDS = 30.0
"""For a call that is broken off to write down what was said."""
INTERRUPTED = CallResult(Disposition.INTERRUPTED)
LINE_FAILURE = CallResult(Disposition.LINE_FAILURE)


class PlaceCall(Protocol):
    """Rings and converses; ``services.runtime`` makes it out of the line, the voice and the ears."""

    async def __call__(self, attempt_id: str) -> CallResult:
        """Carry one call through, with ``attempt_id`` as the leg's id; the row is committed.

        Raises:
            LineError: the line could not do it.
        """
        ...


class Liveness(Protocol):
    """What the heartbeats tell; see ``services.calls.workers``."""

    worker_id: str

    def is_lost(self, worker_id: str) -> bool:
        """Whether that worker is known to have died or stopped."""
        ...

    def seen_alive(self) -> bool:
        """Whether the others are sure to take this worker for alive."""
        ...


class Outcome(StrEnum):
    """What became of a ticket. With the ids, all that the workflow engine ever sees."""

    ENDED = "ended"
    """An attempt was made, and its end is in the rows."""
    NOT_CALLED = "not_called"
    """The call is not allowed any more; nobody was rung."""
    LEFT = "left"
    """Somebody else carries the attempt, or it cannot be reconciled yet."""
    FAILED = "failed"
    """Our side failed; the workers' reconciliation sees to it."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """What this worker rings with."""

    line: Line
    lines: int
    """Calls at once, over all workers of this trunk."""
    call_seconds: float
    """After this a call is broken off, whatever it does: more than the switch's own limit."""


class Placing:
    """Places the calls of one worker."""

    def __init__(
        self,
        endings: Endings,
        trunk: Trunk,
        place_call: PlaceCall,
        window: CallingWindow,
        liveness: Liveness,
    ) -> None:
        self._endings = endings
        self._sessions = endings.sessions
        self._trunk = trunk
        self._place_call = place_call
        self._window = window
        self._liveness = liveness
        self._carried: dict[str, asyncio.Task[CallResult] | None] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    @property
    def carried(self) -> Mapping[str, asyncio.Task[CallResult] | None]:
        """The attempts this process carries at this moment, by id."""
        return self._carried

    async def run(self, ticket: Ticket) -> Outcome:
        """Make the attempt of a ticket, or reconcile the one that a dead process left."""
        async with self._sessions() as session:
            query = select(Attempt).where(
                Attempt.follow_up_id == ticket.follow_up_id, Attempt.number == ticket.number
            )
            attempt = await session.scalar(query)
        if attempt is not None:
            return await self.reconcile(attempt)
        attempt_id = new_id()
        # Before the row is there: whoever looks for attempts left behind must not take this one.
        self._carried[attempt_id] = None
        self._idle.clear()
        try:
            if not await self._begin(ticket, attempt_id):
                return Outcome.NOT_CALLED
            result = await self._carry(attempt_id)
            await self._endings.end(attempt_id, result)
        finally:
            del self._carried[attempt_id]
            if not self._carried:
                self._idle.set()
        return Outcome.ENDED

    async def reconcile(self, attempt: Attempt) -> Outcome:
        """Hang up and end an attempt whose process died. Never dials.

        One that is carried, or whose worker may be alive, or of another line, is left alone.
        """
        if attempt.ended_at is not None:
            return Outcome.ENDED
        mine = attempt.worker_id == self._liveness.worker_id
        dead = (
            attempt.id not in self._carried if mine else self._liveness.is_lost(attempt.worker_id)
        )
        if not dead or attempt.line != self._trunk.line.name:
            return Outcome.LEFT
        try:
            await self._trunk.line.reap(attempt.id)
        except LineError as error:
            # Unless it is sure that the leg is gone, the patient must not be called again.
            log.error("attempt %s cannot be reaped yet: %s", attempt.id, type(error).__name__)
            return Outcome.LEFT
        await self._endings.end(attempt.id, INTERRUPTED)
        return Outcome.ENDED

    async def stop(self, grace: float) -> None:
        """Begin no more calls; wait ``grace`` seconds for those that go on, then break them off."""
        self._stopping = True
        if await self._idle_within(grace):
            return
        for task in self._carried.values():
            if task is not None:
                task.cancel()
        if not await self._idle_within(BREAK_OFF_SECONDS):
            log.error("calls that could not be ended are left to the next worker")

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _begin(self, ticket: Ticket, attempt_id: str) -> bool:
        """Commit the attempt if it is allowed; the database refuses a second live one."""
        if self._stopping or not self._liveness.seen_alive():
            return False
        try:
            async with self._sessions.begin() as session:
                attempt = await self._allowed(session, ticket, attempt_id)
                if attempt is None:
                    return False
                session.add(attempt)
        except IntegrityError:
            return False
        self._endings.changes.tell()
        self._endings.outgoing.post(call_message(attempt, CallKind.DIALING, attempt.started_at))
        return True

    async def _allowed(
        self, session: AsyncSession, ticket: Ticket, attempt_id: str
    ) -> Attempt | None:
        now = self._endings.clock()
        # Holds the row until the commit: nobody may cancel between the question and the attempt.
        held = await session.scalar(
            update(FollowUp)
            .where(
                FollowUp.id == ticket.follow_up_id,
                FollowUp.state == FollowUpState.QUEUED,
                FollowUp.attempts == ticket.number,
            )
            .values(state=FollowUpState.QUEUED)
            .returning(FollowUp.id)
        )
        zones = await open_zones(session, self._window, now)
        follow_up = await session.scalar(callable_now(now, zones).where(FollowUp.id == held))
        if follow_up is None or not await on_duty_in(session, now):
            return None
        live = select(func.count()).where(
            Attempt.ended_at.is_(None), Attempt.line == self._trunk.line.name
        )
        if (await session.scalar(live) or 0) >= self._trunk.lines:
            return None
        return Attempt(
            id=attempt_id,
            follow_up_id=follow_up.id,
            patient_id=follow_up.patient_id,
            phone_number_id=await _number_to_try(session, follow_up),
            number=ticket.number,
            worker_id=self._liveness.worker_id,
            line=self._trunk.line.name,
            started_at=now,
        )

    async def _carry(self, attempt_id: str) -> CallResult:
        """Ring and converse. Whatever goes wrong, the leg is down afterwards."""
        call = asyncio.ensure_future(self._place_call(attempt_id))
        self._carried[attempt_id] = call
        try:
            async with asyncio.timeout(self._trunk.call_seconds):
                return await call
        except LegExists:
            log.error("attempt %s: its leg was there already; nobody was rung again", attempt_id)
        except LineError as error:
            log.warning("attempt %s: the line failed: %s", attempt_id, type(error).__name__)
            await self._reap(attempt_id)
            return LINE_FAILURE
        except asyncio.CancelledError:
            if _is_cancelled():
                # The whole process ends; the attempt is reconciled by the next one.
                await self._reap(attempt_id)
                raise
        except Exception as error:
            # Not the error's own text: it may quote what somebody said.
            log.error("attempt %s failed: %s", attempt_id, type(error).__name__)
        await self._reap(attempt_id)
        return INTERRUPTED

    async def _reap(self, attempt_id: str) -> None:
        with contextlib.suppress(LineError):
            await asyncio.shield(self._trunk.line.reap(attempt_id))


async def _number_to_try(session: AsyncSession, follow_up: FollowUp) -> str:
    """Return the id of the number for the next attempt: each in turn, in the patient's order."""
    numbers = await session.scalars(
        select(PhoneNumber.id)
        .join(FollowUp, number_to_try())
        .where(FollowUp.id == follow_up.id)
        .order_by(PhoneNumber.position, PhoneNumber.id)
    )
    usable = numbers.all()
    made = await session.scalar(select(func.count()).where(Attempt.follow_up_id == follow_up.id))
    return usable[(made or 0) % len(usable)]


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
