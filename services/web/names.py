"""Names of patients for the lists."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.database.tables import DataKey, Patient
from services.patients import full_name
from services.security.errors import KeyDestroyed
from services.security.sealing import unseal
from services.web.desk import DeskServices


@dataclass(frozen=True, slots=True)
class Person:
    """A patient in a list."""

    id: str
    name: str | None
    """None: erased."""


class Names:
    """Unseals names, many at once."""

    def __init__(self, services: DeskServices) -> None:
        self._keys = services.keys

    async def of(self, session: AsyncSession, patient_ids: Collection[str]) -> dict[str, Person]:
        """Return the patients by id."""
        query = (
            select(Patient, DataKey)
            .join(DataKey, DataKey.id == Patient.data_key_id)
            .where(Patient.id.in_(patient_ids))
        )
        return {
            patient.id: Person(patient.id, self._name(patient, key))
            for patient, key in await session.execute(query)
        }

    def _name(self, patient: Patient, row: DataKey) -> str | None:
        try:
            key = self._keys.unwrap(row.id, row.master_version, row.wrapped)
        except KeyDestroyed:
            return None
        family = unseal(key, "patients.family_name_sealed", patient.id, patient.family_name_sealed)
        given = unseal(key, "patients.given_name_sealed", patient.id, patient.given_name_sealed)
        return full_name(family, given, patient.language)
