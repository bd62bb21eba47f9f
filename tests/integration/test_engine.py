"""The engine on real DBOS and real databases: every due call once, and nothing personal in it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from dbos import DBOS
from sqlalchemy import inspect, select, table, text
from sqlalchemy.ext.asyncio import create_async_engine

from dialer.line import LegExists, LineUnavailable
from dialer.outcomes import CallResult
from scripts.turns import Disposition
from services.calls.engine import engine_url
from services.calls.followups import Ticket
from services.calls.placing import Outcome
from services.database.session import Sessions
from services.database.tables import (
    Alert,
    AlertEvent,
    Attempt,
    FollowUp,
    FollowUpState,
    OptOutRow,
    Patient,
    User,
    new_id,
)
from tests.support.engine_rig import COMPLETED, Talk, Worker, completed, endless
from tests.support.rows import (
    INVENTED,
    NOW,
    add_attempt,
    add_follow_up,
    add_patient,
    add_user,
    now,
    put_on_duty,
)

Start = Callable[..., Worker]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    for _ in range(1200):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never came to hold")


@pytest.fixture
def worker(database_url: str, sessions: Sessions, tmp_path: Path) -> Start:
    def make(
        talk: Talk = completed,
        *,
        worker_id: str = "worker-1",
        lines: int = 2,
        call_seconds: float = 600,
    ) -> Worker:
        return Worker(
            database_url,
            sessions,
            tmp_path,
            talk,
            clock=now,
            worker_id=worker_id,
            lines=lines,
            call_seconds=call_seconds,
        )

    return make


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[Worker]:
    async with worker.engine:
        yield worker


async def state_of(sessions: Sessions, follow_up: FollowUp) -> FollowUp:
    async with sessions() as session:
        return await session.get_one(FollowUp, follow_up.id)


async def test_a_due_call_is_placed_once_and_done(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)

    async def done() -> bool:
        return (await state_of(sessions, follow_up)).state == "done"

    async with at_work(worker()) as busy:
        await until(done)
        await asyncio.sleep(0.5)
    assert len(busy.line.rung()) == 1
    async with sessions() as session:
        attempt = (await session.scalars(select(Attempt))).one()
    assert (attempt.disposition, attempt.cause, attempt.sip_code) == ("completed", 16, None)
    assert attempt.id == busy.line.rung()[0]
    assert busy.posted.kinds("huifang/v1/calls/") == ["dialing", "ended"]


async def test_without_anybody_on_duty_nothing_is_dialled(
    worker: Start, sessions: Sessions
) -> None:
    follow_up = await add_follow_up(sessions)
    await put_on_duty(sessions, ends_at=NOW)
    async with at_work(worker()) as idle:
        await asyncio.sleep(1)
    assert idle.line.rung() == []
    assert (await state_of(sessions, follow_up)).state == "planned"


async def test_more_is_due_than_lines_are_free(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    follow_ups = [
        await add_follow_up(sessions, await add_patient(sessions, index), priority=index)
        for index in (5, 3, 1, 4)
    ]
    most = 0

    async def talk(attempt_id: str) -> CallResult:
        nonlocal most
        most = max(most, len(await busy.line.legs()))
        await asyncio.sleep(0.2)
        return COMPLETED

    async def all_done() -> bool:
        return all([(await state_of(sessions, f)).state == "done" for f in follow_ups])

    busy = worker(talk, lines=1)
    async with at_work(busy):
        await until(all_done)
    assert most == 1
    async with sessions() as session:
        rows = await session.execute(
            select(Attempt.id, FollowUp.priority).join(
                FollowUp, FollowUp.id == Attempt.follow_up_id
            )
        )
        priority = {row.id: row.priority for row in rows}
    assert [priority[attempt] for attempt in busy.line.rung()] == [1, 3, 4, 5]


async def test_a_call_that_breaks_is_interrupted_and_planned_again(
    worker: Start, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)

    async def talk(attempt_id: str) -> CallResult:
        raise RuntimeError("胸口疼得厉害")

    async def over() -> bool:
        return (await state_of(sessions, follow_up)).disposition is not None

    async with at_work(worker(talk)) as busy:
        await until(over)
    after = await state_of(sessions, follow_up)
    assert (after.state, after.disposition) == ("planned", "interrupted")
    assert timedelta(minutes=2) <= after.due_at - NOW <= timedelta(minutes=5)
    assert await busy.line.legs() == ()
    assert "胸口" not in caplog.text


async def test_stopping_breaks_calls_off_and_leaves_nothing_up(
    worker: Start, sessions: Sessions
) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)
    busy = worker(endless)

    async def rung() -> bool:
        return len(busy.line.rung()) == 1

    async with at_work(busy):
        await until(rung)
    assert await busy.line.legs() == ()
    after = await state_of(sessions, follow_up)
    assert (after.state, after.disposition) == ("planned", "interrupted")
    # The loop can still use threads, although DBOS took its own with it.
    assert await asyncio.to_thread(lambda: 1) == 1


async def test_an_attempt_left_by_a_crash_is_ended_before_anything_else(
    worker: Start, sessions: Sessions
) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions, state=FollowUpState.QUEUED)
    async with sessions.begin() as session:
        (await session.get_one(FollowUp, follow_up.id)).attempts = 1
    left = await add_attempt(sessions, follow_up)
    restarted = worker()
    restarted.line.ring(left.id)
    async with at_work(restarted):
        assert await restarted.line.legs() == ()
        await asyncio.sleep(0.5)
    assert restarted.line.rung() == [left.id]
    assert (await state_of(sessions, follow_up)).disposition == "interrupted"


async def test_a_workflow_that_ends_without_an_attempt_gives_the_follow_up_back(
    worker: Start, sessions: Sessions
) -> None:
    await put_on_duty(sessions)
    patient = await add_patient(sessions)
    await add_attempt(sessions, await add_follow_up(sessions, patient, due_at=NOW), number=9)
    follow_up = await add_follow_up(sessions, patient, state=FollowUpState.QUEUED)

    async def planned() -> bool:
        return (await state_of(sessions, follow_up)).state == "planned"

    busy = worker()
    # The other attempt belongs to this worker's live neighbour, not to a dead process.
    await worker(worker_id="neighbour").heartbeats.register(wait=0)
    async with sessions.begin() as session:
        (await session.scalars(select(Attempt))).one().worker_id = "neighbour"
    async with at_work(busy):
        await until(planned)
    assert busy.line.rung() == []


async def test_an_alert_is_told_again_until_it_is_acknowledged(
    worker: Start, sessions: Sessions
) -> None:
    follow_up = await add_follow_up(sessions)
    attempt = await add_attempt(sessions, follow_up, ended_at=NOW, disposition="completed")
    alert = Alert(
        id=new_id(), attempt_id=attempt.id, patient_id=attempt.patient_id, number=1,
        severity="urgent", stage="confirmed", question_id="q", rules=[], findings=[],
        raised_at=NOW,
    )  # fmt: skip
    async with sessions.begin() as session:
        session.add(alert)
    nurse = await add_user(sessions)
    topic = "huifang/v1/alerts/urgent"

    async with at_work(worker()) as busy:

        async def told_three_times() -> bool:
            return len(busy.posted.kinds(topic)) >= 3

        await until(told_three_times)
        await busy.alerts.acknowledge(alert.id, nurse)
        told = busy.posted.kinds(topic)
        await asyncio.sleep(1)
    # Nothing after the acknowledgement: the one told last is the acknowledgement itself.
    assert busy.posted.kinds(topic) == told
    assert told[:3] == ["raised", "repeated", "repeated"]
    assert told[-1] == "acknowledged"
    async with sessions() as session:
        kinds = set(await session.scalars(select(AlertEvent.kind)))
    assert kinds == {"published", "repeated", "acknowledged"}


async def test_the_engines_tables_hold_nothing_personal(
    worker: Start, sessions: Sessions, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)

    async def broken(ticket: Ticket) -> Outcome:
        raise RuntimeError("胸口疼")

    async def talk(attempt_id: str) -> CallResult:
        raise RuntimeError(f"{INVENTED.family_name}{INVENTED.given_name} 胸口疼 {INVENTED.mrn}")

    async def over() -> bool:
        return (await state_of(sessions, follow_up)).disposition is not None

    async with at_work(worker(talk)) as busy:
        await until(over)
        # Nor does it keep what is raised where nobody expects it.
        monkeypatch.setattr(busy.placing, "run", broken)
        second = await add_follow_up(sessions, await add_patient(sessions, 2))

        async def failed() -> bool:
            status = await DBOS.get_workflow_status_async(f"call-{second.id}-1")
            return status is not None and status.status in ("SUCCESS", "ERROR")

        await until(failed)
    kept = await _everything(engine_url(database_url))
    assert follow_up.id.encode() in kept
    secrets = ["钱", "小满", "胸口", INVENTED.mrn, *INVENTED.numbers, "0105555", "1953"]
    assert not [secret for secret in secrets if secret.encode() in kept]


async def _everything(url: str) -> bytes:
    """All that DBOS keeps, as bytes; what it pickled, unpacked."""
    url = url.replace("sqlite://", "sqlite+aiosqlite://")
    engine = create_async_engine(url)
    schema = None if url.startswith("sqlite") else "dbos"
    kept = []
    async with engine.connect() as connection:
        tables = await connection.run_sync(lambda c: inspect(c).get_table_names(schema))
        for name in tables:
            everything = select(text("*")).select_from(table(name, schema=schema))
            for row in await connection.execute(everything):
                for value in row:
                    clear = str(value)
                    kept.append(clear.encode())
                    with contextlib.suppress(ValueError):
                        kept.append(base64.b64decode(clear, validate=True))
    await engine.dispose()
    return b"\n".join(kept)


async def test_two_ticks_that_race_start_one_call(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)
    follow_ups = worker().follow_ups
    claimed = await asyncio.gather(*(follow_ups.claim_due(2) for _ in range(4)))
    assert [t.follow_up_id for tickets in claimed for t in tickets] == [follow_up.id]


async def test_ticks_that_chose_the_same_follow_up_claim_it_once(
    worker: Start, sessions: Sessions
) -> None:
    follow_up = await add_follow_up(sessions)
    follow_ups = worker().follow_ups
    claimed = await asyncio.gather(*(follow_ups._claim(follow_up) for _ in range(4)))
    assert len([ticket for ticket in claimed if ticket is not None]) == 1


async def test_two_runners_of_one_ticket_ring_once(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    await add_follow_up(sessions)
    busy, other = worker(), worker(worker_id="worker-2")
    await busy.heartbeats.register()
    await other.heartbeats.register()
    (ticket,) = await busy.follow_ups.claim_due(2)
    outcomes = await asyncio.gather(
        *(each.placing.run(ticket) for each in (busy, other, busy, other))
    )
    assert len(busy.line.rung()) == 1
    assert outcomes.count(Outcome.ENDED) >= 1
    assert (
        Disposition.COMPLETED
        == (await state_of(sessions, FollowUp(id=ticket.follow_up_id))).disposition
    )


@pytest.mark.parametrize("change", ["cancelled", "opted out", "duty over", "expired", "window"])
async def test_what_changed_between_the_tick_and_the_attempt_counts(
    worker: Start, sessions: Sessions, change: str
) -> None:
    user_id = await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)
    busy = worker()
    await busy.heartbeats.register()
    (ticket,) = await busy.follow_ups.claim_due(2)
    async with sessions.begin() as session:
        row = await session.get_one(FollowUp, follow_up.id)
        if change == "cancelled":
            row.state = FollowUpState.CANCELLED
        elif change == "opted out":
            session.add(OptOutRow(patient_id=follow_up.patient_id, at=NOW))
        elif change == "duty over":
            (await session.get_one(User, user_id)).active = False
        elif change == "expired":
            row.expires_at = NOW
        else:
            (await session.get_one(Patient, follow_up.patient_id)).time_zone = "Europe/London"
    assert await busy.placing.run(ticket) is Outcome.NOT_CALLED
    assert busy.line.rung() == []


async def test_a_worker_that_others_may_take_for_dead_dials_nobody(
    worker: Start, sessions: Sessions
) -> None:
    await put_on_duty(sessions)
    await add_follow_up(sessions)
    slow = worker()
    (ticket,) = await slow.follow_ups.claim_due(2)
    assert await slow.placing.run(ticket) is Outcome.NOT_CALLED
    assert slow.line.rung() == []


async def test_no_line_is_free(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    busy = worker(lines=1)
    await busy.heartbeats.register()
    await add_attempt(sessions, await add_follow_up(sessions, await add_patient(sessions, 7)))
    await add_follow_up(sessions)
    (ticket,) = [t for t in await busy.follow_ups.claim_due(9) if t]
    assert await busy.placing.run(ticket) is Outcome.NOT_CALLED
    assert busy.line.rung() == []


async def test_a_leg_whose_attempt_has_ended_is_hung_up(worker: Start, sessions: Sessions) -> None:
    follow_up = await add_follow_up(sessions)
    ended = await add_attempt(sessions, follow_up, ended_at=NOW, disposition="interrupted")
    busy = worker()
    busy.line.ring(ended.id)
    busy.line.ring("another-installation")
    await busy.reconciling.look()
    assert await busy.line.legs() == ("another-installation",)


async def test_the_attempt_of_a_live_neighbour_is_left_alone(
    worker: Start, sessions: Sessions
) -> None:
    attempt = await add_attempt(sessions, await add_follow_up(sessions), worker_id="worker-2")
    busy, neighbour = worker(), worker(worker_id="worker-2")
    await neighbour.heartbeats.register()
    busy.line.ring(attempt.id)
    await busy.heartbeats.look()
    await busy.reconciling.look()
    assert await busy.line.legs() == (attempt.id,)
    await neighbour.heartbeats.sign_off()
    await busy.heartbeats.look()
    await busy.reconciling.look()
    assert await busy.line.legs() == ()


async def test_while_the_switch_is_away_an_attempt_is_not_given_up(
    worker: Start, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await add_attempt(sessions, await add_follow_up(sessions))
    busy = worker()

    async def away(leg_id: str) -> bool:
        raise LineUnavailable("the switch is away")

    monkeypatch.setattr(busy.line, "reap", away)
    assert await busy.placing.reconcile(attempt) is Outcome.LEFT
    async with sessions() as session:
        assert (await session.get_one(Attempt, attempt.id)).ended_at is None
    monkeypatch.undo()
    assert await busy.placing.reconcile(attempt) is Outcome.ENDED


@pytest.mark.parametrize(
    ("error", "disposition"),
    [(LineUnavailable("away"), "line_failure"), (LegExists("x"), "interrupted")],
)
async def test_the_lines_failures(
    worker: Start, sessions: Sessions, error: Exception, disposition: str
) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)

    async def talk(attempt_id: str) -> CallResult:
        raise error

    busy = worker(talk)
    await busy.heartbeats.register()
    (ticket,) = await busy.follow_ups.claim_due(2)
    assert await busy.placing.run(ticket) is Outcome.ENDED
    assert (await state_of(sessions, follow_up)).disposition == disposition
    assert await busy.line.legs() == ()


async def test_a_call_that_never_ends_is_broken_off(worker: Start, sessions: Sessions) -> None:
    await put_on_duty(sessions)
    follow_up = await add_follow_up(sessions)
    busy = worker(endless, call_seconds=0.2)
    await busy.heartbeats.register()
    (ticket,) = await busy.follow_ups.claim_due(2)
    assert await busy.placing.run(ticket) is Outcome.ENDED
    assert (await state_of(sessions, follow_up)).disposition == "interrupted"
    assert await busy.line.legs() == ()
