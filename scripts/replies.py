"""What the dialogue does with an utterance that holds no new warning sign.

What somebody wants (a person, an end, the sentence again) comes before what was answered.
"""

from __future__ import annotations

from dataclasses import replace

from scripts.answers import Answer, AnswerStatus, Intent, QuestionType, Severity, Understanding
from scripts.asking import (
    FETCHING,
    MOST_FETCHES,
    MOST_WRONG_YEARS,
    THINKING,
    WAITING,
    ask_again,
    close,
    following,
    leave,
    move_on,
    open_question,
    proceed,
    put_again,
    record,
    settle,
    settling,
    unavailable,
    wait,
)
from scripts.course import Step
from scripts.turns import Disposition, Stage

LEAVING = frozenset(
    {Intent.OPT_OUT, Intent.WRONG_NUMBER, Intent.BUSY, Intent.HUMAN, Intent.GOODBYE}
)
"""Who wants one of these is not held on the line."""
MACHINES = {
    Intent.VOICEMAIL: Disposition.VOICEMAIL,
    Intent.CARRIER_ANNOUNCEMENT: Disposition.CARRIER_ANNOUNCEMENT,
}
"""No person. Once the right party is known, a person it is, whatever was made of the words."""


def reply(step: Step, understanding: Understanding, *, sorry: bool = True) -> None:
    """Take up an utterance; ``sorry`` False leaves out the apology when it settles nothing."""
    intent = understanding.intent
    if intent in LEAVING:
        _leaving(step, understanding)
    elif intent is Intent.NOT_PATIENT:
        _not_patient(step, understanding)
    elif intent in (Intent.REPEAT, Intent.SLOWER):
        step.say("again")
        put_again(step)
    elif intent is Intent.WAIT:
        wait(step, FETCHING if step.state.waiting else WAITING)
    elif step.state.waiting:
        _while_waiting(step, understanding)
    elif intent is Intent.ARE_YOU_A_ROBOT:
        step.say("robot")
        put_again(step)
    elif intent is Intent.REFUSE:
        _refused(step, understanding)
    elif intent in (Intent.QUESTION, Intent.COMPLAINT):
        _remarked(step, understanding)
    elif (answer := settling(step.state.question, understanding)) is not None:
        _answered(step, answer, understanding)
    elif intent is Intent.FILLER:
        step.listen(patience=THINKING)
    elif intent is Intent.GREETING or not sorry:
        put_again(step)
    else:
        _unclear(step, understanding)
        ask_again(step, silent=False)


def _in_questions(step: Step) -> bool:
    """Whether the open question is one of the script's own."""
    return step.state.at in {q.id for q in step.state.course.questionnaire.questions}


def _leaving(step: Step, understanding: Understanding) -> None:
    answer = understanding.answer
    match understanding.intent:
        case Intent.OPT_OUT:
            step.end("opt_out", Disposition.REFUSED)
        case Intent.WRONG_NUMBER:
            step.end("wrong_number", Disposition.WRONG_PERSON)
        case Intent.BUSY:
            named = answer.value if isinstance(answer.value, str) else None
            leave(step, "call_back", Disposition.CALL_BACK_ASKED, named)
        case Intent.HUMAN if _in_questions(step):
            refused = replace(answer, status=AnswerStatus.REFUSED, value=None)
            settle(step, refused, Severity.ROUTINE, review=True)
            leave(step, "human")
        case Intent.HUMAN:
            leave(step, "human", Disposition.CALL_BACK_ASKED)
        case _:
            _goodbye(step, understanding)


def _goodbye(step: Step, understanding: Understanding) -> None:
    if not _in_questions(step):
        if step.state.right_party:
            leave(step, "goodbye")
        else:
            leave(step, "wrong_number", Disposition.NOT_AVAILABLE)
        return
    answer = settling(step.state.question, understanding)
    settle(step, answer or Answer(AnswerStatus.NONE), understanding.severity)
    if following(step) is None:
        close(step)
    else:
        leave(step, "goodbye")


