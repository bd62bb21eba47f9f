"""Warning signs: raised as soon as they are understood, then read back once.

A warning sign is told to the hospital before anything is said to the person. Then an approved
sentence repeats it. Who agrees, mumbles, or says nothing confirms it; only a clear no amends it, and
even then a nurse looks at it. The same sign does not interrupt a call twice.
"""

from __future__ import annotations

from dataclasses import replace

from scripts.answers import (
    AnswerStatus,
    AskedQuestion,
    Experiencer,
    FindingStatus,
    FindingTime,
    QuestionType,
    Severity,
    Understanding,
)
from scripts.asking import following, keep_pending
from scripts.course import Step
from scripts.questionnaire import Questionnaire, ReadBack
from scripts.turns import AlertStage, Disposition, RaiseAlert, Stage

SELF_HARM = frozenset({"suicidal_ideation", "self_harm"})
"""Finding codes that have a sentence of their own, and always end with it."""


def dangerous(understanding: Understanding) -> bool:
    """Whether a clinician must know today."""
    return understanding.severity.rank >= Severity.URGENT.rank


def signs(alert: RaiseAlert) -> frozenset[str]:
    """What an alert is about: finding codes, or the question whose value was the warning."""
    by_rule = [
        alert.findings[index]
        for reason in alert.because
        for index in reason.findings
        if 0 <= index < len(alert.findings)
    ]
    held = by_rule or [
        finding
        for finding in alert.findings
        if finding.status is not FindingStatus.ABSENT
        and finding.time is FindingTime.CURRENT
        and finding.experiencer is Experiencer.PATIENT
    ]
    return frozenset(finding.finding for finding in held) or frozenset({value_sign(alert)})


def value_sign(alert: RaiseAlert) -> str:
    """Stands for a finding where the value of an answer was the warning."""
    return f"value of {alert.question_id}"


def raise_alert(step: Step, understanding: Understanding) -> int:
    """Raise what was heard; the number to read back, 0 where that is not needed.

    A sign that is known already is not read back again. Heard once more after it was taken back, it
    counts as confirmed; heard once more and graver, it is a new alert that needs no read-back.
    """
    state = step.state
    alert = RaiseAlert(
        number=len(state.alerts) + 1,
        stage=AlertStage.UNCONFIRMED,
        severity=understanding.severity,
        question_id=state.at or "opening",
        findings=understanding.findings,
        because=understanding.because,
    )
    known = [old for old in state.alerts if signs(alert) <= signs(old)]
    for old in known:
        if old.severity.rank >= alert.severity.rank:
            if old.stage is not AlertStage.CONFIRMED:
                restage(step, old.number, AlertStage.CONFIRMED)
            return 0
    step.change(alerts=(*state.alerts, alert))
    step.do(alert)
    if any(old.stage is AlertStage.CONFIRMED for old in known):
        restage(step, alert.number, AlertStage.CONFIRMED)
        return 0
    return alert.number


def restage(step: Step, number: int, stage: AlertStage) -> None:
    """Change how sure an alert is."""
    alerts = list(step.state.alerts)
    alerts[number - 1] = replace(alerts[number - 1], stage=stage)
    step.change(alerts=tuple(alerts))
    step.do(alerts[number - 1])


def read_back(step: Step, number: int) -> None:
    """Repeat a warning sign to the person in its approved sentence, and ask whether it is so."""
    step.change(reading_back=number)
    course = step.state.course
    readback = fitting(course.questionnaire, step.state.alerts[number - 1])
    step.say(readback.text.id)
    text = "".join(readback.text.pieces[course.language])
    step.listen(asked=AskedQuestion(readback.text.id, text, QuestionType.YES_NO))


def fitting(questionnaire: Questionnaire, alert: RaiseAlert) -> ReadBack:
    """The read-back of an alert: the first in the script's order that names one of its signs."""
    heard = signs(alert)
    named = {*heard}
    for question in questionnaire.questions:
        if question.id == alert.question_id and question.readback and value_sign(alert) in heard:
            named.add(question.readback)
    for readback in questionnaire.readbacks:
        if not readback.findings or named.intersection(readback.findings):
            return readback
    raise LookupError("the last read-back of a script fits everything")


def resolve(step: Step, understanding: Understanding | None) -> int:
    """The read-back was answered (None: by silence); what else must be read back now, or 0.

    Only a clear no that carries no warning sign of its own takes an alert back.
    """
    number = step.state.reading_back
    other = 0
    denied = (
        understanding is not None
        and understanding.answer.status is AnswerStatus.ANSWERED
        and understanding.answer.value is False
    )
    if understanding is not None and dangerous(understanding):
        other = raise_alert(step, understanding)
    if step.state.alerts[number - 1].stage is AlertStage.UNCONFIRMED:
        restage(step, number, AlertStage.AMENDED if denied else AlertStage.CONFIRMED)
    return other


def end_in_danger(step: Step) -> bool:
    """End the call with the emergency sentence if a confirmed alert demands it."""
    confirmed = [one for one in step.state.alerts if one.stage is AlertStage.CONFIRMED]
    self_harm = any(signs(alert) & SELF_HARM for alert in confirmed)
    if not self_harm and all(alert.severity is not Severity.EMERGENCY for alert in confirmed):
        return False
    send_for_help(step, self_harm=self_harm)
    return True


def send_for_help(step: Step, *, self_harm: bool) -> None:
    """The last words to somebody in danger."""
    keep_pending(step)
    nothing_left = step.state.stage is Stage.QUESTIONS and following(step) is None
    step.end(
        "self_harm" if self_harm else "emergency",
        Disposition.COMPLETED if nothing_left else Disposition.PARTIAL,
    )
