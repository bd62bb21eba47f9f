"""Rows for tests: invented patients, scripts, duties, with sensible defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from services.database.session import Sessions
from services.database.tables import (
    Attempt,
    DutyShift,
    FollowUp,
    FollowUpState,
    ScriptVersion,
    User,
    new_id,
)
from services.patients import Clinical, NewPatient, Patients
from services.security.keys import KeyRing

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""A Monday, ten in the morning in China: inside the calling window."""
RING = KeyRing({1: b"k" * 32})

INVENTED = NewPatient(
    mrn="M-0001",
    family_name="钱",
    given_name="小满",
    birth_date=date(1953, 3, 9),
    sex="f",
    numbers=("01055550001",),
    clinical=Clinical(discharged=date(2026, 11, 20), diagnoses=("I21.4",), medicines=("aspirin",)),
)
"""An invented patient."""


def now() -> datetime:
    """The clock that stands still at ``NOW``."""
    return NOW


@dataclass
class TestClock:
    """A clock that tests move."""

    __test__ = False
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


async def add_patient(
    sessions: Sessions,
    index: int = 1,
    *,
    numbers: tuple[str, ...] | None = None,
    time_zone: str = "Asia/Shanghai",
) -> str:
    """Enrol an invented patient and return the id; ``index`` makes them differ."""
    new = replace(
        INVENTED,
        mrn=f"M-{index:04}",
        numbers=(f"0105555{index:04}",) if numbers is None else numbers,
        time_zone=time_zone,
    )
    return await Patients(sessions, RING, now).enrol(new)


async def add_script(sessions: Sessions) -> str:
    """Keep a script version and return its id."""
    row = ScriptVersion(
        id=new_id(),
        script_id="check",
        version="1",
        sha256=new_id(),
        source="id: check",
        created_at=NOW,
    )
    async with sessions.begin() as session:
        session.add(row)
    return row.id


async def add_follow_up(
    sessions: Sessions,
    patient_id: str | None = None,
    *,
    due_at: datetime = NOW - timedelta(minutes=1),
    expires_at: datetime = NOW + timedelta(days=2),
    priority: int = 5,
    state: FollowUpState = FollowUpState.PLANNED,
    ignore_window: bool = False,
) -> FollowUp:
    """Plan a call, due one minute ago unless told otherwise."""
    row = FollowUp(
        id=new_id(),
        patient_id=patient_id or await add_patient(sessions),
        script_version_id=await add_script(sessions),
        language="zh",
        due_at=due_at,
        expires_at=expires_at,
        priority=priority,
        state=state,
        ignore_window=ignore_window,
        created_at=NOW,
    )
    async with sessions.begin() as session:
        session.add(row)
    return row


async def number_id_of(sessions: Sessions, patient_id: str) -> str:
    """Return the id of a patient's first number."""
    view = await Patients(sessions, RING, now).view(patient_id)
    return view.numbers[0].id


async def add_user(sessions: Sessions, login: str = "nurse") -> str:
    """Make a nurse who can sign in nowhere, and return the id."""
    row = User(
        id=new_id(), login=login, name="Nurse", password_hash="-", role="nurse", created_at=NOW
    )
    async with sessions.begin() as session:
        session.add(row)
    return row.id


async def put_on_duty(
    sessions: Sessions,
    *,
    starts_at: datetime = NOW - timedelta(hours=1),
    ends_at: datetime = NOW + timedelta(hours=8),
) -> str:
    """Put somebody on duty for alerts and return their user id."""
    user_id = await add_user(sessions, login=new_id())
    async with sessions.begin() as session:
        session.add(DutyShift(user_id=user_id, starts_at=starts_at, ends_at=ends_at))
    return user_id


async def add_attempt(
    sessions: Sessions,
    follow_up: FollowUp,
    *,
    number: int = 1,
    worker_id: str = "worker-1",
    line: str = "simulated",
    started_at: datetime = NOW,
    ended_at: datetime | None = None,
    disposition: str | None = None,
) -> Attempt:
    """Keep an attempt, live unless it ended."""
    row = Attempt(
        id=new_id(),
        follow_up_id=follow_up.id,
        patient_id=follow_up.patient_id,
        phone_number_id=await number_id_of(sessions, follow_up.patient_id),
        number=number,
        worker_id=worker_id,
        line=line,
        started_at=started_at,
        ended_at=ended_at,
        disposition=disposition,
    )
    async with sessions.begin() as session:
        session.add(row)
    return row
