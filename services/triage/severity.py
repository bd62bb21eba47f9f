"""How severe an answer is, by rules that a clinician can read (``rules.yaml``).

A rule fits when its conditions hold; nothing in a rule can deny, so another finding never lowers a
severity. Rules are tried twice: with what is surely present, and with what may be as well; what fits
only the second time counts one tier lower, but never below routine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.answers import (
    ClinicalContext,
    Experiencer,
    Finding,
    FindingStatus,
    FindingTime,
    Reason,
    Severity,
)
from services.triage.lexicon import read

_CONDITIONS = frozenset(
    {"all", "any", "finding", "value", "procedure", "diagnosis", "medicine", "said"}
)
VALUES = frozenset({"celsius", "systolic", "diastolic", "glucose", "spo2", "scale"})


class RuleError(Exception):
    """A rule cannot be used as it is written; says which and why. Trying again does not help."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    severity: Severity
    when: Mapping[str, Any]
    message: Mapping[str, str]
    """For the nurse, by language."""
    source: str
    review: str
    examples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A version of the rules."""

    version: int
    rules: tuple[Rule, ...]
    vital_medicine: Mapping[str, tuple[str, ...]]
    """Words for medicines whose stopping is urgent."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at."""

    findings: Sequence[Finding]
    values: Mapping[str, float]
    """Measured values by what was measured: ``celsius``, ``systolic``, ``glucose`` ..."""
    context: ClinicalContext
    said: frozenset[str] = frozenset()
    """Groups of words that were said: ``vital_medicine``."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The severity and why."""

    severity: Severity
    because: tuple[Reason, ...]


def load(codes: frozenset[str]) -> Rules:
    """Read and check the rules.

    Args:
        codes: The finding codes there are.

    Raises:
        RuleError: a rule names an unknown code, value or condition, or two share an id.
    """
    data = read("rules.yaml")
    rules = tuple(_rule(entry) for entry in data["rules"])
    check(rules, codes)
    words = {language: tuple(said) for language, said in data["vital_medicine"].items()}
    return Rules(int(data["version"]), rules, words)


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        severity=Severity(entry["severity"]),
        when=entry["when"],
        message=entry["message"],
        source=entry["source"],
        review=entry["review"],
        examples=tuple(entry.get("examples", ())),
    )


def check(rules: Sequence[Rule], codes: frozenset[str]) -> None:
    """See that the rules can be used.

    Raises:
        RuleError: the first thing that is wrong.
    """
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise RuleError(f"rule {rule.id}: the id is used twice; give each rule its own")
        seen.add(rule.id)
        if not rule.examples:
            raise RuleError(f"rule {rule.id}: has no example; add at least one that it must fit")
        if rule.severity is Severity.NONE:
            raise RuleError(f"rule {rule.id}: severity none has no effect; remove the rule")
        _check_condition(rule.id, rule.when, codes)


def _check_condition(rule: str, condition: Mapping[str, Any], codes: frozenset[str]) -> None:
    kinds = _CONDITIONS & condition.keys()
    if len(kinds) != 1:
        raise RuleError(f"rule {rule}: a condition needs exactly one of {sorted(_CONDITIONS)}")
    for part in (*condition.get("all", ()), *condition.get("any", ())):
        _check_condition(rule, part, codes)
    for code in _several(condition.get("finding", ())):
        if code not in codes and code != "any":
            raise RuleError(f"rule {rule}: no such finding code: {code}")
    if "value" in condition:
        if condition["value"] not in VALUES:
            raise RuleError(f"rule {rule}: no such value: {condition['value']}")
        if not {"at_least", "at_most"} & condition.keys():
            raise RuleError(f"rule {rule}: a value needs at_least or at_most")


def judge(facts: Facts, rules: Rules) -> Judgement:
    """The worst severity that the rules give, with every rule that fits."""
    current = [
        (index, finding)
        for index, finding in enumerate(facts.findings)
        if finding.time is FindingTime.CURRENT and finding.experiencer is Experiencer.PATIENT
    ]
    sure = [pair for pair in current if pair[1].status is FindingStatus.PRESENT]
    maybe = [pair for pair in current if pair[1].status is not FindingStatus.ABSENT]
    worst, because = Severity.NONE, []
    for rule in rules.rules:
        severity, used = rule.severity, _fits(rule.when, facts, sure)
        if used is None and len(maybe) > len(sure):
            severity, used = lowered(rule.severity), _fits(rule.when, facts, maybe)
        if used is None:
            continue
        because.append((severity, Reason(rule.id, tuple(sorted(used)))))
        worst = max(worst, severity, key=lambda s: s.rank)
    because.sort(key=lambda pair: -pair[0].rank)
    return Judgement(worst, tuple(reason for _, reason in because))


def lowered(severity: Severity) -> Severity:
    """One tier lower, never below routine."""
    return list(Severity)[max(severity.rank - 1, Severity.ROUTINE.rank)]


def _fits(
    condition: Mapping[str, Any], facts: Facts, findings: Sequence[tuple[int, Finding]]
) -> set[int] | None:
    """The findings that make the condition hold; None when it does not. May be empty: a value did."""
    if "all" in condition:
        parts = [_fits(part, facts, findings) for part in condition["all"]]
        held = [part for part in parts if part is not None]
        return set().union(*held) if len(held) == len(parts) else None
    if "any" in condition:
        parts = [_fits(part, facts, findings) for part in condition["any"]]
        held = [part for part in parts if part is not None]
        return set().union(*held) if held else None
    if "finding" in condition:
        return _finding_fits(condition, findings)
    return set() if _fact_holds(condition, facts) else None


def _finding_fits(
    condition: Mapping[str, Any], findings: Sequence[tuple[int, Finding]]
) -> set[int] | None:
    codes = _several(condition["finding"])
    attributes = set(condition.get("attributes", ()))
    used = {
        index
        for index, finding in findings
        if (finding.finding in codes or "any" in codes)
        and (not attributes or attributes & set(finding.attributes))
    }
    return used or None


def _fact_holds(condition: Mapping[str, Any], facts: Facts) -> bool:
    context = facts.context
    if "value" in condition:
        value = facts.values.get(condition["value"])
        if value is None:
            return False
        return value >= float(condition.get("at_least", "-inf")) and value <= float(
            condition.get("at_most", "inf")
        )
    if "procedure" in condition:
        within = int(condition.get("within_days", 36_500))
        today = context.now.date()
        return any(
            done.code in condition["procedure"] and 0 <= (today - done.date).days <= within
            for done in context.procedures
        )
    if "diagnosis" in condition:
        return any(d.startswith(tuple(condition["diagnosis"])) for d in context.diagnoses)
    if "medicine" in condition:
        return bool(set(condition["medicine"]) & {m.lower() for m in context.medicines})
    return condition["said"] in facts.said


def _several(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
