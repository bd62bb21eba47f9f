"""The dialogue with the general discharge script: what it does in the calls that matter."""

from __future__ import annotations

import pytest

from scripts.answers import AnswerStatus, AskedQuestion, Intent, Severity, Understanding, Utterance
from scripts.dialogue import Dialogue, PatientFacts
from scripts.reading import load
from scripts.turns import (
    AlertStage,
    Answered,
    Broken,
    Digits,
    Disposition,
    DropRecording,
    End,
    Event,
    Heard,
    HungUp,
    KeepRecording,
    Listen,
    OptOut,
    Progress,
    Say,
    Silence,
    Stage,
    StoreAnswer,
    Trouble,
)
from tests.support.dialogue_talk import (
    CHEST_PAIN,
    FACTS,
    NO,
    UNCLEAR,
    WELL,
    WOUND,
    YES,
    alerts,
    asked,
    dialogue,
    ended,
    heard,
    said,
    stored,
    to_the_end,
    until,
    wants,
)

STAGES = (AlertStage.UNCONFIRMED, AlertStage.CONFIRMED, AlertStage.AMENDED)
UNCONFIRMED, CONFIRMED, AMENDED = STAGES


def test_a_patient_who_is_well_is_asked_everything_once() -> None:
    talk = dialogue()
    actions = to_the_end(talk, talk.handle(Answered()))
    assert [one.stage for one in actions if isinstance(one, Progress)] == list(Stage)
    assert list(stored(actions)) == [
        "general_condition",
        "chest_pain",
        "dyspnea",
        "fever",
        "pain",
        "wound",
        "stool",
        "bleeding",
        "faint",
        "fall",
        "medicines",
        "anything_else",
    ]
    assert KeepRecording() in actions
    assert said(actions)[-1] == "closing"
    assert ended(actions) == End(Disposition.COMPLETED)


def test_branches_follow_the_answers() -> None:
    talk = dialogue()
    replies = {"fever": YES, "temperature": heard(38.5), "medicines": NO}
    actions = to_the_end(talk, talk.handle(Answered()), medicines_reason=heard("忘了"), **replies)
    assert stored(actions)["temperature"].answer.value == 38.5
    assert stored(actions)["medicines_reason"].answer.value == "忘了"
    assert "wound_detail" not in stored(actions)


def test_before_the_right_party_only_the_name_is_spoken() -> None:
    talk = dialogue()
    opening = talk.handle(Answered())
    first = opening[1]
    assert isinstance(first, Say)
    assert "人工智能" in first.text.partition("。")[0]
    assert not first.interruptible
    spoken = "".join(one.text for one in opening if isinstance(one, Say))
    spoken += "".join(one.text for one in talk.handle(YES) if isinstance(one, Say))
    assert "王先生" in spoken
    for word in ("出院", "医院", "科", "手术", "护士", "病", "1953", "一九五三"):
        assert word not in spoken


def test_the_birth_year_may_be_typed() -> None:
    talk = dialogue()
    until(talk, "birth_year")
    actions = talk.handle(Digits("1953"))
    assert actions[0] == Progress(Stage.RIGHT_PARTY)
    assert asked(actions) == "consent"


def test_two_wrong_birth_years_end_the_call_without_telling_anything() -> None:
    talk = dialogue()
    until(talk, "birth_year")
    assert asked(talk.handle(heard(1954.0))) == "birth_year"
    actions = talk.handle(heard(1935.0))
    assert said(actions) == ["not_verified"]
    assert ended(actions).disposition is Disposition.WRONG_PERSON
    assert DropRecording() in actions


def test_somebody_else_fetches_the_patient_who_is_greeted_and_checked_anew() -> None:
    talk = dialogue()
    talk.handle(Answered())
    assert asked(talk.handle(wants(Intent.NOT_PATIENT))) == "fetch"
    waiting = talk.handle(YES)
    assert said(waiting) == ["waiting"]
    assert isinstance(waiting[-1], Listen)
    assert waiting[-1].patience >= 30
    assert said(talk.handle(wants(Intent.GREETING))) == ["opening", "identity"]
    assert asked(talk.handle(YES)) == "birth_year"


