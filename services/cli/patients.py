"""``huifang patients``: who is followed up, and when."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scripts.answers import Procedure
from scripts.marked_yaml import ScriptError
from scripts.questionnaire import Questionnaire
from scripts.reading import load
from services.calls.followups import NewFollowUp
from services.cli.failing import stop_with
from services.cli.running import NOT_STARTED, read_settings
from services.clock import utc_now
from services.patients import AlreadyEnrolled, Clinical, NewPatient, PatientError
from services.runtime import Hospital, hospital
from services.settings import Settings, known_zone

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

    @field_validator("numbers")
    @classmethod
    def _dialled(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"\+?[0-9]{3,20}", number) for number in numbers):
            raise ValueError("a number is digits, with a + before it if need be")
        return numbers

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        return name if name is None else known_zone(name)

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
                ": ".join([*map(str, each["loc"]), each["msg"].removeprefix("Value error, ")])
                for each in error.errors(include_input=False, include_url=False)
            )
            raise BadLine(f"line {number}: {problems}; nobody was enrolled") from None
    return good


async def _enrol(lines: list[PatientLine]) -> str:
    settings = read_settings()
    plans = [_plan(settings, line, number) for number, line in enumerate(lines, 1)]
    added = known = planned = 0
    async with hospital(settings) as on:
        for line, plan in zip(lines, plans, strict=True):
            try:
                patient_id = await on.patients.enrol(line.patient(settings.time_zone))
                added += 1
            except AlreadyEnrolled:
                known += 1
                continue
            if plan is not None:
                await _keep(on, patient_id, line, plan)
                planned += 1
    return f"{added} enrolled, {known} were enrolled before (left as they are), {planned} planned"


@dataclass(frozen=True, slots=True)
class Plan:
    """A follow-up that can be kept."""

    script: Questionnaire
    due_at: datetime
    expires_at: datetime


def _plan(settings: Settings, line: PatientLine, number: int) -> Plan | None:
    """Work out the follow-up of a line, before anything is enrolled.

    Raises:
        BadLine: nobody could be called for it.
    """
    if line.script is None:
        return None
    try:
        script = load(line.script, settings.scripts)
    except LookupError as error:
        raise BadLine(f"line {number}: {error.args[0]}; nobody was enrolled") from None
    if line.language not in script.languages:
        raise BadLine(
            f"line {number}: {script.id} speaks {', '.join(script.languages)} only; "
            "nobody was enrolled"
        )
    zone = ZoneInfo(line.time_zone or settings.time_zone)
    now = utc_now()
    discharged = datetime.combine(line.discharged or now.astimezone(zone).date(), time(12), zone)
    due = line.due or discharged + FIRST_CALL
    if due.tzinfo is None:
        due = due.replace(tzinfo=zone)
    expires = max(due, discharged + FIRST_CALL) + LAST_CALL - FIRST_CALL
    if expires <= now:
        raise BadLine(
            f"line {number}: the follow-up would have ended already; give a later due time, or "
            "leave script out; nobody was enrolled"
        )
    return Plan(script, due.astimezone(UTC), expires.astimezone(UTC))


async def _keep(on: Hospital, patient_id: str, line: PatientLine, plan: Plan) -> None:
    script = plan.script
    await on.follow_ups.plan(
        NewFollowUp(
            patient_id=patient_id,
            script_version_id=await on.follow_ups.keep_script(
                script.id, script.version, script.source
            ),
            language=line.language,
            due_at=plan.due_at,
            expires_at=plan.expires_at,
        )
    )
