"""Patients: what is kept opens again for those with the key, and shows nothing to anybody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from services.database.session import Sessions
from services.database.tables import DataKey, OptOutRow, Patient, PhoneNumber
from services.patients import AlreadyEnrolled, Patients, UnknownPatient
from services.security.errors import KeyDestroyed
from tests.support.rows import INVENTED, RING, now


@pytest.fixture
def patients(sessions: Sessions) -> Patients:
    return Patients(sessions, RING, now)


async def test_a_patient_reads_back_as_enrolled(patients: Patients) -> None:
    patient_id = await patients.enrol(INVENTED)
    view = await patients.view(patient_id)
    assert view.mrn == INVENTED.mrn
    assert view.name == "钱小满"
    assert view.birth_date == INVENTED.birth_date
    assert view.clinical == INVENTED.clinical
    assert [number.number for number in view.numbers] == list(INVENTED.numbers)
    assert view.age(date(2026, 3, 8)) == 72
    assert view.age(date(2026, 3, 9)) == 73


async def test_patients_are_found_as_people_write_them(patients: Patients) -> None:
    patient_id = await patients.enrol(INVENTED)
    assert await patients.find_by_mrn("m-0001") == patient_id
    assert await patients.find_by_name("钱小满") == (patient_id,)
    assert await patients.find_by_number("+86 010-5555 0001") == (patient_id,)
    assert await patients.find_by_mrn("M-0002") is None
    assert await patients.find_by_number("01055550002") == ()


async def test_the_same_record_number_twice_names_nobody(patients: Patients) -> None:
    patient_id = await patients.enrol(INVENTED)
    with pytest.raises(AlreadyEnrolled) as refused:
        await patients.enrol(replace(INVENTED, given_name="大暑"))
    assert refused.value.patient_id == patient_id
    assert INVENTED.mrn not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_no_column_shows_who_it_is(patients: Patients, sessions: Sessions) -> None:
    await patients.enrol(INVENTED)
    async with sessions() as session:
        rows = [
            *(await session.execute(select(Patient.__table__))).all(),
            *(await session.execute(select(PhoneNumber.__table__))).all(),
            *(await session.execute(select(DataKey.__table__))).all(),
        ]
    kept = b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )
    secrets = [INVENTED.mrn, "钱", "小满", "1953", INVENTED.numbers[0], "I21.4", "aspirin"]
    assert not [secret for secret in secrets if secret.encode() in kept]


async def test_destroying_the_key_erases_the_patient(
    patients: Patients, sessions: Sessions
) -> None:
    patient_id = await patients.enrol(INVENTED)
    key_id, _ = await patients.data_key(patient_id)
    async with sessions.begin() as session:
        (await session.get_one(DataKey, key_id)).wrapped = None
    with pytest.raises(KeyDestroyed):
        await patients.view(patient_id)


async def test_an_unknown_patient_is_said_to_be(patients: Patients) -> None:
    with pytest.raises(UnknownPatient, match="there is no patient x"):
        await patients.view("x")


async def test_an_opt_out_is_kept(patients: Patients, sessions: Sessions) -> None:
    patient_id = await patients.enrol(INVENTED)
    await patients.opt_out(patient_id)
    async with sessions() as session:
        row = (await session.scalars(select(OptOutRow))).one()
    assert (row.patient_id, row.at) == (patient_id, now())