@pytest.mark.parametrize("reply", [NO, wants(Intent.NOT_PATIENT)])
def test_a_patient_who_does_not_come_is_not_available(reply: Heard) -> None:
    talk = dialogue()
    talk.handle(Answered())
    talk.handle(NO)
    talk.handle(YES)
    actions = talk.handle(reply)
    assert ended(actions).disposition is Disposition.NOT_AVAILABLE


def test_a_patient_is_not_fetched_for_ever() -> None:
    talk = dialogue()
    actions = talk.handle(Answered())
    for reply in (wants(Intent.NOT_PATIENT), YES, wants(Intent.GREETING)) * 3:
        actions = talk.handle(reply)
        if isinstance(actions[-1], End):
            break
    assert ended(actions).disposition is Disposition.NOT_AVAILABLE


def test_another_voice_in_the_middle_is_checked_before_the_questions_go_on() -> None:
    talk = dialogue()
    until(talk, "fever")
    assert asked(talk.handle(wants(Intent.NOT_PATIENT))) == "fetch"
    talk.handle(YES)
    talk.handle(wants(Intent.GREETING))
    assert asked(talk.handle(YES)) == "birth_year"
    actions = talk.handle(heard(1953.0))
    assert asked(actions) == "fever"
    assert said(actions) == ["fever"]


@pytest.mark.parametrize(
    ("intent", "disposition"),
    [
        (Intent.WRONG_NUMBER, Disposition.WRONG_PERSON),
        (Intent.BUSY, Disposition.CALL_BACK_ASKED),
        (Intent.OPT_OUT, Disposition.REFUSED),
        (Intent.VOICEMAIL, Disposition.VOICEMAIL),
        (Intent.CARRIER_ANNOUNCEMENT, Disposition.CARRIER_ANNOUNCEMENT),
        (Intent.HUMAN, Disposition.CALL_BACK_ASKED),
        (Intent.REFUSE, Disposition.REFUSED),
        (Intent.GOODBYE, Disposition.NOT_AVAILABLE),
    ],
)
def test_how_a_call_ends_before_the_right_party(intent: Intent, disposition: Disposition) -> None:
    talk = dialogue()
    talk.handle(Answered())
    actions = talk.handle(wants(intent))
    assert ended(actions).disposition is disposition
    assert DropRecording() in actions
    assert (OptOut() in actions) == (intent is Intent.OPT_OUT)
    if disposition in (Disposition.VOICEMAIL, Disposition.CARRIER_ANNOUNCEMENT):
        assert not said(actions)


def test_a_call_back_keeps_the_time_as_it_was_said() -> None:
    talk = dialogue()
    until(talk, "fever")
    actions = talk.handle(heard("下午三点", intent=Intent.BUSY))
    assert ended(actions) == End(Disposition.CALL_BACK_ASKED, "下午三点")


def test_no_consent_goes_on_without_the_recording() -> None:
    talk = dialogue()
    until(talk, "consent")
    actions = talk.handle(NO)
    assert DropRecording() in actions
    assert asked(actions) == "general_condition"
    assert ended(to_the_end(talk, actions)).disposition is Disposition.COMPLETED


def test_consent_is_asked_for_twice_at_most() -> None:
    talk = dialogue()
    until(talk, "consent")
    assert said(talk.handle(UNCLEAR)) == ["not_understood_again", "consent.simple"]
    assert DropRecording() in talk.handle(UNCLEAR)


