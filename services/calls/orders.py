"""What a call needs to know of its patient, read from the rows once, just before it is placed."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts.answers import ClinicalContext
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import Attempt, FollowUp, PhoneNumber, ScriptVersion
from services.patients import Patients, PatientView, clinical_context, data_key
from services.security.keys import KeyRing


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One call. Holds personal data in clear: never logged, never given to the engine."""

    attempt_id: str
    """Also the leg's id."""
    patient: PatientView = field(repr=False)
    data_key: bytes = field(repr=False)
    """The patient's, for what is sealed and for the recording."""
    number: str = field(repr=False)
    """As it is dialled."""
    number_hash: str = field(repr=False)
    script_source: str
    """YAML, exactly as it was when the follow-up was planned."""
    language: str
    context: ClinicalContext = field(repr=False)


async def load_order(sessions: Sessions, keys: KeyRing, clock: Clock, attempt_id: str) -> CallOrder:
    """Read the order of a committed attempt.

    Raises:
        NoResultFound: there is no such attempt.
        SecurityError: the patient's key was destroyed.
    """
    patients = Patients(sessions, keys, clock)
    async with sessions() as session:
        attempt = await session.get_one(Attempt, attempt_id)
        follow_up = await session.get_one(FollowUp, attempt.follow_up_id)
        script = await session.get_one(ScriptVersion, follow_up.script_version_id)
        number = await session.get_one(PhoneNumber, attempt.phone_number_id)
        patient = await patients.view_in(session, attempt.patient_id)
        key = await data_key(session, keys, patient.data_key_id)
    return CallOrder(
        attempt_id=attempt_id,
        patient=patient,
        data_key=key,
        number=next(n.number for n in patient.numbers if n.id == number.id),
        number_hash=number.number_hash,
        script_source=script.source,
        language=follow_up.language,
        context=clinical_context(patient, clock),
    )
