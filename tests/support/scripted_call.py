"""One whole call in virtual time, on the simulated line and through the real conversation.

The dialogue and the person follow the test's script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dialer.conversation import Limits, converse
from dialer.journal import Turn
from dialer.line import FRAME_BYTES, DialRequest, Leg
from dialer.outcomes import CallResult
from dialer.ports import ReplyTiming
from dialer.simulated.line import FarEnd, SimulatedLeg, SimulatedLine
from scripts.answers import (
    Answer,
    AnswerStatus,
    AskedQuestion,
    ClinicalContext,
    Intent,
    QuestionType,
    Severity,
    Understanding,
    Utterance,
)
from scripts.turns import (
    Action,
    AlertStage,
    Broken,
    Disposition,
    End,
    Event,
    Heard,
    HungUp,
    Listen,
    RaiseAlert,
    Say,
    Segment,
    Stage,
    StoreAnswer,
)
from tests.support import virtual_time
from tests.support.coded_speech import CodedEars, CodedVoiceActivity, quiet, read, sound

CONTEXT = ClinicalContext(now=datetime(2026, 11, 22, 1, 30, tzinfo=UTC))
INTENTS = {"hello": Intent.GREETING, "again": Intent.REPEAT, "": Intent.UNINTELLIGIBLE}


def question(name: str) -> AskedQuestion:
    return AskedQuestion(name, name, QuestionType.YES_NO)


def say(prompt: str, *, interruptible: bool = True) -> Say:
    return Say(prompt, (Segment(prompt),), interruptible)


def listen(
    name: str = "q1", *, pause: float = 1.0, patience: float = 6.0, digits: int = 0
) -> Listen:
    return Listen(question(name), patience=patience, pause=pause, digits=digits)


def understand(
    utterance: Utterance, question: AskedQuestion, context: ClinicalContext
) -> Understanding:
    """``pain`` is an emergency; ``hello`` greets; ``again`` wants it repeated."""
    severity = Severity.EMERGENCY if "pain" in utterance.text else Severity.NONE
    intent = INTENTS.get(utterance.text, Intent.ANSWER)
    return Understanding("test", intent, Answer(AnswerStatus.ANSWERED), severity=severity)


class ScriptedDialogue:
    """Goes through its steps whatever is heard; raises every alarm first."""

    def __init__(self, *steps: Sequence[Action]) -> None:
        self._steps = [tuple(step) for step in steps]
        self.events: list[Event] = []

    def handle(self, event: Event) -> tuple[Action, ...]:
        self.events.append(event)
        if isinstance(event, HungUp):
            return (End(Disposition.PARTIAL),)
        if isinstance(event, Broken):
            return (say("sorry", interruptible=False), End(Disposition.INTERRUPTED))
        actions = self._steps.pop(0)
        if isinstance(event, Heard) and event.understanding.severity is Severity.EMERGENCY:
            alarm = RaiseAlert(1, AlertStage.UNCONFIRMED, Severity.EMERGENCY, "q1", (), ())
            return (alarm, *actions)
        return actions


@dataclass(frozen=True)
class Do:
    """One thing the person does, ``delay`` seconds after hearing a prompt's end (or beginning)."""

    after: str
    delay: float = 0.5
    speech: bytes = b""
    key: str = ""
    hang_up: bool = False
    from_start: bool = False


class ScriptedPerson:
    """Does one thing after the other; see ``Do``. Keeps what it heard, frame by frame."""

    def __init__(self, *deeds: Do) -> None:
        self.digits: list[str] = []
        self.hung_up = False
        self.heard: list[str | None] = []
        self._deeds = list(deeds)
        self._started: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._saying = b""

    def step(self, heard: bytes) -> bytes:
        frame, prompt = len(self.heard), read(heard)
        before = self.heard[-1] if self.heard else None
        self.heard.append(prompt)
        if prompt != before:
            if prompt is not None:
                self._started[prompt] = frame
            if before is not None:
                self._ended[before] = frame
        if self._deeds and self._due(self._deeds[0], frame):
            deed = self._deeds.pop(0)
            self._saying += deed.speech
            self.digits.extend(deed.key)
            self.hung_up = deed.hang_up
        said, self._saying = self._saying[:FRAME_BYTES], self._saying[FRAME_BYTES:]
        return said.ljust(FRAME_BYTES, b"\0")

    def _due(self, deed: Do, frame: int) -> bool:
        since = (self._started if deed.from_start else self._ended).get(deed.after)
        return since is not None and frame >= since + round(deed.delay * 50)

    def seconds(self, prompt: str) -> float:
        """How much of a prompt was heard in all."""
        return round(self.heard.count(prompt) * 0.02, 2)

    def longest_silence(self, since: str, until: str) -> float:
        """Longest quiet from the first frame of one prompt to the last of another."""
        last = len(self.heard) - self.heard[::-1].index(until)
        longest = run = 0
        for prompt in self.heard[self.heard.index(since) : last]:
            run = 0 if prompt is not None else run + 1
            longest = max(longest, run)
        return longest * 0.02


