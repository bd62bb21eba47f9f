"""A worker is killed while the patient is speaking: hung up, rescheduled, nobody rung twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url, select

from recordings.opus import decode
from recordings.reading import open_sealed
from recordings.store import FolderStore
from services.clock import utc_now
from services.database.tables import Attempt, FollowUp, Recording, RecordingState, TurnRow
from tests.support.first_call import SCRIPT, RealHospital
from tests.support.first_call import first_call as first_call
from tests.support.mosquitto_server import Mosquitto
from tests.support.product import Process
from tests.support.sip_call import PhoneCall
from tests.support.subscriber import subscriber

SPOKEN_TO = "chest_pain"
"""The worker dies while the answer to this is being spoken: consent has been given by then."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("first_call", [("well",)], indirect=True)
async def test_a_worker_killed_in_the_middle_of_an_answer(
    first_call: RealHospital, mosquitto: Mosquitto
) -> None:
    hospital, man = first_call, first_call.people["well"]
    await hospital.enrol()
    await hospital.somebody_on_duty()
    async with AsyncExitStack() as stack:
        others = await stack.enter_async_context(subscriber(mosquitto.port))
        workers: dict[str, Process] = {}
        for name in ("worker-1", "worker-2"):
            running = hospital.product.running("work", HUIFANG_WORKER_ID=name)
            workers[name] = await stack.enter_async_context(running)
        for name, process in workers.items():
            await process.printed(f"{name} places calls")
        status, said = await hospital.product.call(
            "call", man.number, "--script", SCRIPT, "--patient", man.patient.mrn
        )
        assert status == 0, said
        call = await hospital.phone.call_to(man.number, patience=30)
        await _until_spoken(hospital, call)
        carrier = await _only_attempt(hospital)
        workers[carrier.worker_id].process.kill()
        died = time.monotonic()

        # The survivor hangs the phone up.
        async with asyncio.timeout(15):
            await call.ended.wait()
        assert call.when("bye received") - died < 10.0
        attempt = await _ended(hospital)
        assert attempt.disposition == "interrupted"
        async with hospital.sessions() as session:
            follow_up = (await session.scalars(select(FollowUp))).one()
            assert follow_up.state == "planned"
            assert follow_up.due_at > utc_now() + timedelta(minutes=1)
            turns = await session.scalars(select(TurnRow.question_id))
            assert "consent" in set(turns)
        # The engine, too, has taken the dead worker's workflow over and knows that it is done with.
        await _workflows_settled(hospital)
        assert len(hospital.phone.calls) == 1

        # What was recorded until then is whole once the worker is back on its machine.
        back = hospital.product.running("work", HUIFANG_WORKER_ID=carrier.worker_id)
        workers["back"] = await stack.enter_async_context(back)
        await workers["back"].printed(f"{carrier.worker_id} places calls")
        await _recording_is_readable(hospital)
        assert len(hospital.phone.calls) == 1
        lost = await others.first(f"huifang/v1/workers/{carrier.worker_id}", 5, status="lost")
        assert lost.body["worker_id"] == carrier.worker_id
    told = "".join(process.output for process in workers.values())
    told += "".join(each.topic + each.payload for each in others.arrived)
    told += await _engine_tables(hospital)
    assert not [secret for secret in hospital.personal() if secret in told]


async def _until_spoken(hospital: RealHospital, call: PhoneCall) -> None:
    """Return in the middle of the answer that is spoken to."""
    patient = hospital.ward.rings[0].patient
    async with asyncio.timeout(150):
        while not any(e.kind == "said" and e.what == SPOKEN_TO for e in patient.ledger):
            assert not call.ended.is_set()
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)


async def _only_attempt(hospital: RealHospital) -> Attempt:
    async with hospital.sessions() as session:
        return (await session.scalars(select(Attempt))).one()


async def _ended(hospital: RealHospital) -> Attempt:
    async with asyncio.timeout(15):
        while True:
            attempt = await _only_attempt(hospital)
            if attempt.ended_at is not None:
                return attempt
            await asyncio.sleep(0.2)


async def _workflows_settled(hospital: RealHospital) -> None:
    async with asyncio.timeout(40):
        while True:
            rows = _rows(hospital, "SELECT status FROM dbos.workflow_status")
            if not {"PENDING", "ENQUEUED"} & {row[0] async for row in rows}:
                return
            await asyncio.sleep(0.5)


async def _recording_is_readable(hospital: RealHospital) -> None:
    async with asyncio.timeout(30):
        while True:
            async with hospital.sessions() as session:
                recording = (await session.scalars(select(Recording))).one()
            if recording.state == RecordingState.STORED:
                break
            await asyncio.sleep(0.3)
    attempt = await _only_attempt(hospital)
    _, key = await hospital.patients.data_key(attempt.patient_id)
    store = FolderStore(hospital.folder / "recordings")
    sound = decode(await (await open_sealed(store, recording.object_key, key)).read())
    talked = hospital.phone.calls[0].said.frames[-1][0] - hospital.phone.calls[0].said.frames[0][0]
    # At most the last second, which was still in memory, and the reaping are missing.
    assert sound.shape[1] / 8000 > talked - 10.0 - 1.5


async def _engine_tables(hospital: RealHospital) -> str:
    """Everything the workflow engine keeps, pickles decoded byte by byte."""
    tables = [
        row[0]
        async for row in _rows(
            hospital,
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'dbos'",
        )
    ]
    assert "workflow_status" in tables
    found = []
    for table in tables:
        async for row in _rows(hospital, f'SELECT * FROM dbos."{table}"'):  # noqa: S608 - its own names
            found.append(str(row))
    text = "\n".join(found)
    assert "call-" in text
    return text


async def _rows(hospital: RealHospital, query: str) -> AsyncIterator[tuple[object, ...]]:
    url = make_url(hospital.product.environment["HUIFANG_DATABASE_URL"])
    connection = await psycopg.AsyncConnection.connect(
        host=url.host, port=url.port, user=url.username, dbname=url.database
    )
    async with connection, connection.cursor() as cursor:
        await cursor.execute(query.encode())
        for row in await cursor.fetchall():
            yield row
