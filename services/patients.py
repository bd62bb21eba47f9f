"""Patients: enrolled with sealed columns, found by keyed hashes, read by those who hold the keys."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.answers import ClinicalContext, Procedure
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import DataKey, OptOutRow, Patient, PhoneNumber, new_id
from services.security.keys import KeyRing
from services.security.sealing import SearchHash, seal, unseal


class PatientError(Exception):
    """A patient cannot be enrolled or found. The text never says who. A retry does not help."""


class AlreadyEnrolled(PatientError):
    """A patient of this medical record number is there already."""

    def __init__(self, patient_id: str) -> None:
        super().__init__(f"this medical record number belongs to patient {patient_id} already")
        self.patient_id = patient_id


class UnknownPatient(PatientError):
    """There is no patient of this id."""

    def __init__(self, patient_id: str) -> None:
        super().__init__(f"there is no patient {patient_id}")


@dataclass(frozen=True, slots=True)
class Clinical:
    """What the hospital knows of a stay."""

    discharged: date | None = None
    diagnoses: tuple[str, ...] = ()
    """ICD-10 codes."""
    procedures: tuple[Procedure, ...] = ()
    medicines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewPatient:
    """Somebody to be enrolled, as the hospital knows them."""

    mrn: str
    """Medical record number."""
    family_name: str
    given_name: str
    birth_date: date
    sex: str
    """``m``, ``f`` or ``x``."""
    numbers: tuple[str, ...]
    """In the order in which they are tried."""
    language: str = "zh"
    time_zone: str = "Asia/Shanghai"
    """IANA name. Of an unknown zone nobody is called: the hour there cannot be told."""
    clinical: Clinical = Clinical()


@dataclass(frozen=True, slots=True)
class NumberView:
    """A number in clear."""

    id: str
    number: str
    relation: str
    valid: bool


@dataclass(frozen=True, slots=True)
class PatientView:
    """A patient in clear: for the call and for those who may read. Never logged, never published."""

    id: str
    data_key_id: str
    mrn: str
    family_name: str
    given_name: str
    birth_date: date
    sex: str
    language: str
    time_zone: str
    clinical: Clinical
    numbers: tuple[NumberView, ...]

    @property
    def name(self) -> str:
        """The whole name, in the order of the patient's language."""
        return full_name(self.family_name, self.given_name, self.language)

    def age(self, today: date) -> int:
        """Whole years."""
        birthday = (self.birth_date.month, self.birth_date.day)
        return today.year - self.birth_date.year - ((today.month, today.day) < birthday)


def full_name(family_name: str, given_name: str, language: str) -> str:
    """Put the parts of a name in the order of the language."""
    if language in ("zh", "ko", "ja"):
        return f"{family_name}{given_name}"
    return f"{given_name} {family_name}"