@dataclass
class ListJournal:
    """Every entry with its virtual time."""

    entries: list[tuple[float, str, Any]] = field(default_factory=list)
    slow: float = 0.0
    failures: int = 0

    def of(self, kind: str) -> list[Any]:
        return [entry for _, name, entry in self.entries if name == kind]

    async def _add(self, kind: str, entry: Any = None) -> None:
        await asyncio.sleep(self.slow)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the test's database is away")
        self.entries.append((asyncio.get_running_loop().time(), kind, entry))

    async def ringing(self) -> None:
        await self._add("ringing")

    async def answered(self) -> None:
        await self._add("answered")

    async def stage(self, stage: Stage) -> None:
        await self._add("stage", stage)

    async def turn(self, turn: Turn, understanding: Understanding | None = None) -> None:
        await self._add("turn", turn)

    async def answer(self, stored: StoreAnswer) -> None:
        await self._add("answer", stored)

    async def alert(self, alert: RaiseAlert) -> None:
        await self._add("alert", alert)

    async def recording_consent(self, granted: bool) -> None:
        await self._add("consent", granted)

    async def opt_out(self) -> None:
        await self._add("opt out")


@dataclass
class ListRecorder:
    """Everything it was told, in order."""

    patients: list[tuple[bytes, float]] = field(default_factory=list)
    systems: list[tuple[bytes, float]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def patient(self, pcm: bytes, at: float) -> None:
        self.patients.append((pcm, at))

    def system(self, pcm: bytes, at: float) -> None:
        self.systems.append((pcm, at))

    def keep(self) -> None:
        self.told.append("keep")

    def drop(self) -> None:
        self.told.append("drop")


@dataclass
class CodedSpeech:
    """Every prompt is its first segment's text in coded speech; ``takes`` seconds to get."""

    lengths: dict[str, float] = field(default_factory=dict)
    takes: float = 0.0

    async def clip(self, segments: Sequence[Segment], language: str) -> bytes:
        await asyncio.sleep(self.takes)
        # No clip fills its last frame: the seconds in between must not add up to an error.
        return sound(segments[0].text, self.lengths.get(segments[0].text, 1.0)) + quiet(0.005)


class ListObserver:
    def __init__(self) -> None:
        self.timings: list[ReplyTiming] = []

    def reply(self, timing: ReplyTiming) -> None:
        self.timings.append(timing)


@dataclass
class Call:
    """A call to be made; what it left behind can be read afterwards."""

    dialogue: ScriptedDialogue
    person: ScriptedPerson
    ears: Sequence[CodedEars] = field(default_factory=lambda: [CodedEars()])
    speech: CodedSpeech = field(default_factory=CodedSpeech)
    journal: ListJournal = field(default_factory=ListJournal)
    recorder: ListRecorder = field(default_factory=ListRecorder)
    observer: ListObserver = field(default_factory=ListObserver)
    limits: Limits = field(default_factory=Limits)
    filler: Say | None = None
    far: Callable[[ScriptedPerson], FarEnd | None] = FarEnd
    around: Callable[[Leg], Leg] = lambda leg: leg
    """Puts something between the conversation and the leg."""
    beside: Callable[[SimulatedLeg, asyncio.Event], Coroutine[Any, Any, None]] | None = None
    """Runs beside the call: may set the shutdown event, hang up ..."""

    def make(self) -> CallResult:
        """Make the call, in virtual time."""
        return virtual_time.run(self.run())

    async def run(self) -> CallResult:
        """Make the call on the loop that runs."""
        line = SimulatedLine(lambda _: self.far(self.person), noise=0.0)
        leg = await line.dial(DialRequest("leg-1", "001"))
        shutdown = asyncio.Event()
        beside = asyncio.create_task(self.beside(leg, shutdown)) if self.beside else None
        try:
            return await converse(
                self.around(leg),
                self.dialogue,
                ears=self.ears,
                voice_activity=CodedVoiceActivity(),
                speech=self.speech,
                understand=understand,
                recorder=self.recorder,
                journal=self.journal,
                context=CONTEXT,
                language="en",
                filler=self.filler,
                limits=self.limits,
                observer=self.observer,
                shutdown=shutdown,
            )
        finally:
            if beside is not None:
                beside.cancel()

    def heard(self) -> list[str]:
        """The words of every Heard that reached the dialogue."""
        return [event.utterance.text for event in self.dialogue.events if isinstance(event, Heard)]

    def turns(self, speaker: str) -> list[Turn]:
        return [turn for turn in self.journal.of("turn") if turn.speaker == speaker]

    def kinds(self, events: Iterable[Event] | None = None) -> list[str]:
        return [type(event).__name__ for event in events or self.dialogue.events]
