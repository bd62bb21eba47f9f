"""The clinical suite: every answer is understood as a clinician would want."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.answers import (
    AnswerStatus,
    Experiencer,
    FindingStatus,
    FindingTime,
    Severity,
    Understanding,
    Utterance,
)
from services.triage.understanding import load
from tests.unit.test_triage_rules import context_of, question_of

FOLDER = Path(__file__).parents[1] / "data" / "triage"
UNDERSTAND = load()


class Suite:
    """The answers of one file with their questions."""

    def __init__(self, name: str) -> None:
        groups = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
        self.items: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
            (group.get("lang", "zh"), group["question"], answer)
            for group in groups
            for answer in group["answers"]
        ]


ITEMS = [item for name in ("zh.yaml", "en.yaml") for item in Suite(name).items]


def understood(item: tuple[str, Mapping[str, Any], Mapping[str, Any]]) -> Understanding:
    language, question, answer = item
    return UNDERSTAND(
        Utterance(str(answer["say"]), language),
        question_of(question),
        context_of(answer.get("context", {})),
    )


def codes(understanding: Understanding, *statuses: FindingStatus) -> set[str]:
    return {
        f.finding
        for f in understanding.findings
        if f.status in statuses
        and f.time is FindingTime.CURRENT
        and f.experiencer is Experiencer.PATIENT
    }


def name_of(item: tuple[str, Mapping[str, Any], Mapping[str, Any]]) -> str:
    return f"{item[1]['text'][:8]}-{item[2]['say']}"


@pytest.mark.parametrize("item", ITEMS, ids=name_of)
def test_the_answer_is_understood(
    item: tuple[str, Mapping[str, Any], Mapping[str, Any]],
) -> None:
    answer, result = item[2], understood(item)
    expected = Severity(answer["is"])
    if expected in (Severity.NONE, Severity.ROUTINE):
        assert result.severity.rank <= Severity.ROUTINE.rank, result
    assert result.severity.rank >= expected.rank, result
    if "intent" in answer:
        assert result.intent == answer["intent"], result
    if "value" in answer:
        check_value(answer["value"], result)
    present = codes(result, FindingStatus.PRESENT)
    assert set(answer.get("has", ())) <= present, result
    assert not set(answer.get("not", ())) & present, result


def check_value(expected: Any, result: Understanding) -> None:
    if expected == "open":
        assert result.answer.status is not AnswerStatus.ANSWERED, result
    else:
        assert result.answer.value == expected, result


def test_no_danger_that_is_present_is_read_as_absent() -> None:
    wrong = [
        (answer["say"], code)
        for language, question, answer in ITEMS
        for code in set(answer.get("has", ()))
        & codes(understood((language, question, answer)), FindingStatus.ABSENT)
    ]
    assert wrong == []


def test_the_suite_is_large_enough() -> None:
    dangerous = [a for _, _, a in ITEMS if a["is"] in ("urgent", "emergency")]
    assert len(ITEMS) >= 250
    assert len(dangerous) >= 80
