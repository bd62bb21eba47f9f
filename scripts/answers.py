"""What an answer means: the types shared by the dialogue, triage, the rows and the desk.

They follow the understanding contract of the project: an utterance goes in together with the
question it answers and what is known of the patient; a value, findings with evidence and a
severity come out. The words become findings in ``services/triage``; here are only the types, so
that the dialogue can branch on them without knowing who understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

AnswerValue = bool | float | str | Mapping[str, float | None] | None
"""yes_no: bool; number and scale: float in the question's unit; blood pressure: ``{"systolic":
140, "diastolic": 90}``; choice: the choice's key; free_text: the words; None: no value."""


class Severity(StrEnum):
    """How soon somebody must act, least to most."""

    NONE = "none"
    ROUTINE = "routine"
    """A nurse looks at it."""
    URGENT = "urgent"
    """A clinician today."""
    EMERGENCY = "emergency"
    """Minutes matter."""

    @property
    def rank(self) -> int:
        """0 for NONE up to 3 for EMERGENCY, for comparing and taking the worst."""
        return list(Severity).index(self)


class AnswerStatus(StrEnum):
    """Whether the question is settled."""

    ANSWERED = "answered"
    UNCLEAR = "unclear"
    """Something was said that does not settle the question; a guess is never made."""
    REFUSED = "refused"
    NONE = "none"
    """Nothing was said to the question at all."""


class FindingStatus(StrEnum):
    """Whether the patient has it."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


class FindingTime(StrEnum):
    """When: ``current`` is now or at any moment since discharge or the last contact."""

    CURRENT = "current"
    PAST = "past"
    HYPOTHETICAL = "hypothetical"


class Experiencer(StrEnum):
    """Whose finding it is."""

    PATIENT = "patient"
    OTHER = "other"


class Intent(StrEnum):
    """What the speaker wants with this utterance, apart from its content."""

    ANSWER = "answer"
    REPEAT = "repeat"
    SLOWER = "slower"
    WAIT = "wait"
    BUSY = "busy"
    WRONG_NUMBER = "wrong_number"
    NOT_PATIENT = "not_patient"
    HUMAN = "human"
    ARE_YOU_A_ROBOT = "are_you_a_robot"
    REFUSE = "refuse"
    OPT_OUT = "opt_out"
    QUESTION = "question"
    COMPLAINT = "complaint"
    GREETING = "greeting"
    FILLER = "filler"
    GOODBYE = "goodbye"
    VOICEMAIL = "voicemail"
    CARRIER_ANNOUNCEMENT = "carrier_announcement"
    UNINTELLIGIBLE = "unintelligible"


class QuestionType(StrEnum):
    """The kinds of question a script may ask."""

    YES_NO = "yes_no"
    NUMBER = "number"
    CHOICE = "choice"
    SCALE = "scale"
    """0 to 10."""
    FREE_TEXT = "free_text"


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word as the recogniser heard it."""

    text: str
    start: float
    """Seconds on the leg's clock."""
    end: float
    """Seconds on the leg's clock."""
    confidence: float | None = None
    """0 to 1; None where the engine gives none."""
    pinyin: str | None = None
    """Toned pinyin syllables separated by spaces, where the recogniser hears syllables."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker said in one turn."""

    text: str
    language: str
    """``zh``, ``en`` or another two-letter code."""
    words: tuple[HeardWord, ...] = ()
    speaker: str = "patient"
    """``patient``, ``proxy`` or ``unknown``."""
    relation: str | None = None
    """With a proxy: who it is to the patient, in the patient's language (女儿)."""


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """The question an utterance answers, as it was asked."""

    id: str
    text: str
    type: QuestionType
    unit: str | None = None
    """For numbers: ``celsius``, ``mmHg``, ``mmol/L``, ``year`` ..."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For choices: key to the ways to say it."""
    asks_about: tuple[str, ...] = ()
    """Finding codes that a bare yes or no speaks about."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """Something done to the patient in hospital."""

    code: str
    date: date


@dataclass(frozen=True, slots=True)
class ClinicalContext:
    """What is known of the patient while an answer is understood."""

    now: datetime
    """Timezone-aware."""
    since: date | None = None
    """Day of discharge or of the last contact; what happened after it is current."""
    diagnoses: tuple[str, ...] = ()
    """ICD-10 codes."""
    procedures: tuple[Procedure, ...] = ()
    medicines: tuple[str, ...] = ()
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The structured answer to the question."""

    status: AnswerStatus
    value: AnswerValue = None
    confidence: float = 0.0
    evidence: str = ""
    start: int = 0
    """Offset of the evidence in the utterance's text, in characters."""
    end: int = 0
    """End of the evidence, exclusive."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One clinical finding with the words that show it."""

    finding: str
    """A code of the contract, such as ``chest_pain``."""
    status: FindingStatus
    time: FindingTime
    experiencer: Experiencer
    attributes: tuple[str, ...]
    """``sudden``, ``at_rest``, ``severe``, ``mild``, ``worsening`` ..."""
    evidence: str
    start: int
    end: int
    confidence: float
    by: str
    """What found it: ``lexicon``, ``question`` (an elliptical yes or no), ``model``."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the severity is what it is."""

    rule: str
    findings: tuple[int, ...]
    """Indices into the understanding's findings; empty when the rule looked at the value."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """Everything understood of one utterance."""

    version: str
    """Version of rules, lexicon and model that understood; stored with every result."""
    intent: Intent
    answer: Answer
    findings: tuple[Finding, ...] = ()
    severity: Severity = Severity.NONE
    because: tuple[Reason, ...] = ()
    needs_review: bool = False


class Understand(Protocol):
    """Turns words into meaning. Pure and deterministic for a given version; never raises."""

    def __call__(
        self, utterance: Utterance, question: AskedQuestion, context: ClinicalContext
    ) -> Understanding:
        """Understand one utterance as the answer to one question."""
        ...
