"""``huifang call``: have a running worker call a patient now."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import select

from scripts.answers import Severity
from scripts.marked_yaml import ScriptError
from scripts.reading import load
from services.calls.followups import NewFollowUp
from services.cli.failing import stop_with
from services.cli.running import NOT_STARTED, read_settings
from services.database.tables import Alert, Attempt, FollowUp, FollowUpState, PhoneNumber, Worker
from services.runtime import Hospital, hospital
from services.security.sealing import SearchHash

STILL_TRIED = timedelta(minutes=10)
"""A call that could not be started by then is given up: nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class CallWish:
    """What somebody at the command line wants."""

    number: str
    script: str
    mrn: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Called:
    """What became of it. Ids and enums only, so that it may be printed and logged."""

    follow_up: str
    attempt: str | None
    disposition: str | None
    cause: int | None
    sip_code: int | None
    severity: str
    seconds: float | None


class CannotCall(Exception):
    """The call cannot be asked for; the text says why and what to do."""


async def call_now(wish: CallWish, *, wait: bool, as_json: bool) -> int:
    """Plan the call as the most urgent, and wait for its end if wanted; the exit status."""
    with stop_with(CannotCall, ScriptError, LookupError, *NOT_STARTED):
        async with hospital(read_settings()) as on:
            follow_up = await _plan(on, wish)
            called = (
                await _until_over(on, follow_up)
                if wait
                else Called(follow_up, None, None, None, None, Severity.NONE, None)
            )
    if as_json:
        print(json.dumps(asdict(called)))
    elif not wait:
        print(f"planned: follow-up {follow_up}; a worker calls as soon as a line is free")
    else:
        print(
            f"{called.disposition or 'not called'} (cause {called.cause}, SIP {called.sip_code}), "
            f"severity {called.severity}, attempt {called.attempt}"
        )
    return 0 if not wait or called.disposition == "completed" else 2


async def _plan(on: Hospital, wish: CallWish) -> str:
    script = load(wish.script, on.settings.scripts)
    patient_id = await on.patients.find_by_mrn(wish.mrn)
    if patient_id is None:
        raise CannotCall("no patient has this medical record number; see huifang patients add")
    patient = await on.patients.view(patient_id)
    language = wish.language or patient.language
    if language not in script.languages:
        raise CannotCall(f"{script.id} speaks {', '.join(script.languages)}, not {language!r}")
    async with on.sessions() as session:
        number_id = await session.scalar(
            select(PhoneNumber.id).where(
                PhoneNumber.patient_id == patient_id,
                PhoneNumber.number_hash == SearchHash(on.keys.search_key).of("number", wish.number),
            )
        )
        workers = await session.scalars(select(Worker.id).where(Worker.stopped_at.is_(None)))
    if number_id is None:
        # Somebody else's number: what is said there would be told to the wrong person.
        raise CannotCall("this number is not one of the patient's; check it, or enrol it first")
    if not workers.all():
        raise CannotCall("no worker is running; start one: huifang work")
    if not await on.duty.somebody_on_duty(on.clock()):
        raise CannotCall("nobody is on duty for alerts; take duty at the desk first")
    now = on.clock()
    return await on.follow_ups.plan(
        NewFollowUp(
            patient_id=patient_id,
            script_version_id=await on.follow_ups.keep_script(
                script.id, script.version, script.source
            ),
            language=language,
            due_at=now,
            expires_at=now + STILL_TRIED,
            priority=1,
            ignore_window=True,
            phone_number_id=number_id,
        )
    )


async def _until_over(on: Hospital, follow_up_id: str) -> Called:
    """Wait for the end of the first attempt, or until nobody is called any more."""
    while True:
        async with on.sessions() as session:
            follow_up = await session.get_one(FollowUp, follow_up_id)
            attempt = await session.scalar(
                select(Attempt).where(Attempt.follow_up_id == follow_up_id, Attempt.number == 1)
            )
            given_up = follow_up.state in (FollowUpState.GIVEN_UP, FollowUpState.CANCELLED)
            if attempt is None and given_up:
                return Called(follow_up_id, None, None, None, None, Severity.NONE, None)
            if attempt is not None and attempt.ended_at is not None:
                alerts = await session.scalars(
                    select(Alert.severity).where(Alert.attempt_id == attempt.id)
                )
                worst = max(map(Severity, alerts), key=lambda s: s.rank, default=Severity.NONE)
                return Called(
                    follow_up_id,
                    attempt.id,
                    attempt.disposition,
                    attempt.cause,
                    attempt.sip_code,
                    worst,
                    (attempt.ended_at - attempt.started_at).total_seconds(),
                )
        await asyncio.sleep(0.5)
