"""One attempt on the telephone: everything made ready, then rung, then talked through.

The phone does not ring before the script, the ears and every prompt of this call are there: a patient
who picks up must never wait for us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from asr.recogniser import Recogniser
from dialer.conversation import Limits, converse
from dialer.line import DialRequest, Line
from dialer.outcomes import CallResult
from dialer.ports import Observer, VoiceActivity
from scripts.answers import AskedQuestion, Understand, Understanding, Utterance
from scripts.dialogue import Dialogue, PatientFacts
from scripts.questionnaire import Questionnaire
from scripts.reading import read
from scripts.turns import Segment
from services.calls.call_recordings import CallRecordings
from services.calls.journal import Desks, RowJournal
from services.calls.orders import CallOrder
from services.patients import NewPatient, PatientView

GOODBYE_SECONDS = 60.0
"""The polite leave begins this long before the switch itself would cut the call."""


class PreparedSpeech(Protocol):
    """The prompts of one call; ``tts.prompts.PromptBook`` is one."""

    async def prepare(self, prompts: Iterable[Sequence[Segment]], language: str) -> None:
        """Have every one of them as sound."""
        ...

    async def clip(self, segments: Sequence[Segment], language: str) -> bytes:
        """Return the sound of one; see ``dialer.ports.Speech``."""
        ...


@dataclass(frozen=True, slots=True)
class Equipment:
    """What every call of this worker is carried with."""

    line: Line
    ears: Callable[[str], Awaitable[Sequence[Recogniser]]]
    """The recognisers of a language, best first."""
    voice_activity: Callable[[], VoiceActivity]
    """A fresh one for each call."""
    speech: Callable[[], PreparedSpeech]
    """A fresh one for each call."""
    understand: Understand
    caller_name: Callable[[str], str]
    """The neutral name of who calls, by language."""
    ring_seconds: float
    call_seconds: float
    """The switch's own limit."""
    observer: Observer | None = None


class PhoneCalls:
    """Rings and converses; the ``PlaceCall`` of ``services.calls.placing``.

    Args:
        orders: reads what an attempt is about.
        shutdown: once set, calls that go on take a polite leave.
    """

    def __init__(
        self,
        orders: Callable[[str], Awaitable[CallOrder]],
        desks: Desks,
        recordings: CallRecordings,
        equipment: Equipment,
        shutdown: asyncio.Event,
    ) -> None:
        self._orders = orders
        self._desks = desks
        self._recordings = recordings
        self._with = equipment
        self._shutdown = shutdown

    async def __call__(self, attempt_id: str) -> CallResult:
        """Carry one call through.

        Raises:
            LineError: the line could not do it.
            VoiceError: a prompt cannot be spoken; nobody was rung.
            Exception: no recogniser for the language, or rows that cannot be read; nobody was rung.
        """
        order = await self._orders(attempt_id)
        script = _script(order.script_source)
        dialogue, speech, ears = await self._made_ready(order, script)
        recorder = self._recordings.recorder(order)
        leg = await self._with.line.dial(
            DialRequest(attempt_id, order.number, self._with.ring_seconds, self._with.call_seconds)
        )
        try:
            return await converse(
                leg,
                dialogue,
                ears=ears,
                voice_activity=self._with.voice_activity(),
                speech=speech,
                understand=self._with.understand,
                recorder=recorder,
                journal=RowJournal(self._desks, order),
                context=order.context,
                language=order.language,
                filler=dialogue.filler,
                limits=Limits(call=self._with.call_seconds - GOODBYE_SECONDS),
                observer=self._with.observer,
                shutdown=self._shutdown,
            )
        finally:
            await asyncio.shield(self._recordings.finish(order, recorder))

    async def _made_ready(
        self, order: CallOrder, script: Questionnaire
    ) -> tuple[Dialogue, PreparedSpeech, Sequence[Recogniser]]:
        language = order.language
        facts = PatientFacts(
            name=spoken_name(order.patient, language),
            birth_year=order.patient.birth_date.year,
            caller=self._with.caller_name(language),
        )

        def judge(utterance: Utterance, question: AskedQuestion) -> Understanding:
            return self._with.understand(utterance, question, order.context)

        speech = self._with.speech()
        prompts = [said for _, said in script.sentences(language, facts.caller, facts.name)]
        ears, _ = await asyncio.gather(self._with.ears(language), speech.prepare(prompts, language))
        return Dialogue(script, language, facts, judge=judge), speech, ears


_HONORIFICS = {
    "zh": {"m": "{}先生", "f": "{}女士", "x": "{}先生或女士"},
    "en": {"m": "Mr {}", "f": "Ms {}", "x": "Mr or Ms {}"},
    "ko": {"m": "{} 님", "f": "{} 님", "x": "{} 님"},
}


def spoken_name(patient: PatientView | NewPatient, language: str) -> str:
    """Family name and honorific: all of the name that is said before the right-party check."""
    return _HONORIFICS.get(language, _HONORIFICS["en"])[patient.sex].format(patient.family_name)


@lru_cache(maxsize=64)
def _script(source: str) -> Questionnaire:
    return read(source)
