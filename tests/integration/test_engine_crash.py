"""A worker killed with -9 in the middle of a call: hung up, interrupted, planned again, rung once.

The worker is a process of its own; the telephone line is a folder, whose legs outlive it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from dbos import DBOS
from sqlalchemy import select

from services.clock import utc_now
from services.database.session import Sessions
from services.database.tables import Alert, Attempt, FollowUp, new_id
from services.database.tables import Worker as WorkerRow
from tests.support.engine_rig import FolderLine, Worker, completed
from tests.support.rows import add_follow_up, add_patient, add_user, put_on_duty

DAY = timedelta(days=1)


async def until(what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    for _ in range(1800):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"it never happened: {what}")


class Victim:
    """A worker process that will be killed."""

    def __init__(self, process: asyncio.subprocess.Process, line: FolderLine) -> None:
        self._process = process
        self.line = line

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()


async def worker_process(
    database_url: str, folder: Path, worker_id: str, talk: str
) -> asyncio.subprocess.Process:
    """Start a worker as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.engine_rig",
        database_url, worker_id, str(folder), talk,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@asynccontextmanager
async def in_a_call(database_url: str, folder: Path, worker_id: str) -> AsyncIterator[Victim]:
    """Start a worker process and wait until it is in a call."""
    process = await worker_process(database_url, folder, worker_id, "endless")
    victim = Victim(process, FolderLine(folder))

    async def up() -> bool:
        assert process.returncode is None
        return len(await victim.line.legs()) == 1

    try:
        await until("the worker is in a call", up)
        yield victim
    finally:
        if process.returncode is None:
            await victim.kill()


@pytest.fixture
async def follow_up(sessions: Sessions) -> FollowUp:
    """A call that a person wants at once, on the real clock."""
    now = utc_now()
    await put_on_duty(sessions, starts_at=now - DAY, ends_at=now + DAY)
    return await add_follow_up(sessions, due_at=now - DAY, expires_at=now + DAY, ignore_window=True)


async def test_survivors_hang_up_and_plan_the_call_again(
    database_url: str, sessions: Sessions, tmp_path: Path, follow_up: FollowUp
) -> None:
    async with in_a_call(database_url, tmp_path, "worker-a") as victim:
        survivor = Worker(database_url, sessions, tmp_path, completed, worker_id="worker-b")
        async with survivor.engine:
            await asyncio.sleep(1)
            # Alive, its call is left alone.
            assert len(await victim.line.legs()) == 1
            await victim.kill()
            killed = utc_now()

            async def hung_up() -> bool:
                return await victim.line.legs() == ()

            await until("the leg is reaped", hung_up)

            async def recovered() -> bool:
                status = await DBOS.get_workflow_status_async(f"call-{follow_up.id}-1")
                return status is not None and status.status == "SUCCESS"

            await until("the workflow is recovered", recovered)
        async with sessions() as session:
            attempt = (await session.scalars(select(Attempt))).one()
            after = await session.get_one(FollowUp, follow_up.id)
            lost = await session.get_one(WorkerRow, "worker-a")
    assert attempt.disposition == "interrupted"
    assert attempt.ended_at is not None
    print(f"ended {(attempt.ended_at - killed).total_seconds():.1f} s after the kill")
    assert lost.stopped_at is not None
    assert (after.state, after.disposition) == ("planned", "interrupted")
    assert after.due_at - attempt.ended_at >= timedelta(minutes=2)
    assert victim.line.rung() == [attempt.id]


async def test_the_same_worker_cleans_up_when_it_comes_back(
    database_url: str, sessions: Sessions, tmp_path: Path, follow_up: FollowUp
) -> None:
    async with in_a_call(database_url, tmp_path, "worker-a") as victim:
        await victim.kill()
        restarted = Worker(database_url, sessions, tmp_path, completed, worker_id="worker-a")
        async with restarted.engine:
            # Before it does anything else.
            assert await victim.line.legs() == ()

            async def recovered() -> bool:
                status = await DBOS.get_workflow_status_async(f"call-{follow_up.id}-1")
                return status is not None and status.status == "SUCCESS"

            await until("the workflow is recovered", recovered)
    async with sessions() as session:
        attempt = (await session.scalars(select(Attempt))).one()
        after = await session.get_one(FollowUp, follow_up.id)
    assert (attempt.disposition, after.state) == ("interrupted", "planned")
    assert victim.line.rung() == [attempt.id]


async def test_an_alert_of_a_dead_worker_is_told_by_the_survivor(
    database_url: str, sessions: Sessions, tmp_path: Path, follow_up: FollowUp
) -> None:
    nurse = await add_user(sessions)
    async with in_a_call(database_url, tmp_path, "worker-a") as victim:
        async with sessions.begin() as session:
            attempt = (await session.scalars(select(Attempt))).one()
            alert = Alert(
                id=new_id(), attempt_id=attempt.id, patient_id=attempt.patient_id, number=1,
                severity="emergency", stage="unconfirmed", question_id="q", rules=[],
                findings=[], raised_at=utc_now(),
            )  # fmt: skip
            session.add(alert)
        survivor = Worker(database_url, sessions, tmp_path, completed, worker_id="worker-b")
        async with survivor.engine:

            async def has_its_workflow() -> bool:
                status = await DBOS.get_workflow_status_async(f"alert-{alert.id}")
                return status is not None

            await until("somebody delivers it", has_its_workflow)
            await victim.kill()
            told = len(survivor.posted.kinds("huifang/v1/alerts/"))

            async def told_again() -> bool:
                return len(survivor.posted.kinds("huifang/v1/alerts/")) >= told + 2

            await until("the survivor tells it", told_again)
            await survivor.alerts.acknowledge(alert.id, nurse)


async def test_two_processes_of_one_id_are_refused(
    database_url: str, sessions: Sessions, tmp_path: Path, follow_up: FollowUp
) -> None:
    async with in_a_call(database_url, tmp_path, "worker-a") as victim:
        second = Worker(database_url, sessions, tmp_path, completed, worker_id="worker-a")
        with pytest.raises(RuntimeError, match="give each its own"):
            await second.heartbeats.register()
        assert len(await victim.line.legs()) == 1


async def test_two_workers_that_race_ring_everybody_once(
    database_url: str, sessions: Sessions, tmp_path: Path
) -> None:
    now = utc_now()
    for index in range(12):
        patient = await add_patient(sessions, index)
        await add_follow_up(
            sessions, patient, due_at=now - DAY, expires_at=now + DAY, ignore_window=True
        )
    first = await worker_process(database_url, tmp_path, "worker-a", "completed")
    second = Worker(database_url, sessions, tmp_path, completed, worker_id="worker-b")

    async def all_done() -> bool:
        async with sessions() as session:
            states = (await session.scalars(select(FollowUp.state))).all()
        return set(states) == {"done"}

    async def at_work() -> bool:
        async with sessions() as session:
            return await session.get(WorkerRow, "worker-a") is not None

    try:
        async with second.engine:
            await until("the other is at work", at_work)
            await put_on_duty(sessions, starts_at=now - DAY, ends_at=now + DAY)
            await until("everybody was called", all_done)
    finally:
        first.kill()
        await first.wait()
    async with sessions() as session:
        attempts = (await session.scalars(select(Attempt))).all()
    assert sorted(second.line.rung()) == sorted(attempt.id for attempt in attempts)
    assert len({attempt.patient_id for attempt in attempts}) == len(attempts) == 12
