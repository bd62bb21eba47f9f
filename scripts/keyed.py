"""Keys as an answer that can be judged: nobody misses a warning sign by pressing it."""

from __future__ import annotations

from dataclasses import replace

from scripts import keys
from scripts.answers import (
    Answer,
    AnswerStatus,
    AnswerValue,
    Experiencer,
    Finding,
    FindingStatus,
    FindingTime,
    Intent,
    Severity,
    Understanding,
    Utterance,
)
from scripts.course import Course
from scripts.questionnaire import GATES, Question

_VERSION = "keys"


def keyed(pressed: str, meaning: AnswerValue) -> Understanding:
    """What pressed keys mean by themselves; None is nothing to the question."""
    if meaning is None:
        answer = Answer(AnswerStatus.UNCLEAR, evidence=pressed, end=len(pressed))
    else:
        answer = Answer(AnswerStatus.ANSWERED, meaning, 1.0, pressed, 0, len(pressed))
    return Understanding(_VERSION, Intent.ANSWER, answer)


def judged(course: Course, question: Question, pressed: str) -> Understanding:
    """What pressed keys mean as the answer to a question, and how serious that is.

    The keys decide what was answered; the course's judge decides how serious it is, from words that
    say the same. Without a judge a yes to a warning sign is urgent, and a number is looked at.
    """
    meaning = keys.value(question, pressed)
    plain = keyed(pressed, meaning)
    if meaning is None or question.id in GATES:
        return plain
    if course.judge is None:
        return _unjudged(question, plain)
    words = keys.words(question, meaning, course.language)
    judged = course.judge(Utterance(words, course.language), question.asked(course.language))
    return replace(
        judged,
        intent=Intent.ANSWER,
        answer=plain.answer,
        needs_review=judged.needs_review or judged.answer.value != meaning,
    )


def _unjudged(question: Question, plain: Understanding) -> Understanding:
    if plain.answer.value is not True or not question.asks_about:
        number = not isinstance(plain.answer.value, bool)
        return replace(plain, needs_review=number) if number else plain
    findings = tuple(
        Finding(
            finding=code,
            status=FindingStatus.PRESENT,
            time=FindingTime.CURRENT,
            experiencer=Experiencer.PATIENT,
            attributes=(),
            evidence=plain.answer.evidence,
            start=0,
            end=plain.answer.end,
            confidence=1.0,
            by="question",
        )
        for code in question.asks_about
    )
    return replace(plain, findings=findings, severity=Severity.URGENT)
