"""``huifang patients``: who is followed up, and when."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scripts.answers import Procedure
from scripts.marked_yaml import ScriptError
from scripts.reading import load
from services.calls.followups import NewFollowUp
from services.cli.failing import stop_with
from services.cli.running import NOT_STARTED, read_settings
from services.patients import AlreadyEnrolled, Clinical, NewPatient, PatientError
from services.runtime import Hospital, hospital

app = typer.Typer(no_args_is_help=True)

FIRST_CALL = timedelta(hours=48)
"""After discharge: the follow-up of `general_discharge` is due at 48 hours …"""
LAST_CALL = timedelta(hours=96)
"""… asked by 72, and given to a person a day later."""


class ProcedureLine(BaseModel):
    """Something done to the patient in hospital."""

    model_config = ConfigDict(extra="forbid")
    code: str
    date: date


class PatientLine(BaseModel):
    """One line of the input: a patient, and with ``script`` the follow-up to plan."""

    model_config = ConfigDict(extra="forbid")

    mrn: str = Field(min_length=1)
    family_name: str = Field(min_length=1)
    given_name: str
    birth_date: date
    sex: Literal["m", "f", "x"] = "x"
    numbers: tuple[str, ...] = Field(min_length=1)
    language: str = "zh"
    time_zone: str | None = None
    discharged: date | None = None
    diagnoses: tuple[str, ...] = ()
    procedures: tuple[ProcedureLine, ...] = ()
    medicines: tuple[str, ...] = ()
    script: str | None = None
    due: datetime | None = None

    def patient(self, time_zone: str) -> NewPatient:
        """Return what is enrolled."""
        return NewPatient(
            mrn=self.mrn,
            family_name=self.family_name,
            given_name=self.given_name,
            birth_date=self.birth_date,
            sex=self.sex,
            numbers=self.numbers,
            language=self.language,
            time_zone=self.time_zone or time_zone,
            clinical=Clinical(
                discharged=self.discharged,
                diagnoses=self.diagnoses,
                procedures=tuple(Procedure(each.code, each.date) for each in self.procedures),
                medicines=self.medicines,
            ),
        )


class BadLine(Exception):
    """A line of the input cannot be used; its values are not quoted."""


@app.callback()
def group() -> None:
    """Who is followed up, and when."""


@app.command()
def add(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines, a patient each; without it, standard input.")
    ] = None,
) -> None:
    """Enrol patients and plan their follow-ups; docs/how-to/enrol-patients.md has the fields."""
    with stop_with(BadLine, PatientError, ScriptError, LookupError, OSError, *NOT_STARTED):
        lines = sys.stdin if file is None else file.read_text("utf-8").splitlines()
        parsed = _parsed(lines)
        print(asyncio.run(_enrol(parsed)))


def _parsed(lines: Iterable[str]) -> list[PatientLine]:
    """Read every line before anything is enrolled."""
    good = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            good.append(PatientLine.model_validate_json(line))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'line'}: {each['msg']}"
                for each in error.errors(include_input=False, include_url=False)
            )
            raise BadLine(f"line {number}: {problems}; nobody was enrolled") from None
    return good


async def _enrol(lines: list[PatientLine]) -> str:
    added = known = planned = 0
    async with hospital(read_settings()) as on:
        for line in lines:
            try:
                patient_id = await on.patients.enrol(line.patient(on.settings.time_zone))
                added += 1
            except AlreadyEnrolled as error:
                patient_id = error.patient_id
                known += 1
                continue
            if line.script is not None:
                await _plan(on, patient_id, line, line.script)
                planned += 1
    return f"{added} enrolled, {known} were enrolled before (left as they are), {planned} planned"


async def _plan(on: Hospital, patient_id: str, line: PatientLine, script_id: str) -> None:
    script = load(script_id, on.settings.scripts)
    zone = ZoneInfo(line.time_zone or on.settings.time_zone)
    discharged = datetime.combine(line.discharged or on.clock().date(), time(12), zone)
    due = line.due or discharged + FIRST_CALL
    if due.tzinfo is None:
        due = due.replace(tzinfo=zone)
    await on.follow_ups.plan(
        NewFollowUp(
            patient_id=patient_id,
            script_version_id=await on.follow_ups.keep_script(
                script.id, script.version, script.source
            ),
            language=line.language,
            due_at=due.astimezone(UTC),
            expires_at=(max(due, discharged) + LAST_CALL - FIRST_CALL).astimezone(UTC),
        )
    )
