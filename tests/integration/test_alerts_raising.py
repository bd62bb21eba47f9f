"""Alerts: never lost, told until somebody takes them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from scripts.answers import Experiencer, Finding, FindingStatus, FindingTime, Reason, Severity
from scripts.turns import AlertStage, RaiseAlert
from services.alerts.changes import Changes
from services.alerts.duty import Duty
from services.alerts.raising import AlertDesk, Delivery, UnknownAlert
from services.database.session import Sessions, connect
from services.database.tables import Alert, AlertEvent, Attempt, User
from tests.support.outgoing import Posted
from tests.support.rows import NOW, add_attempt, add_follow_up, add_user, now, put_on_duty

WORDS = "胸口疼得厉害"
ALERTS = "huifang/v1/alerts/"


def finding(code: str, status: FindingStatus = FindingStatus.PRESENT) -> Finding:
    return Finding(
        code, status, FindingTime.CURRENT, Experiencer.PATIENT, (), WORDS, 0, 6, 0.9, "lexicon"
    )


def raised(
    stage: AlertStage = AlertStage.UNCONFIRMED, severity: Severity = Severity.URGENT
) -> RaiseAlert:
    return RaiseAlert(
        number=1,
        stage=stage,
        severity=severity,
        question_id="chest_pain",
        findings=(finding("chest_pain"), finding("fever", FindingStatus.ABSENT)),
        because=(Reason("new-chest-pain", (0,)),),
    )


@pytest.fixture
async def attempt(sessions: Sessions) -> Attempt:
    return await add_attempt(sessions, await add_follow_up(sessions))


class Desk:
    """An alert desk with its surroundings."""

    def __init__(self, sessions: Sessions, *, reachable: bool = True) -> None:
        self.posted = Posted(reachable=reachable)
        self.changes = Changes(sessions, poll_seconds=0.05)
        self.alerts = AlertDesk(sessions, self.posted, self.changes, now)
        self._sessions = sessions

    async def events(self, count: int) -> list[str]:
        """Kinds of the alert events, once there are so many."""
        while True:
            async with self._sessions() as session:
                kinds = list(await session.scalars(select(AlertEvent.kind)))
            if len(kinds) >= count:
                return kinds
            await asyncio.sleep(0.01)


async def test_an_alert_is_a_row_and_a_message(sessions: Sessions, attempt: Attempt) -> None:
    desk = Desk(sessions)
    alert_id = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    async with sessions() as session:
        row = await session.get_one(Alert, alert_id)
    assert (row.severity, row.stage, row.question_id) == ("urgent", "unconfirmed", "chest_pain")
    assert (row.rules, row.findings) == (["new-chest-pain"], ["chest_pain"])
    assert desk.posted.messages[0].topic == "huifang/v1/alerts/urgent"
    assert WORDS not in desk.posted.messages[0].payload
    assert sorted(await desk.events(2)) == ["published", "raised"]


async def test_the_read_back_changes_the_stage(sessions: Sessions, attempt: Attempt) -> None:
    desk = Desk(sessions)
    first = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    later = raised(AlertStage.CONFIRMED, Severity.EMERGENCY)
    second = await desk.alerts.raise_(attempt.id, attempt.patient_id, later)
    assert first == second
    assert desk.posted.kinds(ALERTS) == ["raised", "confirmed"]
    assert desk.posted.messages[1].topic == "huifang/v1/alerts/emergency"
    lower = raised(AlertStage.AMENDED, Severity.ROUTINE)
    await desk.alerts.raise_(attempt.id, attempt.patient_id, lower)
    async with sessions() as session:
        row = await session.get_one(Alert, first)
    assert (row.stage, row.severity) == ("amended", "emergency")


async def test_the_same_stage_twice_is_told_once(sessions: Sessions, attempt: Attempt) -> None:
    desk = Desk(sessions)
    for _ in range(2):
        await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    assert desk.posted.kinds(ALERTS) == ["raised"]


async def test_it_is_told_again_until_acknowledged(sessions: Sessions, attempt: Attempt) -> None:
    desk = Desk(sessions)
    nurse = await add_user(sessions)
    alert_id = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    await desk.events(2)
    assert await desk.alerts.deliver(alert_id, repeat=False) is Delivery.OPEN
    assert desk.posted.kinds(ALERTS) == ["raised"]
    assert await desk.alerts.open_alerts() == (alert_id,)
    assert await desk.alerts.deliver(alert_id, repeat=True) is Delivery.OPEN
    assert await desk.alerts.acknowledge(alert_id, nurse)
    assert await desk.alerts.deliver(alert_id, repeat=True) is Delivery.CLOSED
    assert desk.posted.kinds(ALERTS) == ["raised", "repeated", "acknowledged"]
    assert await desk.alerts.open_alerts() == ()


async def test_only_the_first_acknowledges(sessions: Sessions, attempt: Attempt) -> None:
    desk = Desk(sessions)
    first, second = await add_user(sessions, "first"), await add_user(sessions, "second")
    alert_id = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    taken = [await desk.alerts.acknowledge(alert_id, user) for user in (first, second)]
    assert taken == [True, False]
    async with sessions() as session:
        row = await session.get_one(Alert, alert_id)
    assert (row.acknowledged_by, row.acknowledged_at) == (first, NOW)
    with pytest.raises(UnknownAlert):
        await desk.alerts.acknowledge("none", first)


async def test_while_the_broker_is_away_one_message_waits(
    sessions: Sessions, attempt: Attempt
) -> None:
    desk = Desk(sessions, reachable=False)
    alert_id = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    for repeat in (False, True, True):
        await desk.alerts.deliver(alert_id, repeat)
    assert desk.posted.kinds(ALERTS) == ["raised"]
    assert await desk.events(1) == ["raised"]
    desk.posted.broker_is_back()
    assert sorted(await desk.events(2)) == ["published", "raised"]


async def test_a_process_that_died_before_the_broker_took_it(
    sessions: Sessions, attempt: Attempt
) -> None:
    dead = Desk(sessions, reachable=False)
    alert_id = await dead.alerts.raise_(attempt.id, attempt.patient_id, raised())
    survivor = Desk(sessions)
    await survivor.alerts.deliver(alert_id, repeat=False)
    assert survivor.posted.kinds(ALERTS) == ["raised"]


async def test_an_alert_is_told_although_the_database_is_away_and_kept_later(
    sessions: Sessions, attempt: Attempt, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.alerts.raising.DATABASE_WAIT", 0.05)
    desk, engine = Desk(sessions), connect(database_url)

    async def rename(table: str, to: str) -> None:
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))

    await rename("alerts", "gone")
    alert_id = await desk.alerts.raise_(attempt.id, attempt.patient_id, raised())
    confirmed = raised(AlertStage.CONFIRMED)
    assert await desk.alerts.raise_(attempt.id, attempt.patient_id, confirmed) == alert_id
    assert desk.posted.kinds(ALERTS) == ["raised", "raised"]
    assert {content["alert_id"] for content in desk.posted.contents(ALERTS)} == {alert_id}
    await rename("gone", "alerts")
    await desk.events(2)
    await engine.dispose()

    async def stage() -> str:
        async with sessions() as session:
            return (await session.get_one(Alert, alert_id)).stage

    for _ in range(200):
        if await stage() == "confirmed":
            break
        await asyncio.sleep(0.05)
    assert await stage() == "confirmed"


async def test_watchers_wake_on_changes_of_this_and_of_other_processes(
    sessions: Sessions, attempt: Attempt
) -> None:
    desk, other = Desk(sessions), Desk(sessions)
    watching = aiter(desk.changes.watch())
    await anext(watching)
    woken = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0.2)
    assert not woken.done()
    alert_id = await other.alerts.raise_(attempt.id, attempt.patient_id, raised())
    await asyncio.wait_for(woken, 10)
    await other.events(2)
    await asyncio.wait_for(desk.alerts.acknowledge(alert_id, await add_user(sessions)), 10)
    await asyncio.wait_for(anext(watching), 10)


async def test_duty(sessions: Sessions) -> None:
    duty = Duty(sessions)
    assert not await duty.somebody_on_duty(NOW)
    user_id = await put_on_duty(sessions, starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    assert await duty.on_duty(NOW) == (user_id,)
    assert not await duty.somebody_on_duty(NOW + timedelta(hours=1))
    assert not await duty.somebody_on_duty(NOW - timedelta(seconds=1))
    await duty.take(user_id, NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert await duty.somebody_on_duty(NOW + timedelta(hours=1))
    with pytest.raises(ValueError, match="must end after"):
        await duty.take(user_id, NOW, NOW)
    async with sessions.begin() as session:
        (await session.get_one(User, user_id)).active = False
    assert not await duty.somebody_on_duty(NOW)
