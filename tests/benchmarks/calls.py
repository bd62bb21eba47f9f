"""How long a patient waits for our next word, and what a call costs; measured at the telephone.

python -m tests.benchmarks.calls

A private Asterisk, a SIP telephone with patients of the ward, the product's worker as a process of
its own, Mosquitto, and SQLite or PostgreSQL; everything on this machine, so the telephones and the
switch take processor time from the worker. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from asr.models import find, open_engine
from asr.recogniser import FRAME_BYTES, Engine, Hints
from asr.voice_activity import SileroVoiceActivity
from dialer.ports import ReplyTiming
from scripts.reading import load
from services.calls.calling_window import CallingWindow
from services.calls.followups import FollowUps, NewFollowUp
from services.clock import utc_now
from services.database.tables import Attempt
from services.demo.residents import Resident, residents
from services.settings import Settings
from tests.benchmarks.at_the_phone import answered, spoken
from tests.benchmarks.call_rounds import Cost, Round, print_tables
from tests.benchmarks.processor import peak_megabytes, processor_seconds
from tests.support.asterisk_server import AsteriskServer, asterisk_server
from tests.support.databases import fresh_database
from tests.support.ears import models_folder
from tests.support.first_call import SCRIPT, RealHospital, real_hospital
from tests.support.mosquitto_server import Mosquitto
from tests.support.postgres_server import postgres_server
from tests.support.product import Process
from tests.support.sip_call import PhoneCall
from tests.support.subscriber import Subscriber, subscriber

IDLE_SECONDS = 10.0
"""How long the worker is watched doing nothing, to know what calls add."""
SETTLE_SECONDS = 3.0
"""After the last call: its recording is finished, and what does not repeat at the start is over."""


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--calls", type=int, help="calls of each round; as many as at once")
    parser.add_argument("--alerts", type=int, default=4, help="calls of the alert round; 0: none")
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    asked = parser.parse_args()
    found = find("zh", "sherpa", models_folder())
    if found is None:
        sys.exit("the model sherpa-zh-3.3m is missing; run: huifang models pull zh")
    engine = open_engine(found)
    wanted = [(size, asked.calls or size, "well") for size in asked.at_once]
    if asked.alerts:
        wanted.append((asked.alerts, asked.alerts, "emergency"))
    rounds = asyncio.run(_measure(wanted, engine, postgresql=asked.postgresql))
    print_tables(rounds[: len(asked.at_once)], rounds[len(asked.at_once) :])


async def _measure(
    wanted: Sequence[tuple[int, int, str]], engine: Engine, *, postgresql: bool
) -> list[Round]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="huifang-bench-")))
        switch = stack.enter_context(asterisk_server(folder / "asterisk"))
        server = stack.enter_context(postgres_server()) if postgresql else None
        broker = Mosquitto(folder)
        await broker.start()
        rounds = []
        try:
            for number, (at_once, calls, resident) in enumerate(wanted):
                data = folder / f"round-{number}"
                data.mkdir()
                with _database(server, data) as url:
                    people = same_voice(resident, calls)
                    async with (
                        real_hospital(data, url, switch, broker, people) as hospital,
                        subscriber(broker.port) as others,
                    ):
                        rounds.append(await _round(hospital, switch, others, at_once, engine))
                _tell(rounds[-1])
        finally:
            await broker.stop()
    return rounds


@contextmanager
def _database(server: str | None, folder: Path) -> Iterator[str]:
    if server is None:
        yield f"sqlite+aiosqlite:///{folder / 'huifang.db'}"
    else:
        with fresh_database(server) as url:
            yield url


def same_voice(resident: str, count: int) -> list[Resident]:
    """A resident of the ward as many times as wanted, each with a telephone of their own."""
    (one,) = residents(utc_now().date(), [resident])
    copies = []
    for index in range(count):
        number = f"{int(one.number) + 1000 * (index + 1):0{len(one.number)}d}"
        patient = replace(one.patient, mrn=f"{one.patient.mrn}-{index}", numbers=(number,))
        copies.append(replace(one, id=f"{one.id} {index}", number=number, patient=patient))
    return copies


async def _round(
    hospital: RealHospital,
    switch: AsteriskServer,
    others: Subscriber,
    at_once: int,
    engine: Engine,
) -> Round:
    await hospital.somebody_on_duty()
    patients = {
        await hospital.patients.enrol(each.patient): each for each in hospital.people.values()
    }
    product = replace(
        hospital.product, command=(sys.executable, "-m", "tests.benchmarks.timed_worker")
    )
    limit = 240.0 * len(patients) / at_once + 120.0
    async with product.running(HUIFANG_LINES=str(at_once)) as worker:
        await worker.printed("places calls")
        pids = (worker.process.pid, switch.instance.pid, os.getpid())
        await asyncio.sleep(SETTLE_SECONDS)
        rested = _cost(pids)
        await asyncio.sleep(IDLE_SECONDS)
        began = _cost(pids)
        await _plan(hospital, patients)
        async with asyncio.timeout(limit):
            attempts = await _all_over(hospital, len(patients))
        await asyncio.sleep(SETTLE_SECONDS)
        ended, load = _cost(pids), os.getloadavg()[0]
        megabytes = peak_megabytes(worker.process.pid)
    calls = [call for call in hospital.phone.calls if call.answered_at is not None]
    return Round(
        at_once=at_once,
        calls=len(calls),
        as_expected=sum(
            attempt.disposition == patients[attempt.patient_id].disposition for attempt in attempts
        ),
        minutes=sum(call.ledger[-1][0] - call.when("answered") for call in calls) / 60,
        idle=began - rested,
        busy=ended - began,
        megabytes=megabytes,
        latencies=[wait.latency for call in calls for wait in answered(call.said, call.heard)],
        timings=_timings(worker),
        alerts=_alert_latencies(hospital, others, patients),
        hearing=_decoding_cost(engine, calls),
        voice_activity=_voice_activity_cost(calls),
        load=load,
    )


def _cost(pids: tuple[int, int, int]) -> Cost:
    return Cost(time.monotonic(), *map(processor_seconds, pids))


async def _plan(hospital: RealHospital, patients: Iterable[str]) -> None:
    settings, script, now = Settings(data=hospital.folder), load(SCRIPT), utc_now()
    window = CallingWindow(settings.window_from, settings.window_until)
    follow_ups = FollowUps(hospital.sessions, window, utc_now)
    kept = await follow_ups.keep_script(script.id, script.version, script.source)
    for patient_id in patients:
        await follow_ups.plan(
            NewFollowUp(patient_id, kept, "zh", now, now + timedelta(hours=1), 1, True)
        )


async def _all_over(hospital: RealHospital, count: int) -> Sequence[Attempt]:
    """The first attempts, once all of them have ended."""
    while True:
        async with hospital.sessions() as session:
            over = select(Attempt).where(Attempt.ended_at.is_not(None), Attempt.number == 1)
            attempts = (await session.scalars(over)).all()
        if len(attempts) >= count:
            return attempts
        await asyncio.sleep(1.0)


def _timings(worker: Process) -> list[ReplyTiming]:
    found = (re.match(r"reply (\{.*\})$", line) for line in worker.lines)
    return [ReplyTiming(**json.loads(line[1])) for line in found if line]


def _alert_latencies(
    hospital: RealHospital, others: Subscriber, patients: dict[str, Resident]
) -> list[float]:
    raised = {
        message.body["patient_id"]: message.at
        for message in reversed(others.of("huifang/v1/alerts/emergency"))
        if message.body["kind"] == "raised"
    }
    latencies = []
    for patient_id, at in raised.items():
        (call,) = hospital.phone.calls_to(patients[patient_id].number)[:1]
        latencies.append(
            at
            - max(w.patient_ended for w in answered(call.said, call.heard) if w.patient_ended < at)
        )
    return latencies


def _decoding_cost(engine: Engine, calls: Sequence[PhoneCall]) -> float:
    began = time.process_time()
    for stretch in itertools.chain.from_iterable(spoken(call.said) for call in calls):
        decoder = engine.decoder(Hints())
        for at in range(0, len(stretch), FRAME_BYTES):
            decoder.accept(stretch[at : at + FRAME_BYTES])
        decoder.finish()
    return time.process_time() - began


def _voice_activity_cost(calls: Sequence[PhoneCall]) -> float:
    began = time.process_time()
    for call in calls:
        activity = SileroVoiceActivity()
        for _, pcm in call.said.frames:
            activity.probability(pcm)
    return time.process_time() - began


def _tell(measured: Round) -> None:
    print(
        f"{measured.at_once} at once: {measured.as_expected} of {measured.calls} calls ended as "
        f"they should, {measured.minutes:.1f} minutes of call, load {measured.load:.1f}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
