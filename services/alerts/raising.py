"""Alerts: raised, changed, told, repeated and acknowledged.

An alert is a row before it is anything else. It is told over MQTT as soon as the row is committed;
the durable workflow of ``services.calls.engine`` named after it tells it again until somebody
acknowledges it, whatever happens to this process or to the broker in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.answers import FindingStatus, Severity
from scripts.turns import AlertStage, RaiseAlert
from services.alerts.changes import Changes
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import Alert, AlertEvent
from services.messaging.messages import AlertKind, alert_message
from services.messaging.mqtt import Outgoing

log = logging.getLogger(__name__)

DATABASE_WAIT = 1.0
"""Seconds between tries to keep an alert that the database would not take."""
PUBLISHED = "published"
"""Kind of the event that says: the broker has it."""


class UnknownAlert(LookupError):
    """There is no alert of this id; a retry does not help."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"there is no alert {alert_id}")


class Delivery(StrEnum):
    """Whether an alert must be told again."""

    OPEN = "open"
    CLOSED = "closed"
    """Somebody acknowledged it."""


class AlertDesk:
    """Raises alerts and sees to it that somebody takes them.

    Args:
        outgoing: where messages go.
        changes: told after every commit.
    """

    def __init__(
        self, sessions: Sessions, outgoing: Outgoing, changes: Changes, clock: Clock
    ) -> None:
        self._sessions = sessions
        self._outgoing = outgoing
        self._changes = changes
        self._clock = clock
        self._keeping: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, set[asyncio.Task[None]]] = {}

    async def raise_(self, attempt_id: str, patient_id: str, raised: RaiseAlert) -> str:
        """Keep an alert, or the new stage of one of the same number, and tell it; return its id.

        Returns once the row is committed and the message is on its way. The severity of an alert
        only ever rises. If the database is away the alert is told all the same, and its row is
        written as soon as the database is back.
        """
        try:
            await self._keep_and_tell(attempt_id, patient_id, raised)
        except SQLAlchemyError as error:
            log.critical(
                "an alert of attempt %s cannot be kept (%s); it is told without its row: "
                "check the database now", attempt_id, type(error).__name__,
            )  # fmt: skip
            self._post(self._new_row(attempt_id, patient_id, raised), AlertKind.RAISED)
            keeping = asyncio.create_task(self._keep_later(attempt_id, patient_id, raised))
            self._keeping.add(keeping)
            keeping.add_done_callback(self._keeping.discard)
        return alert_id_of(attempt_id, raised.number)

    async def _keep_later(self, attempt_id: str, patient_id: str, raised: RaiseAlert) -> None:
        while True:
            await asyncio.sleep(DATABASE_WAIT)
            with contextlib.suppress(SQLAlchemyError):
                return await self._keep_and_tell(attempt_id, patient_id, raised)

    async def _keep_and_tell(self, attempt_id: str, patient_id: str, raised: RaiseAlert) -> None:
        async with self._sessions.begin() as session:
            alert_id = alert_id_of(attempt_id, raised.number)
            alert = await session.get(Alert, alert_id, with_for_update=True)
            if alert is None:
                alert = self._new_row(attempt_id, patient_id, raised)
                session.add(alert)
                await session.flush()
                kind: AlertKind | None = AlertKind.RAISED
            else:
                kind = _change(alert, raised)
            if kind is not None:
                session.add(AlertEvent(alert_id=alert.id, kind=kind, at=self._clock()))
        if kind is not None:
            self._tell(alert, kind)

    def _new_row(self, attempt_id: str, patient_id: str, raised: RaiseAlert) -> Alert:
        return Alert(
            id=alert_id_of(attempt_id, raised.number),
            attempt_id=attempt_id,
            patient_id=patient_id,
            number=raised.number,
            severity=raised.severity,
            stage=raised.stage,
            question_id=raised.question_id,
            rules=_rules(raised),
            findings=_findings(raised),
            raised_at=self._clock(),
        )

    async def acknowledge(self, alert_id: str, user_id: str) -> bool:
        """Note that a person took the alert; False if somebody had taken it already.

        Raises:
            UnknownAlert: there is none of this id.
        """
        async with self._sessions.begin() as session:
            taken = await session.scalar(
                update(Alert)
                .where(Alert.id == alert_id, Alert.acknowledged_at.is_(None))
                .values(acknowledged_at=self._clock(), acknowledged_by=user_id)
                .returning(Alert.id)
            )
            alert = await session.get(Alert, alert_id, populate_existing=True)
            if alert is None:
                raise UnknownAlert(alert_id)
            if taken is None:
                return False
            session.add(
                AlertEvent(
                    alert_id=alert_id,
                    kind=AlertKind.ACKNOWLEDGED,
                    at=self._clock(),
                    user_id=user_id,
                )
            )
        self._tell(alert, AlertKind.ACKNOWLEDGED)
        return True

    async def deliver(self, alert_id: str, repeat: bool) -> Delivery:
        """Tell an alert once more if nobody has acknowledged it.

        With ``repeat`` False it is told only if the broker has never had it: ``raise_`` told it
        just now, but the process that did may have died before the broker took it.
        """
        async with self._sessions() as session:
            alert = await session.get(Alert, alert_id)
            if alert is None or alert.acknowledged_at is not None:
                return Delivery.CLOSED
            told = await _was_published(session, alert_id)
        # What still waits for the broker is enough; more of the same would only pile up.
        if alert_id not in self._waiting and (repeat or not told):
            self._tell(alert, AlertKind.REPEATED if told else AlertKind.RAISED)
        return Delivery.OPEN

    async def open_alerts(self) -> tuple[str, ...]:
        """Return the ids of the alerts that nobody has acknowledged, the oldest first."""
        async with self._sessions() as session:
            query = select(Alert.id).where(Alert.acknowledged_at.is_(None))
            return tuple(await session.scalars(query.order_by(Alert.raised_at)))

    def _tell(self, alert: Alert, kind: AlertKind) -> None:
        self._changes.tell()
        done = self._post(alert, kind)
        task = asyncio.create_task(self._note_published(alert.id, kind, done))
        waiting = self._waiting.setdefault(alert.id, set())
        waiting.add(task)
        task.add_done_callback(lambda _: self._forget(alert.id, task))

    def _post(self, alert: Alert, kind: AlertKind) -> asyncio.Future[None]:
        return self._outgoing.post(alert_message(alert, kind, self._clock()))

    def _forget(self, alert_id: str, task: asyncio.Task[None]) -> None:
        waiting = self._waiting[alert_id]
        waiting.discard(task)
        if not waiting:
            del self._waiting[alert_id]

    async def _note_published(
        self, alert_id: str, kind: AlertKind, done: asyncio.Future[None]
    ) -> None:
        try:
            await done
        except asyncio.CancelledError:
            return
        noted = AlertKind.REPEATED if kind is AlertKind.REPEATED else PUBLISHED
        try:
            async with self._sessions.begin() as session:
                session.add(AlertEvent(alert_id=alert_id, kind=noted, at=self._clock()))
        except SQLAlchemyError as error:
            # The worst that follows is that the broker gets it once more.
            log.warning("that an alert was published could not be noted: %s", type(error).__name__)
        self._changes.tell()


