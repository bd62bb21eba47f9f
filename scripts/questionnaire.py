"""The questionnaire: what is asked, in each language, as plain frozen data.

``scripts.reading`` makes one out of YAML and vouches for it: whatever is found here is complete in
every language, and its conditions only look back. The dialogue (``scripts.dialogue``) walks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from scripts.answers import AnswerValue, AskedQuestion, QuestionType
from scripts.turns import Segment

NAME = "{name}"
"""The slot of the patient's family name and honorific; a clip with it is personal."""
CALLER = "{caller}"
"""The slot of the neutral name of who calls, from the settings."""

OPENING_SENTENCES = ("opening", "begin")
"""Said before the right-party check, and after the consent to record."""
GATES = ("identity", "fetch", "birth_year", "consent")
"""The questions before the questionnaire, of the same form as its own; none of them is stored."""
SENTENCES = (
    "no_input",
    "no_input_again",
    "not_understood",
    "not_understood_again",
    "again",
    "waiting",
    "filler",
    "robot",
    "skip",
    "question_noted",
    "complaint_noted",
    "no_recording",
    "amended",
    "nurse_told",
)
"""Said between the questions of any script."""
ENDINGS = (
    "closing",
    "nurse_calls_today",
    "emergency",
    "self_harm",
    "goodbye",
    "wrong_number",
    "not_verified",
    "not_available",
    "call_back",
    "human",
    "opt_out",
    "not_heard",
    "trouble",
)
"""The last words of a call."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One sentence to speak."""

    id: str
    pieces: Mapping[str, tuple[str, ...]]
    """Language to the clips it is spoken as, with slots unfilled."""

    def segments(
        self, language: str, *, caller: str, name: str | None = None
    ) -> tuple[Segment, ...]:
        """The clips with their slots filled; without a ``name`` its slot stays as it is written."""
        return tuple(
            Segment(
                piece.replace(CALLER, caller).replace(NAME, name if name is not None else NAME),
                personal=NAME in piece,
            )
            for piece in self.pieces[language]
        )


@dataclass(frozen=True, slots=True)
class Keypad:
    """How a number is typed on the telephone."""

    digits: int
    """Keys of a whole answer."""
    decimals: int = 0
    """How many of them stand behind the decimal point: with 1, ``385`` is 38.5."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a question is asked: the answer to an earlier one is among these values."""

    question: str
    values: tuple[bool | str, ...] = ()
    """For yes_no and choice."""
    least: float | None = None
    """For number and scale: at least this."""
    most: float | None = None
    """For number and scale: at most this."""

    def holds(self, value: AnswerValue) -> bool:
        """Whether a settled answer of this value lets the question be asked."""
        if self.values:
            return isinstance(value, bool | str) and value in self.values
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    id: str
    type: QuestionType
    text: Prompt
    simple: Prompt
    """A plainer wording with the keys to press; the last try."""
    hints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Language to what is likely to be heard."""
    unit: str | None = None
    between: tuple[float, float] | None = None
    """The plausible values of a number; another one is not understood."""
    choices: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Choice to language to the ways to say it; pressed as 1, 2, 3 in this order."""
    asks_about: tuple[str, ...] = ()
    """Finding codes that a bare yes or no speaks about."""
    keypad: Keypad | None = None
    ask_if: Condition | None = None
    readback: str | None = None
    """The finding code whose read-back is spoken when the value itself is the warning sign."""
    source: str = ""
    """Where the question comes from, for the clinician who reviews it."""

    def asked(self, language: str) -> AskedQuestion:
        """The question as those who understand the answer see it."""
        return AskedQuestion(
            id=self.id,
            text="".join(piece for piece in self.text.pieces[language] if piece != NAME),
            type=self.type,
            unit=self.unit,
            choices={key: ways[language] for key, ways in self.choices.items()},
            asks_about=self.asks_about,
        )


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The approved sentence that repeats a warning sign to the person and asks whether it is so."""

    text: Prompt
    findings: tuple[str, ...]
    """Any of these makes it fit; empty: fits everything."""


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """One version of one script."""

    id: str
    version: str
    languages: tuple[str, ...]
    title: Mapping[str, str]
    review: str
    """Who reviewed the wording, or that nobody has yet."""
    hints: Mapping[str, tuple[str, ...]]
    """Language to words that may come in any answer."""
    opening: Prompt
    identity: Question
    fetch: Question
    """Whether the patient can come to the phone."""
    birth_year: Question
    """The second fact of the right-party check: asked, never spoken."""
    consent: Question
    begin: Prompt
    questions: tuple[Question, ...]
    readbacks: tuple[ReadBack, ...]
    """The first that fits is spoken; the last fits everything."""
    spoken: Mapping[str, Prompt]
    """Every sentence of ``SENTENCES`` and ``ENDINGS`` by its id."""
    source: str = field(repr=False, default="")
    """The YAML it was read from, exactly."""

    @property
    def sha256(self) -> str:
        """Of the source, in hexadecimal: which wording was asked."""
        return sha256(self.source.encode()).hexdigest()

    @property
    def gates(self) -> tuple[Question, ...]:
        """The questions before the questionnaire, in the order of ``GATES``."""
        return (self.identity, self.fetch, self.birth_year, self.consent)

    def question(self, question_id: str) -> Question:
        """The question or gate of that id.

        Raises:
            KeyError: there is none.
        """
        for question in (*self.gates, *self.questions):
            if question.id == question_id:
                return question
        raise KeyError(question_id)

    def prompt(self, prompt_id: str) -> Prompt:
        """The prompt of that id.

        Raises:
            KeyError: there is none.
        """
        for prompt in self.prompts():
            if prompt.id == prompt_id:
                return prompt
        raise KeyError(prompt_id)

    def prompts(self) -> Iterator[Prompt]:
        """Everything the script may say, in the order of a call."""
        yield self.opening
        for question in (*self.gates, *self.questions):
            if question is self.questions[0]:
                yield self.begin
            yield question.text
            yield question.simple
        for readback in self.readbacks:
            yield readback.text
        yield from self.spoken.values()

    def sentences(
        self, language: str, caller: str, name: str | None = None
    ) -> tuple[tuple[str, tuple[Segment, ...]], ...]:
        """Every prompt's id and clips.

        Whoever renders ahead takes all clips that are not personal; with a ``name`` it is everything
        that may be spoken in one call.
        """
        return tuple(
            (prompt.id, prompt.segments(language, caller=caller, name=name))
            for prompt in self.prompts()
        )

    def expected(self, question: Question, language: str) -> tuple[str, ...]:
        """What a recogniser should expect as an answer, the question's own words first."""
        ways = (way for choice in question.choices.values() for way in choice[language])
        own = question.hints.get(language, ())
        return tuple(dict.fromkeys((*own, *ways, *self.hints.get(language, ()))))

    def expected_anywhere(self, language: str) -> tuple[str, ...]:
        """Everything a recogniser should expect in a call, for engines that are told once."""
        asked = (*self.gates, *self.questions)
        return tuple(
            dict.fromkeys(hint for question in asked for hint in self.expected(question, language))
        )