def test_an_emergency_is_raised_read_back_and_ends_with_the_approved_sentence() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    actions = talk.handle(CHEST_PAIN)
    assert actions[0] == alerts(actions)[0]
    assert alerts(actions)[0].stage is UNCONFIRMED
    assert said(actions) == ["readback.chest_pain"]
    actions = talk.handle(YES)
    assert [one.stage for one in alerts(actions)] == [CONFIRMED]
    assert stored(actions)["chest_pain"].answer.value is True
    assert said(actions) == ["emergency"]
    assert all(not one.interruptible for one in actions if isinstance(one, Say))
    assert ended(actions).disposition is Disposition.PARTIAL


@pytest.mark.parametrize(
    "reaction", [Silence(), UNCLEAR, wants(Intent.BUSY), Digits("1"), Digits("9")]
)
def test_whoever_does_not_say_no_to_a_read_back_confirms_it(reaction: Event) -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(CHEST_PAIN)
    actions = talk.handle(reaction)
    assert [one.stage for one in alerts(actions)] == [CONFIRMED]
    assert said(actions) == ["emergency"]


def test_hanging_up_leaves_the_alert_and_keeps_the_answer() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(CHEST_PAIN)
    actions = talk.handle(HungUp())
    assert not alerts(actions)
    assert "chest_pain" in stored(actions)
    assert ended(actions).disposition is Disposition.PARTIAL


def test_a_clear_no_amends_the_alert_and_the_question_is_put_again() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(heard(True, severity=Severity.EMERGENCY, findings=("chest_pain",)))
    actions = talk.handle(NO)
    assert [one.stage for one in alerts(actions)] == [AMENDED]
    assert said(actions) == ["amended", "chest_pain"]
    actions = talk.handle(NO)
    kept = stored(actions)["chest_pain"]
    assert (kept.answer.value, kept.needs_review, kept.severity) == (
        False,
        True,
        Severity.EMERGENCY,
    )
    assert asked(actions) == "dyspnea"


def test_a_sign_said_again_after_it_was_taken_back_counts() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(CHEST_PAIN)
    talk.handle(NO)
    actions = talk.handle(CHEST_PAIN)
    assert [(one.number, one.stage) for one in alerts(actions)] == [(1, CONFIRMED)]
    assert said(actions) == ["emergency"]


def test_a_no_with_another_warning_sign_raises_that_one_too() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(heard(True, severity=Severity.URGENT, findings=("chest_pain",)))
    tight = heard(False, severity=Severity.URGENT, findings=("chest_tightness",))
    actions = talk.handle(tight)
    assert [(one.number, one.stage) for one in alerts(actions)] == [(2, UNCONFIRMED), (1, AMENDED)]
    assert said(actions) == ["readback.chest_tightness"]


def test_an_urgent_sign_goes_on_and_the_closing_says_a_nurse_calls_today() -> None:
    talk = dialogue()
    actions = until(talk, "wound")
    actions = talk.handle(WOUND)
    assert said(actions) == ["readback.wound"]
    actions = talk.handle(YES)
    assert said(actions) == ["nurse_told", "wound_detail"]
    rest = to_the_end(
        talk,
        actions,
        wound_detail=heard("流脓", severity=Severity.URGENT, findings=("wound_discharge",)),
    )
    assert not alerts(rest)[1:], "the same sign is not raised twice"
    assert said(rest)[-1] == "nurse_calls_today"
    assert ended(rest).disposition is Disposition.COMPLETED


def test_a_known_sign_that_grows_graver_needs_no_second_read_back() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(heard(True, severity=Severity.URGENT, findings=("chest_pain",)))
    talk.handle(YES)
    actions = talk.handle(heard(True, severity=Severity.EMERGENCY, findings=("chest_pain",)))
    assert [(one.number, one.stage) for one in alerts(actions)] == [
        (2, UNCONFIRMED),
        (2, CONFIRMED),
    ]
    assert said(actions) == ["emergency"]


def test_self_harm_has_its_own_sentences_whatever_its_severity() -> None:
    talk = dialogue()
    until(talk, "anything_else")
    actions = talk.handle(
        heard("不想活了", severity=Severity.URGENT, findings=("suicidal_ideation",))
    )
    assert said(actions) == ["readback.self_harm"]
    actions = talk.handle(YES)
    assert said(actions) == ["self_harm"]
    assert ended(actions).disposition is Disposition.COMPLETED


