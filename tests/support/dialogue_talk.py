"""Short ways to say what a person on the telephone says, for the tests of the dialogue."""

from __future__ import annotations

from scripts.answers import (
    Answer,
    AnswerStatus,
    AnswerValue,
    Experiencer,
    Finding,
    FindingStatus,
    FindingTime,
    Intent,
    Reason,
    Severity,
    Understanding,
    Utterance,
)
from scripts.course import Judge
from scripts.dialogue import Dialogue, PatientFacts
from scripts.reading import load
from scripts.turns import Action, Answered, End, Heard, Listen, RaiseAlert, Say, StoreAnswer

FACTS = PatientFacts(name="王先生", birth_year=1953, caller="健康随访中心")


def finding(code: str) -> Finding:
    return Finding(
        code,
        FindingStatus.PRESENT,
        FindingTime.CURRENT,
        Experiencer.PATIENT,
        (),
        "疼",
        0,
        1,
        0.9,
        "lexicon",
    )


def heard(
    value: AnswerValue = None,
    *,
    intent: Intent = Intent.ANSWER,
    severity: Severity = Severity.NONE,
    findings: tuple[str, ...] = (),
    words: str = "话",
) -> Heard:
    status = AnswerStatus.UNCLEAR if value is None else AnswerStatus.ANSWERED
    return Heard(
        Utterance(words, "zh"),
        Understanding(
            "test",
            intent,
            Answer(status, value, 0.9, words, 0, len(words)),
            tuple(finding(code) for code in findings),
            severity,
            (Reason("test", tuple(range(len(findings)))),),
        ),
    )


def wants(intent: Intent) -> Heard:
    return heard(intent=intent)


YES = heard(True, words="是")
NO = heard(False, words="不是")
UNCLEAR = heard()
CHEST_PAIN = heard(True, severity=Severity.EMERGENCY, findings=("chest_pain", "sweating"))
WOUND = heard(True, severity=Severity.URGENT, findings=("wound_discharge",))

WELL: dict[str, Heard] = {
    "identity": YES,
    "birth_year": heard(1953.0),
    "consent": YES,
    "general_condition": heard("better"),
    "pain": heard(1.0),
    "medicines": YES,
    "anything_else": heard("没有了"),
}


def dialogue(judge: Judge | None = None) -> Dialogue:
    return Dialogue(load("general_discharge"), "zh", FACTS, judge=judge)


def said(actions: tuple[Action, ...]) -> list[str]:
    return [action.prompt_id for action in actions if isinstance(action, Say)]


def asked(actions: tuple[Action, ...]) -> str:
    last = actions[-1]
    assert isinstance(last, Listen), actions
    return last.question.id


def stored(actions: tuple[Action, ...]) -> dict[str, StoreAnswer]:
    return {one.question.id: one for one in actions if isinstance(one, StoreAnswer)}


def alerts(actions: tuple[Action, ...]) -> list[RaiseAlert]:
    return [action for action in actions if isinstance(action, RaiseAlert)]


def ended(actions: tuple[Action, ...]) -> End:
    last = actions[-1]
    assert isinstance(last, End), actions
    return last


def until(talk: Dialogue, question: str, **replies: Heard) -> tuple[Action, ...]:
    """Answer as somebody who is well until the question is put."""
    actions = talk.handle(Answered())
    while asked(actions) != question:
        actions = talk.handle({**WELL, **replies}.get(asked(actions), NO))
    return actions


def to_the_end(talk: Dialogue, actions: tuple[Action, ...], **replies: Heard) -> tuple[Action, ...]:
    """Answer what is asked until the call ends; returns all actions from here on."""
    everything = actions
    while isinstance(actions[-1], Listen):
        actions = talk.handle({**WELL, **replies}.get(asked(actions), NO))
        everything += actions
    return everything
