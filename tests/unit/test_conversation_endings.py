"""However a call ends, and whatever breaks: no warning sign is missed and nothing is kept unasked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from dialer.conversation import Limits
from dialer.journal import Turn
from dialer.line import Audio, Leg, LegEvent, LineUnavailable
from dialer.simulated.line import BUSY, DECLINED, FarEnd, Rejection, SimulatedLeg
from scripts.answers import Answer, AnswerStatus, Intent, Severity, Understanding
from scripts.turns import (
    AlertStage,
    Broken,
    Disposition,
    End,
    KeepRecording,
    RaiseAlert,
    StoreAnswer,
    Trouble,
)
from tests.support import scripted_call, virtual_time
from tests.support.coded_speech import CodedEars, quiet, sound
from tests.support.scripted_call import (
    Call,
    CodedSpeech,
    Do,
    ListJournal,
    ListRecorder,
    ScriptedDialogue,
    ScriptedPerson,
    listen,
    question,
    say,
)

BYE = (say("goodbye"), End(Disposition.COMPLETED))
PAIN = sound("pain", 1.0)


class MuteLeg:
    """A leg whose phone sends no sound."""

    def __init__(self, leg: Leg) -> None:
        self.id, self._leg = leg.id, leg

    async def events(self) -> AsyncIterator[LegEvent]:
        async for event in self._leg.events():
            if not isinstance(event, Audio):
                yield event

    async def play(self, clip: str, pcm: bytes) -> None:
        await self._leg.play(clip, pcm)

    async def flush(self) -> None:
        await self._leg.flush()

    async def hang_up(self) -> None:
        await self._leg.hang_up()


class SlowRows(ListJournal):
    async def turn(self, turn: Turn, understanding: Understanding | None = None) -> None:
        await asyncio.sleep(20.0)
        await super().turn(turn, understanding)


def call_of(*deeds: Do) -> Call:
    return Call(ScriptedDialogue((say("q1"), listen()), BYE), ScriptedPerson(*deeds))


def alarms(call: Call) -> list[RaiseAlert]:
    return call.journal.of("alert")


# --- the person hangs up ------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.1, 0.7, 1.2, 1.9, 2.05, 2.15])
def test_hanging_up_in_or_after_a_sentence_still_alerts(after: float) -> None:
    """In the word, in the pause after it, while we decode, while the reply plays."""
    call = call_of(Do("q1", 0.5, speech=PAIN), Do("q1", 0.5 + after, hang_up=True))
    result = call.make()
    if after >= 0.7:
        assert len(alarms(call)) == 1
        assert call.heard() == ["pain"]
    assert result.disposition is (
        Disposition.PARTIAL if call.kinds()[-1] == "HungUp" else Disposition.COMPLETED
    )
    assert result.answered
    assert call.recorder.told[-1] == "drop"


def test_hanging_up_while_talking_into_a_prompt_still_alerts() -> None:
    call = call_of(
        Do("q1", 0.3, speech=PAIN, from_start=True), Do("q1", 1.0, hang_up=True, from_start=True)
    )
    call.dialogue = ScriptedDialogue((say("q1"), listen()), (say("q2"), listen("q2")))
    call.speech = CodedSpeech({"q1": 5.0})
    assert call.make().disposition is Disposition.PARTIAL
    assert len(alarms(call)) == 1
    assert call.kinds() == ["Answered", "Heard", "HungUp"]


def test_hanging_up_while_a_slow_recogniser_decodes_still_alerts() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN), Do("q1", 3.0, hang_up=True))
    call.ears = [CodedEars(takes=5.0)]
    call.make()
    assert len(alarms(call)) == 1


def test_what_was_settled_before_the_hang_up_is_kept() -> None:
    stored = StoreAnswer(question("q1"), Answer(AnswerStatus.ANSWERED), Severity.NONE, False)
    call = Call(
        ScriptedDialogue(
            (say("opening"), listen()), (say("thanks"), KeepRecording(), stored, *BYE)
        ),
        ScriptedPerson(
            Do("opening", speech=sound("yes", 0.4)),
            Do("thanks", 0.2, hang_up=True, from_start=True),
        ),
    )
    result = call.make()
    assert result.disposition is Disposition.COMPLETED
    assert call.recorder.told == ["keep"]
    assert call.journal.of("answer") == [stored]
    (opening, thanks) = call.turns("system")
    assert (opening.interrupted, thanks.interrupted) == (False, True)
    assert thanks.ended - thanks.started < 0.3


def test_we_do_not_hang_up_on_somebody_who_is_speaking() -> None:
    call = call_of(
        Do("q1", 0.5, speech=sound("yes", 0.4)), Do("goodbye", 0.8, speech=PAIN, from_start=True)
    )
    result = call.make()
    assert result.disposition is Disposition.COMPLETED
    assert len(alarms(call)) == 1
    assert call.turns("patient")[-1].words[0].end - call.turns("patient")[-1].words[0].start > 0.9


def test_an_alarm_overheard_and_one_of_the_dialogue_have_numbers_of_their_own() -> None:
    call = Call(
        ScriptedDialogue((say("firm", interruptible=False), listen()), BYE),
        ScriptedPerson(
            Do("firm", 0.1, speech=sound("pain", 0.6), from_start=True),
            Do("firm", 0.5, speech=PAIN),
        ),
        speech=CodedSpeech({"firm": 4.0}),
    )
    call.make()
    assert [(alarm.number, alarm.stage) for alarm in alarms(call)] == [
        (1, AlertStage.UNCONFIRMED),
        (2, AlertStage.UNCONFIRMED),
    ]


# --- our side breaks ----------------------------------------------------------------------------


def test_a_second_recogniser_hears_what_the_first_could_not() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.ears = [CodedEars(broken=True), CodedEars()]
    assert call.make().disposition is Disposition.COMPLETED
    assert call.heard() == ["pain"]


def test_without_ears_we_take_our_leave() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.ears = [CodedEars(broken=True), CodedEars(broken=True)]
    assert call.make().disposition is Disposition.INTERRUPTED
    assert call.dialogue.events[-1] == Broken(Trouble.EARS)
    assert call.person.seconds("sorry") == 1.0


def test_the_time_limit_hears_the_last_words_and_says_sorry() -> None:
    call = call_of(Do("q1", 0.5, speech=sound("pain", 20.0)))
    call.dialogue = ScriptedDialogue((say("q1"), listen()), (say("q2"), listen("q2")))
    call.limits = Limits(call=12.0)
    assert call.make().disposition is Disposition.INTERRUPTED
    assert call.kinds() == ["Answered", "Heard", "Broken"]
    assert len(alarms(call)) == 1
    assert call.person.seconds("sorry") == 1.0


def test_at_the_time_limit_an_ending_of_the_dialogue_is_still_spoken() -> None:
    call = call_of(Do("q1", 0.5, speech=sound("pain", 20.0)))
    call.limits = Limits(call=12.0)
    assert call.make().disposition is Disposition.COMPLETED
    assert call.person.seconds("goodbye") == 1.0


def test_a_shutdown_takes_a_polite_leave() -> None:
    async def shut_down(leg: SimulatedLeg, shutdown: asyncio.Event) -> None:
        await asyncio.sleep(4.5)
        shutdown.set()

    call = call_of()
    call.beside = shut_down
    call.speech = CodedSpeech({"q1": 10.0})
    assert call.make().disposition is Disposition.INTERRUPTED
    assert call.dialogue.events[-1] == Broken(Trouble.SHUTDOWN)
    assert call.person.seconds("q1") < 2.0
    assert call.person.seconds("sorry") == 1.0


def test_a_shutdown_before_the_answer_is_an_interruption() -> None:
    async def shut_down(leg: SimulatedLeg, shutdown: asyncio.Event) -> None:
        await asyncio.sleep(1.0)
        shutdown.set()

    call = call_of()
    call.beside = shut_down
    result = call.make()
    assert (result.disposition, result.answered) == (Disposition.INTERRUPTED, False)
    assert call.dialogue.events == []


def test_cancelling_still_alerts_and_hangs_up() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    legs: list[SimulatedLeg] = []

    async def cancelled() -> None:
        async def keep(leg: SimulatedLeg, shutdown: asyncio.Event) -> None:
            legs.append(leg)

        call.beside = keep
        making = asyncio.create_task(call.run())
        await asyncio.sleep(5.4)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        await asyncio.sleep(0.1)
        assert legs[0].task.done()

    virtual_time.run(cancelled())
    assert len(alarms(call)) == 1
    assert call.recorder.told == ["drop"]


def test_a_phone_that_falls_silent_does_not_stop_the_clock() -> None:
    """Some phones send no sound while their owner is quiet."""
    call = call_of()
    call.around = MuteLeg
    call.make()
    assert call.kinds() == ["Answered", "Silence"]


# --- the journal --------------------------------------------------------------------------------


def test_no_slow_row_stands_before_an_alert() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.journal = SlowRows()
    call.make()
    (timing,) = call.observer.timings
    (alert_at,) = [at for at, kind, _ in call.journal.entries if kind == "alert"]
    assert alert_at == pytest.approx(timing.understood, abs=0.05)
    assert len(call.turns("patient")) == 1, "written all the same before the call returns"


def test_a_journal_that_fails_is_tried_again() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.journal.failures = 3
    call.make()
    assert len(alarms(call)) == 1
    assert len(call.journal.of("turn")) == 3


def test_a_journal_that_fails_to_the_end_is_not_passed_over() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.journal.failures = 10_000
    with pytest.raises(ConnectionError):
        call.make()


# --- consent ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hang_up_in", ["opening", "q1"])
def test_nothing_is_kept_before_consent(hang_up_in: str) -> None:
    call = Call(
        ScriptedDialogue((say("opening"), listen()), (say("q1"), listen()), BYE),
        ScriptedPerson(
            *([Do("opening", speech=sound("yes", 0.4))] if hang_up_in == "q1" else []),
            Do(hang_up_in, 0.5, hang_up=True, from_start=True),
        ),
    )
    call.make()
    assert call.recorder.told == ["drop"]


# --- silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes", [0.0, 1.2, 1.8, 4.0, 9.0])
@pytest.mark.parametrize("pause", [0.8, 1.5, 2.2])
def test_nobody_waits_three_seconds_for_a_sound(takes: float, pause: float) -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen(pause=pause)), BYE),
        ScriptedPerson(Do("q1", 0.0, speech=sound("yes", 0.3))),
        ears=[CodedEars(takes=takes)],
        speech=CodedSpeech({"filler": 0.8}),
        filler=say("filler"),
    )
    call.make()
    assert call.heard() == ["yes"]
    assert call.person.longest_silence("q1", "goodbye") < 3.0 + 0.3, "0.3 s is their own word"
    assert (call.person.seconds("filler") > 0) == (pause + takes > 2.5)


# --- nobody answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("far", "disposition"),
    [
        (lambda person: FarEnd(person, rejection=BUSY), Disposition.BUSY),
        (lambda person: FarEnd(person, rejection=DECLINED), Disposition.DECLINED),
        (lambda person: FarEnd(person, answers_after=None), Disposition.NO_ANSWER),
        (lambda person: FarEnd(person, rejection=Rejection(34, 503)), Disposition.LINE_FAILURE),
        (lambda person: FarEnd(person, rejection=Rejection(19, 480)), Disposition.UNREACHABLE),
        (lambda person: None, Disposition.INVALID_NUMBER),
    ],
)
def test_unanswered_calls(
    far: Callable[[ScriptedPerson], FarEnd | None], disposition: Disposition
) -> None:
    call = call_of()
    call.far = far
    result = call.make()
    assert (result.disposition, result.answered) == (disposition, False)
    assert call.dialogue.events == []
    assert call.journal.of("answered") == []
    assert call.recorder.told == ["drop"]


def test_a_carriers_announcement_before_the_answer_is_understood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(scripted_call.INTENTS, "please wait", Intent.CARRIER_ANNOUNCEMENT)
    announcement = sound("please", 0.8) + sound("wait", 0.8)
    call = call_of()
    call.far = lambda person: FarEnd(
        person, early_media=announcement, rejection=Rejection(31, 480, after=4.0)
    )
    result = call.make()
    assert result.disposition is Disposition.CARRIER_ANNOUNCEMENT
    assert result.sip_code == 480
    assert call.recorder.patients == [], "nobody has answered: nobody is recorded"


class BreakingLeg(MuteLeg):
    """A leg whose line breaks while somebody speaks."""

    async def events(self) -> AsyncIterator[LegEvent]:
        async for event in self._leg.events():
            if event.at > 5.4:
                raise LineUnavailable("the switch is gone")
            yield event


def test_a_line_that_breaks_is_our_side_and_the_last_words_still_count() -> None:
    call = call_of(Do("q1", 0.5, speech=PAIN))
    call.dialogue = ScriptedDialogue((say("q1"), listen()), (say("q2"), listen("q2")))
    call.around = BreakingLeg
    assert call.make().disposition is Disposition.INTERRUPTED
    assert len(alarms(call)) == 1
    assert call.dialogue.events[-1] == Broken(Trouble.SHUTDOWN)


def test_a_recorder_that_fails_is_not_passed_over() -> None:
    class Full(ListRecorder):
        def patient(self, pcm: bytes, at: float) -> None:
            raise OSError("no space left")

    call = call_of()
    call.recorder = Full()
    with pytest.raises(OSError, match="no space"):
        call.make()


def test_what_waits_in_the_queue_when_we_stop_is_not_forgotten() -> None:
    """The prompt is late, the person goes on speaking, and then the worker shuts down."""

    async def shut_down(leg: SimulatedLeg, shutdown: asyncio.Event) -> None:
        await asyncio.sleep(13.2)
        shutdown.set()

    call = call_of(Do("q1", 0.5, speech=sound("yes", 0.4) + quiet(1.6) + PAIN))
    call.dialogue = ScriptedDialogue(
        (say("q1"), listen()), (say("q2"), listen("q2")), (listen("q2"),)
    )
    call.speech = CodedSpeech(takes=4.0)
    call.beside = shut_down
    call.make()
    assert call.kinds() == ["Answered", "Heard", "Heard", "Broken"]
    assert call.heard() == ["yes", "pain"]
    assert len(alarms(call)) == 1
