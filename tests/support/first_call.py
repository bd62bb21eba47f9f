"""A hospital on real servers, and residents of the ward at real SIP telephones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.reading import load
from services.clock import utc_now
from services.database.migration import migrate
from services.database.session import Sessions, connect, sessions_of
from services.database.tables import User, new_id
from services.demo.residents import Resident, Telephones, residents, telephones
from services.patients import Patients
from services.runtime import caller_name, voices_of
from services.security.keys import KeyRing
from services.settings import Settings
from tests.support.asterisk_server import AsteriskServer
from tests.support.callee import Callee
from tests.support.mosquitto_server import Mosquitto
from tests.support.product import Product, installation
from tests.support.sip_phone import SipPhone
from tts.prompts import PromptBook

SCRIPT = "general_discharge"


@dataclass(frozen=True, slots=True)
class RealHospital:
    """Everything but the product's processes, which the tests start."""

    product: Product
    folder: Path
    sessions: Sessions
    keys: KeyRing
    people: dict[str, Resident]
    ward: Telephones
    phone: SipPhone

    @property
    def patients(self) -> Patients:
        return Patients(self.sessions, self.keys, utc_now)

    async def enrol(self) -> None:
        """Enrol everybody through the command line."""
        lines = [
            json.dumps(
                {
                    "mrn": each.patient.mrn,
                    "family_name": each.patient.family_name,
                    "given_name": each.patient.given_name,
                    "birth_date": each.patient.birth_date.isoformat(),
                    "sex": each.patient.sex,
                    "numbers": list(each.patient.numbers),
                    "language": each.patient.language,
                    "discharged": utc_now().date().isoformat(),
                },
                ensure_ascii=False,
            )
            for each in self.people.values()
        ]
        status, said = await self.product.call("patients", "add", stdin="\n".join(lines))
        assert status == 0, said

    async def somebody_on_duty(self) -> None:
        """Put a nurse on duty, without the desk."""
        now = utc_now()
        nurse = User(
            id=new_id(),
            login="nurse",
            name="值班护士",
            password_hash="-",
            role="nurse",
            created_at=now,
        )
        async with self.sessions.begin() as session:
            session.add(nurse)
        from services.alerts.duty import Duty

        await Duty(self.sessions).take(nurse.id, now, now + timedelta(hours=1))

    def personal(self) -> set[str]:
        """What may stand nowhere but in sealed columns."""
        found: set[str] = set()
        for each in self.people.values():
            patient = each.patient
            found |= {patient.mrn, patient.family_name + patient.given_name, *patient.numbers}
            found |= {str(patient.birth_date)}
            found |= {word.strip("。，") for words in each.replies.values() for word in words}
        return found


@asynccontextmanager
async def real_hospital(
    folder: Path,
    database_url: str,
    asterisk: AsteriskServer,
    mosquitto: Mosquitto,
    people: Iterable[Resident],
) -> AsyncIterator[RealHospital]:
    """Make one, with these residents at the phones behind the trunk."""
    await migrate(database_url)
    secret = folder / "ari.secret"
    secret.write_text(asterisk.instance.password)
    product = installation(
        folder,
        database_url=database_url,
        mqtt_url=mosquitto.url,
        ari_url=asterisk.instance.url,
        ari_user=asterisk.instance.user,
        ari_secret=secret,
    )
    known = {each.id: each for each in people}
    settings = Settings(data=folder)
    voices, synthetic = voices_of(settings)
    ward = await telephones(
        known.values(), load(SCRIPT), lambda: PromptBook(voices), caller_name(settings)
    )
    await synthetic.close()

    def callee(number: str) -> Callee:
        far = ward.far_end(number)
        if far is None:
            return Callee(refuse=404)
        rings = far.answers_after
        return Callee(ring_seconds=rings or 0.0, answers=rings is not None, media=far.media)

    engine = connect(database_url)
    async with SipPhone(callee, port=asterisk.phone_port) as phone:
        yield RealHospital(
            product=product,
            folder=folder,
            sessions=sessions_of(engine),
            keys=KeyRing.open(folder / "master.key"),
            people=known,
            ward=ward,
            phone=phone,
        )
    await engine.dispose()


@pytest.fixture
async def first_call(
    tmp_path: Path,
    postgres_database: str,
    asterisk: AsteriskServer,
    mosquitto: Mosquitto,
    request: pytest.FixtureRequest,
) -> AsyncIterator[RealHospital]:
    """Parametrised indirectly with the ids of the residents."""
    people = residents(utc_now().date(), request.param)
    async with real_hospital(tmp_path, postgres_database, asterisk, mosquitto, people) as hospital:
        yield hospital
