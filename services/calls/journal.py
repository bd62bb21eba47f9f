"""The journal of one call, in the rows: words sealed, everything committed before it returns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from dialer.journal import Turn
from scripts.answers import AnswerValue, Understanding
from scripts.turns import RaiseAlert, Stage, StoreAnswer
from services.alerts.changes import Changes
from services.alerts.raising import AlertDesk
from services.calls.orders import CallOrder
from services.calls.recording_rows import recording_row
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import (
    AnswerRow,
    Attempt,
    AttemptState,
    Consent,
    FindingRow,
    OptOutRow,
    TurnRow,
    new_id,
)
from services.messaging.messages import CallKind, call_message
from services.messaging.mqtt import Outgoing
from services.security.sealing import seal

log = logging.getLogger(__name__)

DATABASE_WAITS = (0.1, 0.3, 0.6, 1.0, 2.0)
"""Seconds between tries while the database is away; after them the call cannot go on."""


class JournalError(Exception):
    """The rows could not be written. The text holds nothing of what was said.

    ``retryable``: the database may be back later.
    """

    def __init__(self, attempt_id: str, kind: str) -> None:
        super().__init__(
            f"the journal of attempt {attempt_id} cannot be written ({kind}); check the database"
        )
        self.retryable = True


@dataclass(frozen=True, slots=True)
class Desks:
    """Where a journal writes and whom it tells; the same for every call."""

    sessions: Sessions
    alerts: AlertDesk
    outgoing: Outgoing
    changes: Changes
    clock: Clock


class RowJournal:
    """Implements ``dialer.journal.CallJournal``."""

    def __init__(self, desks: Desks, order: CallOrder) -> None:
        self._desks = desks
        self._order = order
        self._right_party = False

    async def ringing(self) -> None:
        """The far phone rings."""
        values = {"state": AttemptState.RINGING, "ringing_at": self._desks.clock()}
        await self._attempt(CallKind.RINGING, values, Attempt.state == AttemptState.DIALING)

    async def answered(self) -> None:
        """Somebody picked up."""
        values = {"state": AttemptState.TALKING, "answered_at": self._desks.clock()}
        await self._attempt(CallKind.ANSWERED, values, Attempt.state != AttemptState.ENDED)

    async def stage(self, stage: Stage) -> None:
        """The dialogue reached a stage."""
        if stage is Stage.RIGHT_PARTY:
            self._right_party = True
        await self._attempt(CallKind.STAGE, {"stage": stage}, Attempt.ended_at.is_(None), stage)

    async def turn(self, turn: Turn, understanding: Understanding | None = None) -> None:
        """Somebody said something."""
        row_id = new_id()
        words = json.dumps([asdict(word) for word in turn.words], ensure_ascii=False)
        findings = [] if understanding is None else list(understanding.findings)
        finding_ids = [new_id() for _ in findings]

        async def write(session: AsyncSession) -> None:
            session.add(
                TurnRow(
                    id=row_id,
                    attempt_id=self._order.attempt_id,
                    index=turn.index,
                    speaker=turn.speaker,
                    question_id=turn.question_id,
                    prompt_id=turn.prompt_id,
                    text_sealed=self._seal("turns.text_sealed", row_id, turn.text),
                    words_sealed=self._seal("turns.words_sealed", row_id, words)
                    if turn.words
                    else None,
                    started=turn.started,
                    ended=turn.ended,
                    ears=turn.ears,
                    intent=understanding.intent if understanding else None,
                    interrupted=turn.interrupted,
                )
            )
            for finding_id, finding in zip(finding_ids, findings, strict=True):
                session.add(
                    FindingRow(
                        id=finding_id,
                        attempt_id=self._order.attempt_id,
                        turn_index=turn.index,
                        question_id=turn.question_id,
                        finding=finding.finding,
                        status=finding.status,
                        time=finding.time,
                        experiencer=finding.experiencer,
                        attributes=list(finding.attributes),
                        evidence_sealed=self._seal(
                            "findings.evidence_sealed", finding_id, finding.evidence
                        ),
                        start=finding.start,
                        end=finding.end,
                        confidence=finding.confidence,
                        by=finding.by,
                        version=understanding.version if understanding else "",
                    )
                )

        await self._commit(write)

    async def answer(self, stored: StoreAnswer) -> None:
        """An answer was settled or given up; a later one to the same question replaces it."""
        question, answer = stored.question, stored.answer

        async def write(session: AsyncSession) -> None:
            query = select(AnswerRow).where(
                AnswerRow.attempt_id == self._order.attempt_id,
                AnswerRow.question_id == question.id,
            )
            row = await session.scalar(query)
            if row is None:
                row = AnswerRow(
                    id=new_id(), attempt_id=self._order.attempt_id, question_id=question.id
                )
                session.add(row)
            row.type = question.type
            row.unit = question.unit
            row.status = answer.status
            row.value_sealed = (
                None
                if answer.value is None
                else self._seal("answers.value_sealed", row.id, _value_json(answer.value))
            )
            row.evidence_sealed = (
                self._seal("answers.evidence_sealed", row.id, answer.evidence)
                if answer.evidence
                else None
            )
            row.confidence = answer.confidence
            row.severity = stored.severity
            row.needs_review = stored.needs_review
            row.at = self._desks.clock()

        await self._commit(write)

    async def alert(self, alert: RaiseAlert) -> None:
        """Tell a person, now."""
        await self._desks.alerts.raise_(self._order.attempt_id, self._order.patient.id, alert)

    async def recording_consent(self, granted: bool) -> None:
        """The right party agreed to the recording, or did not."""
        row_id = new_id()

        async def write(session: AsyncSession) -> None:
            session.add(
                Consent(
                    id=row_id,
                    patient_id=self._order.patient.id,
                    kind="recording",
                    granted=granted,
                    attempt_id=self._order.attempt_id,
                    at=self._desks.clock(),
                )
            )
            if granted:
                session.add(recording_row(self._order, self._desks.clock))

        await self._commit(write)

    async def opt_out(self) -> None:
        """Never call this number again; nor the patient, if it was the patient who said so."""
        row_id = new_id()

        async def write(session: AsyncSession) -> None:
            session.add(
                OptOutRow(
                    id=row_id,
                    patient_id=self._order.patient.id if self._right_party else None,
                    number_hash=self._order.number_hash,
                    attempt_id=self._order.attempt_id,
                    at=self._desks.clock(),
                )
            )

        await self._commit(write)

    async def _attempt(
        self,
        kind: CallKind,
        values: Mapping[str, object],
        condition: ColumnElement[bool],
        stage: Stage | None = None,
    ) -> None:
        """Change the attempt and tell of it."""
        changed: list[Attempt] = []

        async def write(session: AsyncSession) -> None:
            statement = update(Attempt).where(Attempt.id == self._order.attempt_id, condition)
            rows = await session.scalars(statement.values(**values).returning(Attempt))
            changed[:] = rows.all()

        await self._commit(write)
        self._desks.changes.tell()
        for attempt in changed:
            message = call_message(attempt, kind, self._desks.clock(), stage=stage)
            self._desks.outgoing.post(message)

    async def _commit(self, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
        async def once() -> None:
            async with self._desks.sessions.begin() as session:
                await write(session)

        await self._insist(once)

    async def _insist(self, do: Callable[[], Awaitable[None]]) -> None:
        """Try again while the database is away for a moment.

        A row that a try before has committed, although its answer got lost, is there: its own id
        refuses the second.
        """
        for tried, wait in enumerate((*DATABASE_WAITS, None)):
            try:
                await do()
                return
            except IntegrityError as error:
                if tried:
                    return
                raise JournalError(self._order.attempt_id, type(error).__name__) from None
            except SQLAlchemyError as error:
                if wait is None:
                    raise JournalError(self._order.attempt_id, type(error).__name__) from None
                log.warning("the journal cannot be written: %s", type(error).__name__)
                await asyncio.sleep(wait)

    def _seal(self, place: str, row_id: str, value: str) -> bytes:
        return seal(self._order.data_key, place, row_id, value)


def _value_json(value: AnswerValue) -> str:
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, ensure_ascii=False)
