"""Whole calls in virtual time: what the person hears, what the dialogue is told, what is kept."""

from __future__ import annotations

from dialer.outcomes import CallResult
from scripts.turns import Digits, Disposition, End, KeepRecording, Progress, Stage
from tests.support.coded_speech import COUGH, CodedEars, quiet, sound, words
from tests.support.scripted_call import (
    Call,
    CodedSpeech,
    Do,
    ScriptedDialogue,
    ScriptedPerson,
    listen,
    say,
)

BYE = (say("goodbye"), End(Disposition.COMPLETED))


def one_question(*deeds: Do, ears: CodedEars | None = None) -> Call:
    """A call with one question, which ends after the first answer."""
    dialogue = ScriptedDialogue((say("q1"), listen()), BYE)
    return Call(dialogue, ScriptedPerson(*deeds), ears=[ears or CodedEars()])


def test_a_whole_call() -> None:
    call = Call(
        ScriptedDialogue(
            (say("opening"), listen("identity")),
            (Progress(Stage.QUESTIONS), KeepRecording(), say("q1"), listen("q1")),
            BYE,
        ),
        ScriptedPerson(
            Do("opening", speech=sound("yes", 0.4)), Do("q1", speech=sound("better", 0.6))
        ),
    )
    result = call.make()
    assert result == CallResult(Disposition.COMPLETED, cause=16, answered=True)
    assert call.heard() == ["yes", "better"]
    assert call.recorder.told == ["keep"]
    assert call.journal.of("consent") == [True]
    assert [turn.prompt_id for turn in call.turns("system")] == ["opening", "q1", "goodbye"]
    assert [turn.index for turn in call.journal.of("turn")] == [0, 1, 2, 3, 4]
    assert [turn.question_id for turn in call.turns("patient")] == ["identity", "q1"]
    assert not any(turn.interrupted for turn in call.turns("system"))


def test_words_are_on_the_legs_clock() -> None:
    call = one_question(Do("q1", 0.5, speech=sound("yes", 0.4)))
    call.make()
    (turn,) = call.turns("patient")
    said = [at for pcm, at in call.recorder.patients if any(pcm)]
    assert abs(turn.words[0].start - said[0]) < 0.021
    assert abs(turn.words[0].end - said[-1]) < 0.041
    assert abs(turn.started - said[0]) < 0.021
    assert turn.ears == "coded test"


def test_the_recording_holds_what_went_out_where_it_went_out() -> None:
    call = one_question(Do("q1", speech=sound("yes", 0.4)))
    call.make()
    (prompt, goodbye) = call.turns("system")
    pieces = call.recorder.systems
    assert len(pieces) > 20, "handed over as it plays, not at the end"
    total = b"".join(pcm for pcm, _ in pieces)
    assert total == sound("q1", 1.0) + quiet(0.005) + sound("goodbye", 1.0) + quiet(0.005)
    assert pieces[0][1] == prompt.started
    at = prompt.started
    for pcm, begins in pieces:
        if begins >= goodbye.started:
            break
        assert abs(begins - at) < 1e-6
        at += len(pcm) / 16000


def test_a_long_pause_inside_a_sentence_does_not_end_the_turn() -> None:
    sentence = sound("no", 0.4) + quiet(1.6) + sound("pain", 0.5)
    call = Call(
        ScriptedDialogue((say("q1"), listen(pause=2.0)), BYE),
        ScriptedPerson(Do("q1", speech=sentence)),
    )
    call.make()
    assert call.heard() == ["no pain"]


def test_going_on_while_we_decode_makes_one_turn() -> None:
    sentence = sound("no", 0.4) + quiet(1.3) + sound("pain", 0.5)
    call = one_question(Do("q1", speech=sentence), ears=CodedEars(takes=0.8))
    call.make()
    assert call.heard() == ["no pain"]
    assert len(call.journal.of("alert")) == 1


def test_the_soft_beginning_of_a_word_reaches_the_ears() -> None:
    ears = CodedEars()
    call = one_question(Do("q1", speech=sound("yes", 0.4)), ears=ears)
    call.make()
    assert words(ears.heard[0])[0].start >= 0.3


def test_a_cough_pauses_the_prompt_and_it_goes_on() -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen()), BYE),
        ScriptedPerson(
            Do("q1", 1.0, speech=sound(COUGH, 0.2), from_start=True),
            Do("q1", 4.0, speech=sound("yes", 0.4), from_start=True),
        ),
        speech=CodedSpeech({"q1": 3.0}),
    )
    call.make()
    assert call.heard() == ["yes"]
    assert 3.0 <= call.person.seconds("q1") < 3.6
    (turn,) = [turn for turn in call.turns("system") if turn.prompt_id == "q1"]
    assert not turn.interrupted
    recorded = sum(len(pcm) for pcm, _ in call.recorder.systems) / 16000
    assert abs(recorded - call.person.seconds("q1") - call.person.seconds("goodbye")) < 0.05


