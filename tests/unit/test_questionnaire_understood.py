"""The shipped scripts against the shipped understanding: what is asked can be answered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

import pytest

from scripts import keys
from scripts.answers import (
    AnswerStatus,
    AnswerValue,
    ClinicalContext,
    QuestionType,
    Severity,
    Understand,
    Understanding,
    Utterance,
)
from scripts.questionnaire import Question
from scripts.reading import library, load
from services.triage import lexicon, understanding

CONTEXT = ClinicalContext(now=datetime(2026, 11, 22, 9, 30, tzinfo=UTC), since=date(2026, 11, 19))
ASKED = [
    pytest.param(question, language, id=f"{script_id}-{question.id}-{language}")
    for script_id in library()
    for language in load(script_id).languages
    for question in load(script_id).questions
]


@cache
def understand() -> Understand:
    return understanding.load()


def understood(words: str, question: Question, language: str) -> Understanding:
    return understand()(Utterance(words, language), question.asked(language), CONTEXT)


def meanings(question: Question) -> list[AnswerValue]:
    """What can be pressed to a question."""
    match question.type:
        case QuestionType.YES_NO:
            return [True, False]
        case QuestionType.CHOICE:
            return list(question.choices)
        case QuestionType.SCALE:
            return [0.0, 3.0, 7.0, 10.0]
        case QuestionType.NUMBER:
            return list(question.between or ())
        case _:
            return []


@pytest.mark.parametrize("script_id", library())
def test_a_script_names_only_findings_there_are(script_id: str) -> None:
    load(script_id, findings=lexicon.load().codes)


@pytest.mark.parametrize(("question", "language"), ASKED)
def test_what_is_pressed_is_judged_as_what_was_meant(question: Question, language: str) -> None:
    for meaning in meanings(question):
        one = understood(keys.words(question, meaning, language), question, language)
        assert one.answer.status is AnswerStatus.ANSWERED, meaning
        assert one.answer.value == meaning
        if meaning is True and question.asks_about:
            assert one.severity.rank >= Severity.ROUTINE.rank, "a pressed danger that nobody sees"
            assert {finding.finding for finding in one.findings} == set(question.asks_about)
        if meaning is False:
            assert one.severity is Severity.NONE


@pytest.mark.parametrize(("question", "language"), ASKED)
def test_every_way_to_say_a_choice_is_understood(question: Question, language: str) -> None:
    for key, ways in question.choices.items():
        for way in ways[language]:
            assert understood(way, question, language).answer.value == key, way