def alert_id_of(attempt_id: str, number: int) -> str:
    """Return the id of an alert: the same whether or not the database could be asked."""
    return str(uuid.uuid5(uuid.UUID(attempt_id), str(number)))


def _change(alert: Alert, raised: RaiseAlert) -> AlertKind | None:
    """Carry a later stage into the row; None if that changed nothing."""
    before = (alert.stage, alert.severity, list(alert.rules), list(alert.findings))
    if raised.stage is not AlertStage.UNCONFIRMED:
        alert.stage = raised.stage
    alert.severity = max(Severity(alert.severity), raised.severity, key=lambda s: s.rank)
    alert.rules = _union(alert.rules, _rules(raised))
    alert.findings = _union(alert.findings, _findings(raised))
    if before == (alert.stage, alert.severity, alert.rules, alert.findings):
        return None
    kinds = {AlertStage.CONFIRMED: AlertKind.CONFIRMED, AlertStage.AMENDED: AlertKind.AMENDED}
    return kinds.get(raised.stage, AlertKind.RAISED)


def _rules(raised: RaiseAlert) -> list[str]:
    return _union([], [reason.rule for reason in raised.because])


def _findings(raised: RaiseAlert) -> list[str]:
    """Codes of what raised it; with no reason that points at findings, of all that are there."""
    pointed = {index for reason in raised.because for index in reason.findings}
    return _union(
        [],
        [
            finding.finding
            for index, finding in enumerate(raised.findings)
            if (index in pointed if pointed else finding.status is not FindingStatus.ABSENT)
        ],
    )


def _union(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


async def _was_published(session: AsyncSession, alert_id: str) -> bool:
    query = select(AlertEvent.id).where(
        AlertEvent.alert_id == alert_id, AlertEvent.kind == PUBLISHED
    )
    return await session.scalar(query.limit(1)) is not None