def test_an_answer_into_the_end_of_a_question_stops_it() -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen()), BYE),
        ScriptedPerson(Do("q1", 2.5, speech=sound("yes", 0.8), from_start=True)),
        speech=CodedSpeech({"q1": 4.0}),
    )
    call.make()
    assert call.heard() == ["yes"]
    assert call.person.seconds("q1") < 2.8
    (turn,) = [turn for turn in call.turns("system") if turn.prompt_id == "q1"]
    assert turn.interrupted
    assert turn.ended - turn.started < 2.8
    (timing,) = call.observer.timings
    assert timing.reply_started > timing.turn_ended > turn.ended


def test_a_word_before_the_question_was_there_is_no_answer_to_it() -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen()), BYE),
        ScriptedPerson(
            Do("q1", 0.4, speech=sound("no", 0.8), from_start=True),
            Do("q1", 4.5, speech=sound("yes", 0.4), from_start=True),
        ),
        speech=CodedSpeech({"q1": 4.0}),
    )
    call.make()
    assert call.person.seconds("q1") > 4.2, "the question is asked again from its beginning"
    assert call.heard() == ["yes"]
    assert [turn.text for turn in call.turns("patient")] == ["no", "yes"], "but it is written down"


def test_an_alarm_before_the_question_was_there_is_raised() -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen()), BYE),
        ScriptedPerson(Do("q1", 0.4, speech=sound("pain", 0.8), from_start=True)),
        speech=CodedSpeech({"q1": 4.0}),
    )
    call.make()
    assert call.heard() == ["pain"]
    assert len(call.journal.of("alert")) == 1


def test_a_prompt_that_may_not_be_interrupted_is_not() -> None:
    call = Call(
        ScriptedDialogue((say("firm", interruptible=False), listen()), BYE),
        ScriptedPerson(
            Do("firm", 0.5, speech=sound("pain", 0.6), from_start=True),
            Do("firm", 0.5, speech=sound("yes", 0.4)),
        ),
        speech=CodedSpeech({"firm": 4.0}),
    )
    call.make()
    assert call.person.seconds("firm") == 4.0
    assert call.heard() == ["yes"]
    assert len(call.journal.of("alert")) == 1, "what is said into it is still understood"


def test_nobody_says_anything() -> None:
    call = Call(ScriptedDialogue((say("q1"), listen(patience=3.0)), BYE), ScriptedPerson())
    call.make()
    assert call.kinds() == ["Answered", "Silence"]


def test_a_cough_is_not_an_answer() -> None:
    call = one_question(
        Do("q1", 0.5, speech=sound(COUGH, 0.2)), Do("q1", 3.0, speech=sound("yes", 0.4))
    )
    call.make()
    assert call.heard() == ["yes"]


def test_after_a_cough_nobody_waits_the_whole_patience_again() -> None:
    call = one_question(Do("q1", 4.0, speech=sound(COUGH, 0.2)))
    call.make()
    assert call.kinds() == ["Answered", "Silence"]
    question, goodbye = call.turns("system")
    # The cough, the pause that ends it, three seconds; not the six of the question again.
    assert 7.0 < goodbye.started - question.ended < 9.5


def test_keys() -> None:
    call = Call(
        ScriptedDialogue(
            (say("q1"), listen()),
            (say("q2"), listen(digits=4)),
            (say("thanks"), listen(digits=4)),
            (say("firm"), listen(digits=4)),
            BYE,
        ),
        ScriptedPerson(
            Do("q1", key="1"),
            Do("q2", key="1953"),
            Do("thanks", key="38#"),
            Do("firm", key="7"),
        ),
    )
    call.make()
    keys = [event.keys for event in call.dialogue.events if isinstance(event, Digits)]
    assert keys == ["1", "1953", "38", "7"]


def test_a_key_left_over_does_not_answer_the_next_question() -> None:
    call = Call(
        ScriptedDialogue((say("q1"), listen()), (say("q2"), listen("q2", patience=2.0)), BYE),
        ScriptedPerson(Do("q1", key="22")),
    )
    call.make()
    assert call.kinds() == ["Answered", "Digits", "Silence"]


def test_the_reply_is_timed() -> None:
    call = one_question(Do("q1", speech=sound("yes", 0.4)))
    call.make()
    (timing,) = call.observer.timings
    (turn,) = call.turns("patient")
    assert abs(timing.speech_ended - turn.words[-1].end) < 0.03
    assert 0.98 <= timing.turn_ended - timing.speech_ended <= 1.04
    assert timing.turn_ended < timing.heard <= timing.understood < timing.reply_started
    assert timing.reply_started - timing.turn_ended < 0.2
