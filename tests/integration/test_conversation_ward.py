"""Patients of the ward, called with everything real but the time.

The shipped script, the recorded voice, the simulated line with mu-law and noise, voice activity,
streaming Mandarin recognition, understanding. Only the switch, the rows and the clock are not real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import numpy as np
import pytest

from asr.decoding import DecodingPool, PooledRecogniser
from asr.models import find, open_engine
from asr.recogniser import Engine
from asr.voice_activity import SileroVoiceActivity
from dialer.conversation import converse
from dialer.line import DialRequest
from dialer.outcomes import CallResult
from dialer.simulated.line import SimulatedLine
from dialer.simulated.patient import SimulatedPatient
from scripts.answers import AskedQuestion, ClinicalContext, Understanding, Utterance
from scripts.dialogue import Dialogue, PatientFacts
from scripts.reading import load
from scripts.turns import AlertStage, Disposition, Say
from services.calls.phoning import spoken_name
from services.demo.rendered import PACKS
from services.demo.residents import residents, telephones
from services.triage.understanding import load as load_understanding
from tests.support import virtual_time
from tests.support.ears import leave_out, models_folder
from tests.support.scripted_call import ListJournal, ListObserver, ListRecorder
from tts.prompts import PromptBook
from tts.recorded import RecordedVoice

LANGUAGE, CALLER = "zh", "健康随访中心"
CONTEXT = ClinicalContext(now=datetime(2026, 11, 22, 1, 30, tzinfo=UTC), since=date(2026, 11, 20))


class AtOnce(DecodingPool):
    """Decodes on the loop itself, so that virtual time stands still meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def submit(self, job: Callable[[], None]) -> None:
        self._loop.call_soon(job)


class Somebody:
    """Speaks every name, which is all that the packs need not hold: a hum of its length."""

    name = "hum"

    def speaks(self, language: str) -> bool:
        return True

    async def render(self, text: str, language: str) -> bytes:
        hum = np.rint(3000 * np.sin(np.arange(2000 * len(text)) * 0.3))
        return np.asarray(hum, "<i2").tobytes()


@cache
def engine() -> Engine:
    found = find(LANGUAGE, "sherpa", models_folder())
    if found is None:
        leave_out("the model sherpa-zh-3.3m is missing: ../shared/models or HUIFANG_MODELS")
    return open_engine(found)


@dataclass
class Called:
    """What a call left behind."""

    result: CallResult
    journal: ListJournal
    recorder: ListRecorder
    observer: ListObserver
    patient: SimulatedPatient


async def call(resident_id: str, noise: float) -> Called:
    people = residents(date(2026, 11, 22), [resident_id])
    patient = people[0].patient
    script, understand = load("general_discharge"), load_understanding()
    book = PromptBook([RecordedVoice(PACKS / LANGUAGE), Somebody()])
    phones = await telephones(people, script, lambda: book, lambda _: CALLER)
    line = SimulatedLine(phones.far_end, noise=noise)
    facts = PatientFacts(
        name=spoken_name(patient, LANGUAGE), birth_year=patient.birth_date.year, caller=CALLER
    )

    def judge(utterance: Utterance, question: AskedQuestion) -> Understanding:
        return understand(utterance, question, CONTEXT)

    filler = script.spoken["filler"]
    journal, recorder, observer = ListJournal(), ListRecorder(), ListObserver()
    result = await converse(
        await line.dial(DialRequest("leg-1", people[0].number)),
        Dialogue(script, LANGUAGE, facts, judge=judge),
        ears=[PooledRecogniser(engine(), AtOnce())],
        voice_activity=SileroVoiceActivity(),
        speech=book,
        understand=understand,
        recorder=recorder,
        journal=journal,
        context=CONTEXT,
        language=LANGUAGE,
        filler=Say(filler.id, filler.segments(LANGUAGE, caller=CALLER)),
        observer=observer,
    )
    return Called(result, journal, recorder, observer, phones.rings[0].patient)


@pytest.fixture(scope="module")
def emergency() -> Called:
    """The patient who has chest pain."""
    return virtual_time.run(call("emergency", noise=40.0))


def test_an_emergency_is_heard_alerted_and_confirmed(emergency: Called) -> None:
    alerts = emergency.journal.of("alert")
    assert [alert.stage for alert in alerts] == [AlertStage.UNCONFIRMED, AlertStage.CONFIRMED]
    assert {"chest_pain", "dyspnea"} <= {finding.finding for finding in alerts[0].findings}
    (danger,) = [
        turn
        for turn in emergency.journal.of("turn")
        if turn.speaker == "patient" and turn.question_id == "chest_pain"
    ]
    raised = next(at for at, kind, _ in emergency.journal.entries if kind == "alert")
    assert 0 < raised - danger.ended < 2.0
    assert emergency.result.disposition in {Disposition.COMPLETED, Disposition.PARTIAL}
    assert emergency.recorder.told == ["keep"]
    heard = [entry.what for entry in emergency.patient.ledger if entry.kind == "heard"]
    assert heard[-1] == "emergency", "the approved sentence was heard at the telephone, to its end"


def test_both_sides_are_where_the_telephone_had_them(emergency: Called) -> None:
    turns = emergency.journal.of("turn")
    answered = turns[0].started
    heard = [entry.at for entry in emergency.patient.ledger if entry.kind == "heard"]
    for turn in turns:
        if turn.speaker == "system" and not turn.interrupted:
            assert min(abs(turn.ended - answered - at) for at in heard) < 0.2, turn.prompt_id
    said = [entry.at for entry in emergency.patient.ledger if entry.kind == "said"]
    spoken = [turn for turn in turns if turn.speaker == "patient"]
    assert len(said) == len(spoken), "everything that was said is in the journal, once"
    for at, turn in zip(said, spoken, strict=True):
        assert abs(turn.started - answered - at) < 0.4


def test_nobody_waits_three_seconds_for_our_reply(emergency: Called) -> None:
    waits = [timing.reply_started - timing.speech_ended for timing in emergency.observer.timings]
    assert len(waits) >= 5
    assert 0.9 < min(waits) < max(waits) < 3.0