def test_a_warning_value_is_read_back_by_its_question() -> None:
    talk = dialogue()
    until(talk, "pain")
    assert said(talk.handle(heard(9.0, severity=Severity.URGENT))) == ["readback.pain"]


def test_a_warning_sign_before_the_right_party_is_raised_and_the_check_goes_on() -> None:
    talk = dialogue()
    talk.handle(Answered())
    actions = talk.handle(heard(True, severity=Severity.URGENT, findings=("fall",)))
    assert alerts(actions)[0].question_id == "identity"
    assert said(actions) == ["readback.fall"]
    assert said(talk.handle(YES)) == ["nurse_told", "birth_year"]


def test_who_wants_no_more_calls_is_heard_even_in_an_emergency() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    angry = heard(intent=Intent.OPT_OUT, severity=Severity.EMERGENCY, findings=("chest_pain",))
    actions = talk.handle(angry)
    assert actions[0] == alerts(actions)[0]
    assert OptOut() in actions
    assert said(talk.handle(YES)) == ["emergency"]


def test_an_unclear_answer_is_asked_for_twice_more_and_then_given_up_visibly() -> None:
    talk = dialogue()
    until(talk, "dyspnea")
    assert said(talk.handle(UNCLEAR)) == ["not_understood", "dyspnea"]
    assert said(talk.handle(UNCLEAR)) == ["not_understood_again", "dyspnea.simple"]
    actions = talk.handle(heard(severity=Severity.ROUTINE, words="嗯嗯"))
    kept = stored(actions)["dyspnea"]
    assert (kept.answer.status, kept.needs_review) == (AnswerStatus.UNCLEAR, True)
    assert asked(actions) == "fever"


def test_three_questions_without_a_word_end_the_call() -> None:
    talk = dialogue()
    actions = until(talk, "dyspnea")
    for count in range(1, 10):
        actions = talk.handle(Silence())
        if count == 1:
            assert said(actions) == ["no_input", "dyspnea"]
    assert said(actions) == ["not_heard"]
    assert ended(actions).disposition is Disposition.PARTIAL


def test_keys_answer() -> None:
    talk = dialogue()
    until(talk, "fever")
    assert asked(talk.handle(Digits("2"))) == "pain"
    actions = talk.handle(Digits("10"))
    assert stored(actions)["pain"].answer.value == 10.0


def test_a_pressed_yes_to_a_warning_sign_is_urgent_when_nobody_judges_it() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    actions = talk.handle(Digits("1"))
    assert alerts(actions)[0].severity is Severity.URGENT
    assert alerts(actions)[0].findings[0].finding == "chest_pain"


def test_a_judge_is_asked_in_words_and_the_keys_decide_the_value() -> None:
    asked_for: list[tuple[str, str]] = []

    def judge(utterance: Utterance, question: AskedQuestion) -> Understanding:
        asked_for.append((question.id, utterance.text))
        return CHEST_PAIN.understanding

    talk = dialogue(judge)
    until(talk, "general_condition")
    talk.handle(Digits("2"))
    assert asked_for == [("general_condition", "差不多")]
    talk = dialogue(judge)
    until(talk, "chest_pain")
    assert alerts(talk.handle(Digits("1")))[0].severity is Severity.EMERGENCY


@pytest.mark.parametrize("intent", [Intent.REPEAT, Intent.SLOWER])
def test_it_says_it_again(intent: Intent) -> None:
    talk = dialogue()
    until(talk, "stool")
    assert said(talk.handle(wants(intent))) == ["again", "stool"]
    talk.handle(heard(severity=Severity.URGENT, findings=("melena",)))
    assert said(talk.handle(wants(intent))) == ["readback.melena"]


