"""The dialogue: a pure state machine from what happened on the line to what is done next.

Theory of operation
-------------------
``step(state, event)`` returns the next state and the actions to carry out, in order. It reads no
clock, no network and no random number, so a call can be replayed from its events. What it may do is
in ``scripts.turns`` and nowhere else. ``Dialogue`` keeps the state for those who talk.

Every step but the last ends with ``Listen``; the last ends with ``End``, and nothing comes after it.

*The order of a call.* Opening (who calls, that a machine speaks) - identity - year of birth -
consent to record - the questions of the script - closing. Which comes next is not remembered but
follows from what is settled (``scripts.asking``), so that whatever comes between - a question back,
"say that again", a fetched patient, a warning sign - the dialogue returns to what is still open.
Until both facts agree, the only thing spoken of the patient is the family name with its honorific;
the year of birth is compared and never spoken.

*A warning sign* (``scripts.alerting``) comes before everything else at any moment: the alert is the
first action of the step in which it was understood; then it is read back once; silence, mumbling
and hanging up never lower it. What else was said with it waits as ``pending`` until the read-back
is answered. A confirmed emergency ends the call with the approved sentence; an urgent sign is
remembered for the closing.

*An answer that does not come* is asked for twice more, the last time in simple words with keys to
press; then the question is given up, visibly (``unclear`` or ``none``). Three questions without a
word end the call.

*Why every dialogue ends.* A question leaves the open ones when it is settled; until then each event
spends one of its turns (``course.MOST_TURNS``), and with none left it is given up. Gates are given
up by ending the call; the patient is fetched at most ``asking.MOST_FETCHES`` times.

    (nobody) --Answered--> opening, identity --yes--> birth_year --agrees--> consent --> questions
                               |  ^                      | twice wrong           closing <--|
                               no |fetched               v
                               v  |                   not_verified
                              fetch --no--> not_available
"""

from __future__ import annotations

from scripts.alerting import (
    SELF_HARM,
    dangerous,
    raise_alert,
    send_for_help,
    signs,
)
from scripts.answers import Severity, Understanding
from scripts.asking import (
    ask_again,
    following,
    give_up,
    keep_pending,
    leave,
    spend_turn,
)
from scripts.course import Course, Judge, PatientFacts, State, Step
from scripts.keyed import judged, keyed
from scripts.questionnaire import Questionnaire
from scripts.reading_back import opt_out, read_back_answered, take_up, warned
from scripts.replies import MACHINES, greet
from scripts.turns import (
    Action,
    Answered,
    Broken,
    Digits,
    Disposition,
    Event,
    Heard,
    HungUp,
    Say,
    Silence,
    Stage,
    Trouble,
)

__all__ = ["Course", "Dialogue", "PatientFacts", "State", "step"]


class Dialogue:
    """A dialogue with one person: remembers the state between the steps."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        language: str,
        facts: PatientFacts,
        *,
        judge: Judge | None = None,
    ) -> None:
        """Start one.

        Args:
            questionnaire: the script.
            language: one of its languages.
            facts: what may be compared with, and the names that are spoken.
            judge: how serious an answer given by keys is: the hospital's understanding with what it
                knows of this patient. Without it a pressed yes to a warning sign is urgent.

        Raises:
            ValueError: the script does not speak the language.
        """
        if language not in questionnaire.languages:
            raise ValueError(f"script {questionnaire.id} does not speak {language!r}")
        self.state = State(Course(questionnaire, language, facts, judge))

    @property
    def filler(self) -> Say:
        """What to say while it takes long to understand an answer."""
        return self.state.course.sentence("filler")

    def handle(self, event: Event) -> tuple[Action, ...]:
        """Take one event and return what to do; nothing once the dialogue has ended."""
        self.state, actions = step(self.state, event)
        return actions


def step(state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
    """One step of the machine."""
    if state.ended:
        return state, ()
    doing = Step(state)
    match event:
        case HungUp():
            _hung_up(doing)
        case Broken(trouble):
            _broken(doing, trouble)
        case Answered() | Silence():
            _silence(doing)
        case Heard(_, understanding):
            _heard(doing, understanding)
        case Digits(pressed):
            _pressed(doing, pressed)
    return doing.state, tuple(doing.actions)


def _heard(doing: Step, understood: Understanding) -> None:
    doing.change(spoke=True, wordless=0)
    if not doing.state.at:
        # Nobody was greeted yet: the sign is raised, and who calls is said first.
        if dangerous(understood):
            raise_alert(doing, understood)
        greet(doing)
        return
    turns_left = spend_turn(doing)
    if understood.intent in MACHINES and not doing.state.right_party:
        if dangerous(understood):
            raise_alert(doing, understood)
        doing.end(None, MACHINES[understood.intent])
    elif doing.state.reading_back:
        read_back_answered(doing, understood, turns_left)
    elif dangerous(understood):
        warned(doing, understood, turns_left)
    else:
        opt_out(doing, understood)
        take_up(doing, understood, turns_left)


def _pressed(doing: Step, pressed: str) -> None:
    if not doing.state.at:
        greet(doing)
        return
    state = doing.state
    if state.reading_back:
        agreed = {"1": True, "2": False}.get(pressed[:1])
        _heard(doing, keyed(pressed, agreed))
    elif state.waiting:
        _heard(doing, keyed(pressed, None))
    else:
        _heard(doing, judged(state.course, state.question, pressed))


def _silence(doing: Step) -> None:
    if not doing.state.at:
        greet(doing)
        return
    turns_left = spend_turn(doing)
    if doing.state.reading_back:
        read_back_answered(doing, None, turns_left)
    elif not turns_left:
        give_up(doing)
    elif doing.state.waiting:
        greet(doing)
    else:
        ask_again(doing, silent=True)


def _hung_up(doing: Step) -> None:
    """An alert that was raised stays as it is."""
    keep_pending(doing)
    state = doing.state
    if state.right_party and state.stage is Stage.QUESTIONS and following(doing) is None:
        doing.end(None, Disposition.COMPLETED)
    elif state.right_party or state.alerts:
        doing.end(None, Disposition.PARTIAL)
    else:
        doing.end(None, Disposition.NOT_AVAILABLE)


def _broken(doing: Step, trouble: Trouble) -> None:
    """Our side fails. Somebody who may be in danger hears the emergency sentence, not an apology."""
    state = doing.state
    if state.reading_back:
        alert = state.alerts[state.reading_back - 1]
        self_harm = bool(signs(alert) & SELF_HARM)
        if self_harm or alert.severity is Severity.EMERGENCY:
            send_for_help(doing, self_harm=self_harm)
            return
    keep_pending(doing)
    late = trouble is Trouble.TIME_LIMIT and state.right_party
    leave(doing, "trouble", Disposition.PARTIAL if late else Disposition.INTERRUPTED)