class Patients:
    """Enrols, finds and reads patients."""

    def __init__(self, sessions: Sessions, keys: KeyRing, clock: Clock) -> None:
        self._sessions = sessions
        self._keys = keys
        self._hash = SearchHash(keys.search_key)
        self._clock = clock

    async def enrol(self, new: NewPatient) -> str:
        """Keep a patient under a data key of their own; return the id.

        Raises:
            AlreadyEnrolled: the medical record number is known.
        """
        key_id, patient_id = new_id(), new_id()
        key, wrapped = self._keys.new_data_key(key_id)
        key_row = DataKey(
            id=key_id,
            algorithm=wrapped.algorithm,
            master_version=wrapped.master_version,
            wrapped=wrapped.wrapped,
            created_at=self._clock(),
        )
        try:
            async with self._sessions.begin() as session:
                session.add(key_row)
                await session.flush()
                session.add(self._patient_row(new, patient_id, key_id, key))
                await session.flush()
                session.add_all(self._number_rows(new, patient_id, key))
        except IntegrityError:
            # The database's own text would quote the row; what is raised instead does not.
            known = await self.find_by_mrn(new.mrn)
            if known is None:
                raise PatientError("the patient cannot be kept: a column does not fit") from None
            raise AlreadyEnrolled(known) from None
        return patient_id

    def _patient_row(self, new: NewPatient, patient_id: str, key_id: str, key: bytes) -> Patient:
        def sealed(column: str, value: str) -> bytes:
            return seal(key, f"patients.{column}", patient_id, value)

        return Patient(
            id=patient_id,
            data_key_id=key_id,
            mrn_sealed=sealed("mrn_sealed", new.mrn),
            mrn_hash=self._hash.of("mrn", new.mrn),
            family_name_sealed=sealed("family_name_sealed", new.family_name),
            given_name_sealed=sealed("given_name_sealed", new.given_name),
            name_hash=self._hash.of(
                "name", full_name(new.family_name, new.given_name, new.language)
            ),
            birth_date_sealed=sealed("birth_date_sealed", new.birth_date.isoformat()),
            sex=new.sex,
            language=new.language,
            time_zone=new.time_zone,
            clinical_sealed=sealed("clinical_sealed", _clinical_json(new.clinical)),
            created_at=self._clock(),
        )

    def _number_rows(self, new: NewPatient, patient_id: str, key: bytes) -> list[PhoneNumber]:
        rows = []
        for position, number in enumerate(new.numbers):
            row_id = new_id()
            rows.append(
                PhoneNumber(
                    id=row_id,
                    patient_id=patient_id,
                    number_sealed=seal(key, "phone_numbers.number_sealed", row_id, number),
                    number_hash=self._hash.of("number", number),
                    position=position,
                )
            )
        return rows

    async def find_by_mrn(self, mrn: str) -> str | None:
        """Return the patient's id."""
        async with self._sessions() as session:
            query = select(Patient.id).where(Patient.mrn_hash == self._hash.of("mrn", mrn))
            return await session.scalar(query)

    async def find_by_name(self, name: str) -> tuple[str, ...]:
        """Return the ids of all who are called exactly this."""
        async with self._sessions() as session:
            query = select(Patient.id).where(Patient.name_hash == self._hash.of("name", name))
            return tuple(await session.scalars(query))

    async def find_by_number(self, number: str) -> tuple[str, ...]:
        """Return the ids of all who are reached under this number."""
        wanted = self._hash.of("number", number)
        async with self._sessions() as session:
            query = select(PhoneNumber.patient_id).where(PhoneNumber.number_hash == wanted)
            return tuple(await session.scalars(query.distinct()))

    async def view(self, patient_id: str) -> PatientView:
        """Return the patient in clear.

        Raises:
            UnknownPatient: there is none.
            SecurityError: the data key was destroyed or cannot be unwrapped.
        """
        async with self._sessions() as session:
            return await self.view_in(session, patient_id)

    async def view_in(self, session: AsyncSession, patient_id: str) -> PatientView:
        """Return the patient in clear, read within a session that is open already."""
        row = await session.get(Patient, patient_id)
        if row is None:
            raise UnknownPatient(patient_id)
        key = await data_key(session, self._keys, row.data_key_id)
        query = select(PhoneNumber).where(PhoneNumber.patient_id == patient_id)
        numbers = await session.scalars(query.order_by(PhoneNumber.position))

        def clear(column: str, sealed: bytes) -> str:
            return unseal(key, f"patients.{column}", patient_id, sealed)

        return PatientView(
            id=row.id,
            data_key_id=row.data_key_id,
            mrn=clear("mrn_sealed", row.mrn_sealed),
            family_name=clear("family_name_sealed", row.family_name_sealed),
            given_name=clear("given_name_sealed", row.given_name_sealed),
            birth_date=date.fromisoformat(clear("birth_date_sealed", row.birth_date_sealed)),
            sex=row.sex,
            language=row.language,
            time_zone=row.time_zone,
            clinical=_clinical_from(clear("clinical_sealed", row.clinical_sealed))
            if row.clinical_sealed
            else Clinical(),
            numbers=tuple(
                NumberView(
                    n.id,
                    unseal(key, "phone_numbers.number_sealed", n.id, n.number_sealed),
                    n.relation,
                    n.valid,
                )
                for n in numbers
            ),
        )

    async def data_key(self, patient_id: str) -> tuple[str, bytes]:
        """Return the id of the patient's data key and the key itself, for the recording."""
        async with self._sessions() as session:
            row = await session.get(Patient, patient_id)
            if row is None:
                raise UnknownPatient(patient_id)
            return row.data_key_id, await data_key(session, self._keys, row.data_key_id)

    async def opt_out(self, patient_id: str) -> None:
        """Never call this patient again, under whatever number."""
        async with self._sessions.begin() as session:
            session.add(OptOutRow(patient_id=patient_id, at=self._clock()))


async def data_key(session: AsyncSession, keys: KeyRing, key_id: str) -> bytes:
    """Return an unwrapped data key.

    Raises:
        SecurityError: destroyed, or its master version is not in the key file.
    """
    row = await session.get_one(DataKey, key_id)
    return keys.unwrap(row.id, row.master_version, row.wrapped)


def clinical_context(patient: PatientView, clock: Clock) -> ClinicalContext:
    """Return what the understanding of an answer may know; its ``now`` is the patient's own time.

    In a zone that is not known it is UTC.
    """
    now = clock()
    with contextlib.suppress(KeyError, ValueError, OSError):
        now = now.astimezone(ZoneInfo(patient.time_zone))
    return ClinicalContext(
        now=now,
        since=patient.clinical.discharged,
        diagnoses=patient.clinical.diagnoses,
        procedures=patient.clinical.procedures,
        medicines=patient.clinical.medicines,
        age=patient.age(now.date()),
    )


def _clinical_json(clinical: Clinical) -> str:
    return json.dumps(
        {
            "discharged": clinical.discharged.isoformat() if clinical.discharged else None,
            "diagnoses": clinical.diagnoses,
            "procedures": [
                {"code": p.code, "date": p.date.isoformat()} for p in clinical.procedures
            ],
            "medicines": clinical.medicines,
        },
        ensure_ascii=False,
    )


def _clinical_from(source: str) -> Clinical:
    content = json.loads(source)
    discharged = content["discharged"]
    return Clinical(
        discharged=date.fromisoformat(discharged) if discharged else None,
        diagnoses=tuple(content["diagnoses"]),
        procedures=tuple(
            Procedure(p["code"], date.fromisoformat(p["date"])) for p in content["procedures"]
        ),
        medicines=tuple(content["medicines"]),
    )
