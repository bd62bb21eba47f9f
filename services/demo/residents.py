"""The patients of the ward: who they are, what they say on the telephone, how their call must end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from dialer.simulated.line import FarEnd
from dialer.simulated.patient import Persona, Reply, Ring, Ward
from scripts.answers import Severity
from scripts.questionnaire import Questionnaire
from scripts.turns import Disposition
from services.calls.phoning import spoken_name
from services.patients import Clinical, NewPatient
from tts.prompts import PromptBook
from tts.recorded import RecordedVoice

WARD = Path(str(files("services.demo").joinpath("ward")))


@dataclass(frozen=True, slots=True)
class Resident:
    """One patient of the ward."""

    id: str
    number: str
    patient: NewPatient
    voice: str | None
    """Pack in ``ward/clips`` that holds the replies; None: the telephone is never picked up."""
    ring_seconds: float | None
    replies: Mapping[str, Sequence[str]]
    """By prompt id, or by what stands before its first dot."""
    disposition: Disposition
    severity: Severity
    """The worst that must be alerted."""


def residents(today: date, only: Sequence[str] = ()) -> tuple[Resident, ...]:
    """Read the ward.

    Args:
        today: they were discharged two days before.
        only: ids, in the order wanted; empty: everybody.
    """
    ward = yaml.safe_load((WARD / "ward.yaml").read_text(encoding="utf-8"))
    known = {entry["id"]: _resident(entry, today) for entry in ward["personas"]}
    return tuple(known[name] for name in only or known)


def _resident(entry: Mapping[str, Any], today: date) -> Resident:
    return Resident(
        id=entry["id"],
        number=entry["number"],
        patient=NewPatient(
            mrn=entry["mrn"],
            family_name=entry["family_name"],
            given_name=entry["given_name"],
            birth_date=entry["birth_date"],
            sex=entry["sex"],
            numbers=(entry["number"],),
            language=entry["language"],
            clinical=Clinical(discharged=today - timedelta(days=2)),
        ),
        voice=entry["voice"],
        ring_seconds=entry["ring_seconds"],
        replies=entry["replies"],
        disposition=Disposition(entry["expected"]["disposition"]),
        severity=Severity(entry["expected"]["severity"]),
    )


class Telephones:
    """The telephones of the residents: the far side of a simulated line, or of a SIP trunk."""

    def __init__(self, wards: Mapping[str, Ward]) -> None:
        self._wards = wards

    def far_end(self, number: str) -> FarEnd | None:
        """Return the telephone of a number, now ringing; None: there is no such number."""
        ward = self._wards.get(number)
        return None if ward is None else ward.far_end(number)

    @property
    def rings(self) -> tuple[Ring, ...]:
        """Every call that reached one of them."""
        return tuple(ring for ward in self._wards.values() for ring in ward.rings)


async def telephones(
    people: Iterable[Resident],
    script: Questionnaire,
    speech: Callable[[], PromptBook],
    caller: Callable[[str], str],
) -> Telephones:
    """Give everybody a telephone, and an ear for what the script may say to them."""
    wards = {}
    for each in people:
        persona = await _persona(each, script)
        language, book = each.patient.language, speech()
        prompts = {}
        if persona.replies:
            name = spoken_name(each.patient, language)
            for prompt_id, segments in script.sentences(language, caller(language), name):
                prompts[prompt_id] = await book.clip(segments, language)
        wards[each.number] = Ward({each.number: persona}, {language: prompts})
    return Telephones(wards)


async def _persona(resident: Resident, script: Questionnaire) -> Persona:
    replies: dict[str, tuple[Reply, ...]] = {}
    if resident.voice is not None:
        voice = RecordedVoice(WARD / "clips" / resident.voice)
        for prompt in script.prompts():
            said = resident.replies.get(prompt.id) or resident.replies.get(prompt.id.split(".")[0])
            if said:
                clips = [await voice.render(text, resident.patient.language) for text in said]
                replies[prompt.id] = tuple(Reply(speech=clip) for clip in clips)
    return Persona(
        id=resident.id,
        language=resident.patient.language,
        answers_after=resident.ring_seconds,
        replies=replies,
    )
