"""The rules' own examples, and what the checker refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.answers import (
    AskedQuestion,
    ClinicalContext,
    Procedure,
    QuestionType,
    Severity,
    Utterance,
)
from services.triage import lexicon, severity
from services.triage.understanding import load

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
CODES = lexicon.load().codes
RULES = severity.load(CODES)
EXAMPLES = [(rule.id, example) for rule in RULES.rules for example in rule.examples]


def context_of(known: Mapping[str, Any]) -> ClinicalContext:
    return ClinicalContext(
        now=NOW,
        since=(NOW - timedelta(days=3)).date(),
        diagnoses=tuple(known.get("diagnoses", ())),
        procedures=tuple(
            Procedure(code, (NOW - timedelta(days=int(days))).date())
            for code, days in known.get("procedures", {}).items()
        ),
        medicines=tuple(known.get("medicines", ())),
    )


def question_of(asked: Mapping[str, Any]) -> AskedQuestion:
    kind = asked.get("type", "yes_no" if asked.get("asks_about") else "free_text")
    return AskedQuestion(
        id="asked",
        text=asked.get("text", ""),
        type=QuestionType(kind),
        unit=asked.get("unit"),
        choices={key: tuple(ways) for key, ways in asked.get("choices", {}).items()},
        asks_about=tuple(asked.get("asks_about", ())),
    )


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_a_rules_examples_have_the_severity_they_name(
    rule: str, example: Mapping[str, Any]
) -> None:
    understood = load()(
        Utterance(example["say"], example.get("lang", "zh")),
        question_of(example.get("question", {})),
        context_of(example.get("context", {})),
    )
    assert understood.severity == Severity(example["is"]), understood
    if Severity(example["is"]) is next(r for r in RULES.rules if r.id == rule).severity:
        assert rule in [reason.rule for reason in understood.because]


def made(**changes: Any) -> severity.Rule:
    fields: dict[str, Any] = {
        "id": "x",
        "severity": Severity.URGENT,
        "when": {"any": [{"finding": "fever"}]},
        "message": {},
        "source": "",
        "review": "",
        "examples": ({"say": "发烧", "is": "urgent"},),
    }
    return severity.Rule(**{**fields, **changes})


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([made(), made()], "used twice"),
        ([made(examples=())], "no example"),
        ([made(severity=Severity.NONE)], "no effect"),
        ([made(when={"any": [{"finding": "hiccups"}]})], "no such finding"),
        ([made(when={"value": "height", "at_least": "2"})], "no such value"),
        ([made(when={"value": "celsius"})], "at_least or at_most"),
        ([made(when={"every": []})], "exactly one"),
    ],
)
def test_the_checker_says_what_is_wrong(rules: list[severity.Rule], says: str) -> None:
    with pytest.raises(severity.RuleError, match=says):
        severity.check(rules, CODES)


def test_every_rule_has_a_message_in_both_languages_and_a_source() -> None:
    for rule in RULES.rules:
        assert set(rule.message) == {"zh", "en"}, rule.id
        assert rule.source, rule.id


def test_uncertain_counts_one_tier_lower_but_never_below_routine() -> None:
    assert severity.lowered(Severity.EMERGENCY) is Severity.URGENT
    assert severity.lowered(Severity.URGENT) is Severity.ROUTINE
    assert severity.lowered(Severity.ROUTINE) is Severity.ROUTINE
