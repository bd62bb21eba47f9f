"""What goes into the dialogue and what comes out: its events and its actions.

The dialogue is a pure state machine. The conversation tells it what happened (an event) and carries
out, in order, what it answers (actions). No action is ever taken that is not in this file, so what
the product can do on the telephone can be read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scripts.answers import (
    Answer,
    AskedQuestion,
    Finding,
    Reason,
    Severity,
    Understanding,
    Utterance,
)

# --- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody picked up; the first event of every dialogue."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The person finished a turn: the words, and what they mean as the answer to the open question."""

    utterance: Utterance
    understanding: Understanding


@dataclass(frozen=True, slots=True)
class Digits:
    """Keys pressed while the dialogue listened, in order (``1``, ``1953``)."""

    keys: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was said within the question's time."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The person hung up."""


class Trouble(StrEnum):
    """Why the conversation can no longer go on."""

    TIME_LIMIT = "time_limit"
    EARS = "ears"
    """No recogniser works any more."""
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Broken:
    """The conversation cannot go on; the dialogue still takes a polite leave."""

    trouble: Trouble


Event = Answered | Heard | Digits | Silence | HungUp | Broken

# --- actions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt that is spoken as one clip."""

    text: str
    personal: bool = False
    """Filled in from the patient's facts: rendered in memory for this call, never cached in clear."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a prompt. The next action waits until it has been played, unless it is interrupted."""

    prompt_id: str
    segments: tuple[Segment, ...]
    interruptible: bool = True
    """Whether the person may talk into it (barge-in). Never for emergency sentences."""

    @property
    def text(self) -> str:
        """The whole sentence."""
        return "".join(segment.text for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear one turn. Always the last action of a step; answered by Heard, Digits or Silence."""

    question: AskedQuestion
    hints: tuple[str, ...] = ()
    """Words and phrases the recogniser should expect."""
    patience: float = 6.0
    """Seconds to wait for the first sound before Silence."""
    pause: float = 1.0
    """Seconds of silence that end a turn (old people pause inside sentences)."""
    digits: int = 0
    """How many keys make a whole answer; 0: keys are not expected but one key still counts."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The call reached a stage that the desk shows."""

    stage: Stage


class Stage(StrEnum):
    """How far the conversation came."""

    OPENING = "opening"
    RIGHT_PARTY = "right_party"
    """The right person is on the line: both facts agreed."""
    QUESTIONS = "questions"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class KeepRecording:
    """The right party consented: what was held in memory may go to the store."""


@dataclass(frozen=True, slots=True)
class DropRecording:
    """Refused, or the wrong person: what was held in memory is forgotten, and nothing more kept."""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """An answer is settled, or given up (status ``unclear``, ``refused`` or ``none``)."""

    question: AskedQuestion
    answer: Answer
    severity: Severity
    needs_review: bool


class AlertStage(StrEnum):
    """How sure an alert is."""

    UNCONFIRMED = "unconfirmed"
    """Raised as soon as it was understood, before the read-back."""
    CONFIRMED = "confirmed"
    """The person agreed to the read-back, or did not contradict it."""
    AMENDED = "amended"
    """The person contradicted the read-back; a nurse still looks."""


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """Tell a person in the hospital. The same ``number`` again changes the stage of that alert."""

    number: int
    """Counts the alerts of this call from 1."""
    stage: AlertStage
    severity: Severity
    question_id: str
    findings: tuple[Finding, ...]
    because: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class OptOut:
    """The person never wants to be called again; recorded whoever said it, for this number."""


class Disposition(StrEnum):
    """How a call ended. The closed set that retries, reports and the desk build on."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    """The right party answered some questions, not all."""
    REFUSED = "refused"
    WRONG_PERSON = "wrong_person"
    NOT_AVAILABLE = "not_available"
    CALL_BACK_ASKED = "call_back_asked"
    VOICEMAIL = "voicemail"
    CARRIER_ANNOUNCEMENT = "carrier_announcement"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"
    INVALID_NUMBER = "invalid_number"
    LINE_FAILURE = "line_failure"
    INTERRUPTED = "interrupted"
    """Our side failed in the middle; the follow-up is called again."""


@dataclass(frozen=True, slots=True)
class End:
    """Hang up; the last action of a dialogue. No event after it is answered."""

    disposition: Disposition
    call_back: str | None = None
    """The time the person named, as they said it."""


Action = (
    Say
    | Listen
    | Progress
    | KeepRecording
    | DropRecording
    | StoreAnswer
    | RaiseAlert
    | OptOut
    | End
)