def test_it_waits_says_what_it_is_and_skips_what_is_refused() -> None:
    talk = dialogue()
    until(talk, "stool")
    waiting = talk.handle(wants(Intent.WAIT))[-1]
    assert isinstance(waiting, Listen)
    assert waiting.patience >= 30
    assert said(talk.handle(wants(Intent.ARE_YOU_A_ROBOT))) == ["robot", "stool"]
    actions = talk.handle(wants(Intent.REFUSE))
    assert stored(actions)["stool"].answer.status is AnswerStatus.REFUSED
    assert said(actions) == ["skip", "bleeding"]


def test_a_question_back_is_noted_for_a_nurse() -> None:
    talk = dialogue()
    until(talk, "anything_else")
    actions = talk.handle(heard("什么时候拆线", intent=Intent.QUESTION))
    assert stored(actions)["anything_else"].needs_review
    assert said(actions)[0] == "question_noted"


def test_who_wants_a_person_is_put_before_one() -> None:
    talk = dialogue()
    until(talk, "stool")
    actions = talk.handle(wants(Intent.HUMAN))
    kept = stored(actions)["stool"]
    assert (kept.needs_review, kept.severity) == (True, Severity.ROUTINE)
    assert said(actions) == ["human"]


def test_goodbye_at_the_last_question_completes_the_call() -> None:
    talk = dialogue()
    until(talk, "anything_else")
    assert ended(talk.handle(wants(Intent.GOODBYE))).disposition is Disposition.COMPLETED


def test_our_own_trouble_is_apologised_for() -> None:
    talk = dialogue()
    until(talk, "stool")
    actions = talk.handle(Broken(Trouble.EARS))
    assert said(actions) == ["trouble"]
    assert ended(actions).disposition is Disposition.INTERRUPTED
    talk = dialogue()
    until(talk, "stool")
    actions = talk.handle(Broken(Trouble.TIME_LIMIT))
    assert ended(actions).disposition is Disposition.PARTIAL


def test_trouble_in_an_emergency_still_sends_for_help() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(CHEST_PAIN)
    assert said(talk.handle(Broken(Trouble.EARS))) == ["emergency"]


def test_it_speaks_english() -> None:
    facts = PatientFacts("Mr Smith", 1953, "the health follow-up centre")
    talk = Dialogue(load("general_discharge"), "en", facts)
    actions = to_the_end(talk, talk.handle(Answered()))
    text = " ".join(one.text for one in actions if isinstance(one, Say))
    assert "Mr Smith" in text
    assert ended(actions).disposition is Disposition.COMPLETED


def test_a_language_the_script_does_not_speak_is_refused() -> None:
    with pytest.raises(ValueError, match="does not speak"):
        Dialogue(load("general_discharge"), "ko", FACTS)


def test_the_name_reaches_neither_the_understanding_nor_the_hints() -> None:
    talk = dialogue()
    actions = talk.handle(Answered())
    for reply in WELL.values():
        for action in actions:
            if isinstance(action, Listen):
                assert "王先生" not in action.question.text
                assert "王先生" not in action.hints
        if isinstance(actions[-1], Listen):
            actions = talk.handle(reply)


def test_an_answer_taken_back_on_the_way_out_is_stored_once_and_reviewed() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    talk.handle(heard(True, severity=Severity.URGENT, findings=("chest_pain",)))
    actions = talk.handle(heard(False, intent=Intent.HUMAN))
    assert [one.stage for one in alerts(actions)] == [AMENDED]
    kept = [one for one in actions if isinstance(one, StoreAnswer)]
    assert [(one.question.id, one.needs_review) for one in kept] == [("chest_pain", True)]
    assert said(actions)[-1] == "human"


def test_somebody_who_only_says_hm_is_given_a_moment_and_not_more() -> None:
    talk = dialogue()
    until(talk, "chest_pain")
    assert said(talk.handle(wants(Intent.FILLER))) == []
    (listen,) = (one for one in talk.handle(wants(Intent.FILLER)) if isinstance(one, Listen))
    assert listen.patience == 3.0
