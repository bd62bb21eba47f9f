"""What holds for every dialogue, whatever is said, pressed or not said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.answers import (
    Answer,
    AnswerStatus,
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
from scripts.course import MOST_TURNS, Course, State
from scripts.dialogue import step
from scripts.reading import load
from scripts.turns import (
    Action,
    AlertStage,
    Answered,
    Broken,
    Digits,
    DropRecording,
    End,
    Event,
    Heard,
    HungUp,
    KeepRecording,
    Listen,
    Progress,
    RaiseAlert,
    Say,
    Silence,
    Stage,
    StoreAnswer,
    Trouble,
)
from tests.support.dialogue_talk import FACTS

SCRIPT = load("general_discharge")
SCRIPT_QUESTIONS = {question.id for question in SCRIPT.questions}
MOST_STEPS = 2 + (MOST_TURNS + 1) * (len(SCRIPT.questions) + 12)
CODES = ("chest_pain", "dyspnea", "wound_discharge", "suicidal_ideation", "melena", "fever")

findings = st.builds(
    Finding,
    finding=st.sampled_from(CODES) | st.text(max_size=8),
    status=st.sampled_from(FindingStatus),
    time=st.sampled_from(FindingTime),
    experiencer=st.sampled_from(Experiencer),
    attributes=st.just(()),
    evidence=st.text(max_size=8),
    start=st.integers(0, 8),
    end=st.integers(0, 8),
    confidence=st.floats(0, 1),
    by=st.just("lexicon"),
)
values = (
    st.booleans()
    | st.floats()
    | st.sampled_from([1953.0, 38.5, 7.0, 1.0, "better", "没有了", ""])
    | st.text(max_size=8)
    | st.none()
    | st.dictionaries(
        st.sampled_from(["systolic", "diastolic"]), st.none() | st.floats(), max_size=2
    )
)
answers = st.builds(
    Answer,
    # Answered more often than not, so that the deep parts of a call are reached.
    status=st.just(AnswerStatus.ANSWERED) | st.sampled_from(AnswerStatus),
    value=values,
    evidence=st.text(max_size=8),
)
understandings = st.builds(
    Understanding,
    version=st.just("any"),
    intent=st.just(Intent.ANSWER) | st.sampled_from(Intent),
    answer=answers,
    findings=st.lists(findings, max_size=3).map(tuple),
    severity=st.just(Severity.NONE) | st.sampled_from(Severity),
    because=st.lists(
        st.builds(
            Reason,
            rule=st.just("any"),
            findings=st.lists(st.integers(-1, 4), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    needs_review=st.booleans(),
)
heards = st.builds(
    Heard, utterance=st.builds(Utterance, text=st.text(max_size=8), language=st.just("zh")),
    understanding=understandings,
)  # fmt: skip
digits = st.builds(Digits, keys=st.text(alphabet="0123456789*#", max_size=5) | st.just("1953"))
others = st.just(Silence()) | digits | st.just(Answered())
events = heards | heards | others
last_events = st.just(HungUp()) | st.builds(Broken, trouble=st.sampled_from(Trouble))


def fitting_replies(state: State) -> tuple[Event, ...]:
    """What leads deeper into the call from here: an answer of the right kind."""
    if not state.at:
        return (Answered(),)
    if state.reading_back:
        return tuple(_plain(value) for value in (True, False))
    if state.at == "birth_year":
        return (_plain(1953.0),)
    question = state.question
    if question.choices:
        return tuple(_plain(key) for key in question.choices)
    if question.between:
        return tuple(_plain(value) for value in question.between)
    return (_plain(True), _plain(False), _plain("没有了"))


def _tells_the_year(state: State, event: Event) -> bool:
    """Whether the right year was just said, or before the read-back that is answered now."""
    said = [state.pending] if state.pending else []
    if isinstance(event, Heard):
        said.append(event.understanding)
    return any(one.answer.value == FACTS.birth_year for one in said) or (
        isinstance(event, Digits) and event.keys.startswith(str(FACTS.birth_year))
    )


def _plain(value: bool | float | str) -> Heard:
    return Heard(
        Utterance("话", "zh"),
        Understanding("any", Intent.ANSWER, Answer(AnswerStatus.ANSWERED, value)),
    )


def walk(data: st.DataObject) -> Iterator[tuple[State, Event, tuple[Action, ...], State]]:
    """A call in which anything may happen; ends when the dialogue does."""
    state = State(Course(SCRIPT, "zh", FACTS))
    while not state.ended:
        deeper = data.draw(st.integers(0, 9))
        event: Event
        if deeper < 7:
            event = data.draw(st.sampled_from(fitting_replies(state)))
        elif deeper < 9:
            event = data.draw(events)
        else:
            event = data.draw(events | events | last_events)
        following, actions = step(state, event)
        yield state, event, actions, following
        state = following


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_happens_the_promises_of_a_dialogue_hold(data: st.DataObject) -> None:
    stored: set[str] = set()
    consented = kept = dropped = False
    right_party = verified = False
    for count, (state, event, actions, following) in enumerate(walk(data), start=1):
        assert count <= MOST_STEPS, "the dialogue does not end"
        ends = [action for action in actions if isinstance(action, End)]
        assert ends == ([actions[-1]] if following.ended else [])
        assert isinstance(actions[-1], End if following.ended else Listen)
        assert sum(isinstance(action, Listen) for action in actions) == (
            0 if following.ended else 1
        )
        if isinstance(event, Heard):
            severity = event.understanding.severity
            if severity is Severity.EMERGENCY:
                assert isinstance(actions[0], RaiseAlert)
                assert actions[0].severity is Severity.EMERGENCY
            alerts = [action for action in actions if isinstance(action, RaiseAlert)]
            if severity is Severity.URGENT and not alerts:
                assert any(
                    old.stage is AlertStage.CONFIRMED and old.severity.rank >= severity.rank
                    for old in state.alerts
                ), "an urgent sign may only pass when it is known"
        verified = verified or (state.at == "birth_year" and _tells_the_year(state, event))
        verified = verified and following.at != "fetch"
        for action in actions:
            if action == Progress(Stage.RIGHT_PARTY):
                assert _tells_the_year(state, event), "told apart by something else"
                right_party = verified = True
            if isinstance(action, StoreAnswer):
                assert action.question.id not in stored, "settled twice"
                assert right_party
                stored.add(action.question.id)
            elif isinstance(action, Listen) and action.question.id in SCRIPT_QUESTIONS:
                assert action.question.id not in stored, "asked again after it was settled"
                assert verified, "asked of somebody else"
            elif isinstance(action, Say):
                assert str(FACTS.birth_year) not in action.text
                assert action.prompt_id.partition(".")[0] not in SCRIPT_QUESTIONS or right_party
                spoken_of = [segment for segment in action.segments if segment.personal]
                assert all(segment.text == FACTS.name for segment in spoken_of)
            elif isinstance(action, KeepRecording):
                assert right_party
                kept = True
            elif isinstance(action, DropRecording):
                dropped = True
        consented = following.consent is True
        if following.ended:
            assert kept or dropped, "a recording is left in the air"
            assert kept == consented or dropped
            assert step(following, event) == (following, ())


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_alert_is_never_lowered_without_a_clear_no(data: st.DataObject) -> None:
    for state, event, actions, _ in walk(data):
        for action in actions:
            if isinstance(action, RaiseAlert) and action.stage is AlertStage.AMENDED:
                assert action.number == state.reading_back
                if isinstance(event, Digits):
                    assert event.keys.startswith("2")
                else:
                    assert isinstance(event, Heard)
                    assert event.understanding.answer.value is False
                    assert event.understanding.severity.rank < Severity.EMERGENCY.rank or any(
                        other.number != action.number
                        for other in actions
                        if isinstance(other, RaiseAlert)
                    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(list(Intent)), min_size=1, max_size=3), st.booleans())
def test_one_thing_said_over_and_over_ends_the_call(intents: list[Intent], answered: bool) -> None:
    state = State(Course(SCRIPT, "zh", FACTS))
    state, _ = step(state, Answered())
    status = AnswerStatus.ANSWERED if answered else AnswerStatus.UNCLEAR
    for count in range(MOST_STEPS):
        intent = intents[count % len(intents)]
        heard = Heard(Utterance("话", "zh"), Understanding("any", intent, Answer(status, True)))
        state, _ = step(state, heard)
        if state.ended:
            return
    pytest.fail("the call does not end")


@given(st.text(alphabet="0123456789*#ABCD", max_size=6))
def test_no_keys_break_a_question(keys: str) -> None:
    for question in (*SCRIPT.gates, *SCRIPT.questions):
        state = State(
            Course(SCRIPT, "zh", FACTS),
            at=question.id,
            identified=True,
            right_party=True,
            consent=True,
        )
        following, actions = step(state, Digits(keys))
        assert following.ended or isinstance(actions[-1], Listen)
