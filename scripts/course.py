"""The state of a dialogue, and what a step of it builds: the ground under ``scripts.dialogue``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scripts import keys
from scripts.answers import (
    Answer,
    AskedQuestion,
    QuestionType,
    Severity,
    Understanding,
    Utterance,
)
from scripts.questionnaire import Question, Questionnaire
from scripts.turns import (
    Action,
    AlertStage,
    Disposition,
    DropRecording,
    End,
    Listen,
    Progress,
    RaiseAlert,
    Say,
    Stage,
)

MOST_TURNS = 8
"""Turns that one question may take, whatever is said: what makes every dialogue end."""

Judge = Callable[[Utterance, AskedQuestion], Understanding]
"""Understands an utterance within what is known of this patient. Pure."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What the dialogue knows of the patient and of who calls."""

    name: str
    """Family name and honorific, as they are spoken: ``王先生``, ``Mr Wang``."""
    birth_year: int
    """Compared with what the person says; never spoken."""
    caller: str
    """The neutral name of who calls, from the settings."""


@dataclass(frozen=True, slots=True)
class Course:
    """What does not change during a dialogue."""

    questionnaire: Questionnaire
    language: str
    facts: PatientFacts
    judge: Judge | None = None
    """Judges answers given by keys; without it a pressed yes to a warning sign is urgent."""

    def sentence(self, prompt_id: str, *, interruptible: bool = True) -> Say:
        """One of the script's prompts with its slots filled.

        Raises:
            KeyError: the script has no prompt of that id.
        """
        segments = self.questionnaire.prompt(prompt_id).segments(
            self.language, caller=self.facts.caller, name=self.facts.name
        )
        return Say(prompt_id, segments, interruptible)


@dataclass(frozen=True, slots=True)
class State:
    """Where a dialogue stands. Immutable; ``scripts.dialogue.step`` makes the next one."""

    course: Course
    at: str = ""
    """Id of the open question or gate; empty until somebody picked up."""
    stage: Stage | None = None
    identified: bool = False
    """Somebody said to be the patient."""
    right_party: bool = False
    """And gave the right birth year."""
    consent: bool | None = None
    """To the recording; None: not settled yet."""
    wrong_years: int = 0
    fetches: int = 0
    waiting: bool = False
    """The patient is being fetched to the phone."""
    settled: Mapping[str, Answer] = field(default_factory=dict)
    wordless: int = 0
    """Questions in a row to which nothing was said."""
    alerts: tuple[RaiseAlert, ...] = ()
    """Each as it was last raised; alert ``n`` is at ``n - 1``."""
    reading_back: int = 0
    """Number of the alert that is being read back; 0: none."""
    pending: Understanding | None = None
    """What was understood with that alert, taken up after its read-back."""
    opted_out: bool = False
    ended: bool = False

    # Of the open question:
    turns: int = 0
    tries: int = 0
    """How often it was not answered."""
    spoke: bool = False
    review: bool = False
    worst: Severity = Severity.NONE
    unclear: Answer | None = None
    """The last answer that did not settle it."""

    @property
    def question(self) -> Question:
        """The open question."""
        return self.course.questionnaire.question(self.at)

    @property
    def nurse_calls(self) -> bool:
        """Whether a warning sign was reported that nobody took back."""
        return any(alert.stage is not AlertStage.AMENDED for alert in self.alerts)


class Step:
    """One step being built: the next state, and the actions that lead there."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.actions: list[Action] = []

    def change(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = replace(self.state, **changes)

    def do(self, action: Action) -> None:
        """Add an action."""
        self.actions.append(action)

    def reach(self, stage: Stage) -> None:
        """Tell the desk, once, that a stage was reached."""
        order = list(Stage)
        if self.state.stage is None or order.index(self.state.stage) < order.index(stage):
            self.change(stage=stage)
            self.do(Progress(stage))

    def say(self, prompt_id: str, *, interruptible: bool = True) -> None:
        """Speak one of the script's prompts."""
        self.do(self.state.course.sentence(prompt_id, interruptible=interruptible))

    def listen(self, *, patience: float = 6.0, asked: AskedQuestion | None = None) -> None:
        """Hear an answer to the open question, or to ``asked`` (a yes or no) in its place."""
        course, question = self.state.course, self.state.question
        self.do(
            Listen(
                asked or question.asked(course.language),
                course.questionnaire.expected(question, course.language),
                patience=patience,
                pause=_pause(question) if asked is None else 1.0,
                digits=keys.expected(question) if asked is None else 1,
            )
        )

    def end(
        self, ending: str | None, disposition: Disposition, call_back: str | None = None
    ) -> None:
        """Take leave with a sentence (None: without a word) and hang up."""
        wrong_person = disposition is Disposition.WRONG_PERSON
        if self.state.consent is None or (self.state.consent and wrong_person):
            self.do(DropRecording())
        self.reach(Stage.ENDING)
        if ending is not None:
            self.say(ending, interruptible=False)
        self.do(End(disposition, call_back))
        self.change(ended=True)


def _pause(question: Question) -> float:
    """Seconds of silence that end an answer: longer where people search for words or digits."""
    if question.type is QuestionType.FREE_TEXT:
        return 1.5
    return 1.2 if question.keypad else 1.0