def _not_patient(step: Step, understanding: Understanding) -> None:
    """Somebody else is speaking: ask for the patient, and start over with whoever comes."""
    state = step.state
    if state.waiting or state.fetches >= MOST_FETCHES:
        unavailable(step)
    elif state.at == "fetch":
        answer = settling(state.question, understanding)
        if answer is None:
            ask_again(step, silent=False)
        else:
            _answered(step, answer, understanding)
    else:
        step.change(identified=False, right_party=False)
        open_question(step, "fetch")


def _while_waiting(step: Step, understanding: Understanding) -> None:
    """A voice while the patient is being fetched."""
    answer = settling(step.state.question, understanding)
    if answer is not None and answer.value is False:
        unavailable(step)
    elif understanding.intent is Intent.FILLER:
        step.listen(patience=FETCHING)
    else:
        greet(step)


def greet(step: Step) -> None:
    """Say who calls, to whoever is on the line now, and begin with the right-party check."""
    step.change(at="", waiting=False)
    step.reach(Stage.OPENING)
    step.say("opening", interruptible=False)
    proceed(step)


def _refused(step: Step, understanding: Understanding) -> None:
    match step.state.at:
        case "identity" | "fetch":
            step.end("wrong_number", Disposition.REFUSED)
        case "birth_year":
            step.end("not_verified", Disposition.REFUSED)
        case "consent":
            record(step, granted=False)
            proceed(step)
        case _:
            refused = replace(understanding.answer, status=AnswerStatus.REFUSED, value=None)
            settle(step, refused, understanding.severity, review=understanding.needs_review)
            step.say("skip")
            move_on(step)


def _remarked(step: Step, understanding: Understanding) -> None:
    """A question back or a complaint: a nurse will see it; what was asked is still to be answered."""
    if not _in_questions(step):
        if step.state.at == "identity":
            step.say("opening")
        put_again(step)
        return
    answer = settling(step.state.question, understanding)
    if answer is None and step.state.question.type is QuestionType.FREE_TEXT:
        answer = replace(understanding.answer, status=AnswerStatus.UNCLEAR, value=None)
    step.change(review=True)
    noted = "question_noted" if understanding.intent is Intent.QUESTION else "complaint_noted"
    if answer is None:
        _unclear(step, understanding)
        step.say(noted)
        put_again(step)
    else:
        settle(step, answer, understanding.severity)
        step.say(noted)
        move_on(step)


def _unclear(step: Step, understanding: Understanding) -> None:
    """Remember what did not settle the question: it is stored if nothing better comes."""
    worst = max(step.state.worst, understanding.severity, key=lambda one: one.rank)
    step.change(unclear=understanding.answer, worst=worst)


def _answered(step: Step, answer: Answer, understanding: Understanding) -> None:
    state = step.state
    yes = answer.value is True
    match state.at:
        case "identity" if yes:
            step.change(identified=True)
            proceed(step)
        case "identity":
            _not_patient(step, understanding)
        case "fetch" if yes:
            step.change(fetches=state.fetches + 1, waiting=True)
            wait(step, FETCHING)
        case "fetch":
            unavailable(step)
        case "birth_year":
            _compare(step, answer)
        case "consent":
            record(step, granted=yes)
            proceed(step)
        case _:
            settle(step, answer, understanding.severity, review=understanding.needs_review)
            move_on(step)


def _compare(step: Step, answer: Answer) -> None:
    """The second fact of the right-party check."""
    if answer.value == step.state.course.facts.birth_year:
        step.change(right_party=True)
        step.reach(Stage.RIGHT_PARTY)
        proceed(step)
        return
    wrong = step.state.wrong_years + 1
    step.change(wrong_years=wrong)
    if wrong >= MOST_WRONG_YEARS:
        step.end("not_verified", Disposition.WRONG_PERSON)
    else:
        step.say("birth_year.simple")
        step.listen()
