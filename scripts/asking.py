"""Putting the questions: what comes next, asking again, settling, giving up.

What comes next is never remembered: it follows from what is settled. So a question that is settled
is never put again, and one that is open is never skipped by an interruption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from scripts.answers import Answer, AnswerStatus, AnswerValue, QuestionType, Severity, Understanding
from scripts.course import MOST_TURNS, Step
from scripts.questionnaire import Question
from scripts.turns import Disposition, DropRecording, KeepRecording, Stage, StoreAnswer

MOST_TRIES = 2
"""How often a question is put again when it was not answered."""
MOST_CONSENT_TRIES = 1
"""The same for the consent: nobody is pressed for it."""
MOST_WORDLESS = 3
"""Questions in a row without any word before the call ends politely."""
MOST_WRONG_YEARS = 2
MOST_FETCHES = 2
FETCHING = 45.0
"""Seconds to wait for the patient to come to the phone."""
WAITING = 30.0
"""Seconds to wait for somebody who asked for a moment."""
THINKING = 3.0
"""Seconds to wait for somebody who only said hm: what we heard may not have been all they said."""


def proceed(step: Step) -> None:
    """Put whatever comes next, or close."""
    state = step.state
    if not state.identified:
        open_question(step, "identity")
    elif not state.right_party:
        open_question(step, "birth_year")
    elif state.consent is None:
        open_question(step, "consent")
    elif (question := following(step)) is not None:
        if state.stage is not Stage.QUESTIONS:
            step.reach(Stage.QUESTIONS)
            step.say("begin")
        open_question(step, question.id)
    else:
        close(step)


def following(step: Step) -> Question | None:
    """The next question of the script that is open and whose condition holds."""
    settled = step.state.settled
    for question in step.state.course.questionnaire.questions:
        if question.id in settled:
            continue
        condition = question.ask_if
        if condition is None:
            return question
        before = settled.get(condition.question)
        if before is not None and condition.holds(before.value):
            return question
    return None


def open_question(step: Step, question_id: str) -> None:
    """Put a question for the first time."""
    if step.state.at != question_id:
        step.change(
            at=question_id,
            turns=0,
            tries=0,
            spoke=False,
            review=False,
            worst=Severity.NONE,
            unclear=None,
        )
    put(step)


def put(step: Step, *, simple: bool = False) -> None:
    """Put the open question, plainly or in its simple wording, and listen."""
    step.say(f"{step.state.at}.simple" if simple else step.state.at)
    step.listen()


def put_again(step: Step) -> None:
    """Say the open question once more, in the wording of the last try."""
    put(step, simple=step.state.tries >= MOST_TRIES)


def wait(step: Step, seconds: float) -> None:
    """Give the person time."""
    step.say("waiting")
    step.listen(patience=seconds)


def ask_again(step: Step, *, silent: bool) -> None:
    """The question was not answered: put it again, more simply, or give it up."""
    tries = step.state.tries + 1
    consent = step.state.at == "consent"
    if tries > (MOST_CONSENT_TRIES if consent else MOST_TRIES):
        give_up(step)
        return
    step.change(tries=tries)
    last = consent or tries == MOST_TRIES
    reason = "no_input" if silent else "not_understood"
    step.say(f"{reason}_again" if last else reason)
    put(step, simple=last)


def misheard(step: Step, pending: Understanding) -> None:
    """The person took back what was understood as the answer: put the question again."""
    worst = max(step.state.worst, pending.severity, key=lambda one: one.rank)
    step.change(review=True, worst=worst, unclear=pending.answer, tries=step.state.tries + 1)
    if step.state.tries > MOST_TRIES:
        give_up(step)
    else:
        put_again(step)


def give_up(step: Step) -> None:
    """The question stays without an answer."""
    state = step.state
    match state.at:
        case "identity" | "fetch" if not state.spoke:
            leave(step, "not_heard", Disposition.NOT_AVAILABLE)
        case "identity" | "fetch":
            unavailable(step)
        case "birth_year":
            step.end("not_verified", Disposition.NOT_AVAILABLE)
        case "consent":
            record(step, granted=False)
            proceed(step)
        case _:
            unclear = state.unclear or Answer(AnswerStatus.UNCLEAR)
            answer = replace(unclear, status=AnswerStatus.UNCLEAR, value=None)
            settle(step, answer if state.spoke else Answer(AnswerStatus.NONE))
            move_on(step)


def settle(
    step: Step, answer: Answer, severity: Severity = Severity.NONE, *, review: bool = False
) -> None:
    """Store the answer to the open question, once; it is never put again."""
    state = step.state
    if state.at in state.settled:
        return
    worst = max(severity, state.worst, key=lambda one: one.rank)
    review = review or state.review or answer.status is AnswerStatus.UNCLEAR
    step.do(StoreAnswer(state.question.asked(state.course.language), answer, worst, review))
    step.change(
        settled={**state.settled, state.at: answer},
        wordless=0 if state.spoke else state.wordless + 1,
    )


def move_on(step: Step) -> None:
    """After a question was settled: the next one, unless nobody seems to be there any more."""
    if step.state.wordless >= MOST_WORDLESS:
        leave(step, "not_heard")
    else:
        proceed(step)


def record(step: Step, *, granted: bool) -> None:
    """The consent to the recording is settled."""
    step.change(consent=granted)
    if granted:
        step.do(KeepRecording())
    else:
        step.do(DropRecording())
        step.say("no_recording")


def close(step: Step) -> None:
    """Every question was put."""
    answers = step.state.settled.values()
    answered = any(answer.status is AnswerStatus.ANSWERED for answer in answers)
    ending = "nurse_calls_today" if step.state.nurse_calls else "closing"
    step.end(ending, Disposition.COMPLETED if answered else Disposition.PARTIAL)


def unavailable(step: Step) -> None:
    """The patient cannot come to the phone."""
    begun = bool(step.state.settled)
    leave(step, "not_available", Disposition.PARTIAL if begun else Disposition.NOT_AVAILABLE)


def leave(
    step: Step,
    ending: str,
    disposition: Disposition = Disposition.PARTIAL,
    call_back: str | None = None,
) -> None:
    """End before every question was put; a reported warning sign is not forgotten over it."""
    step.end("nurse_calls_today" if step.state.nurse_calls else ending, disposition, call_back)


def settling(question: Question, understanding: Understanding) -> Answer | None:
    """The answer, if what was understood settles the question."""
    answer = understanding.answer
    if answer.status is not AnswerStatus.ANSWERED or not _plausible(question, answer.value):
        return None
    return answer


def keep_pending(step: Step) -> None:
    """Store an answer that waited for a read-back which the call does not come back from."""
    pending = step.state.pending
    step.change(pending=None)
    if pending is None or step.state.stage is not Stage.QUESTIONS:
        return
    answer = settling(step.state.question, pending)
    if answer is not None:
        settle(step, answer, pending.severity, review=pending.needs_review)


def _plausible(question: Question, value: AnswerValue) -> bool:
    match question.type:
        case QuestionType.YES_NO:
            return isinstance(value, bool)
        case QuestionType.CHOICE:
            return isinstance(value, str) and value in question.choices
        case QuestionType.FREE_TEXT:
            return isinstance(value, str) and bool(value.strip())
        case QuestionType.NUMBER | QuestionType.SCALE:
            numbers = list(value.values()) if isinstance(value, Mapping) else [value]
            low, high = question.between or (-inf, inf)
            return any(number is not None for number in numbers) and all(
                number is None
                or (isinstance(number, int | float) and not isinstance(number, bool)
                    and low <= number <= high)
                for number in numbers
            )  # fmt: skip


def spend_turn(step: Step) -> bool:
    """Count a turn on the open question; False once there were too many."""
    step.change(turns=step.state.turns + 1)
    return step.state.turns <= MOST_TURNS
