"""The turn-taking machine: its rules one by one, and what holds for every sound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.turn_taking import (
    Decision,
    Floor,
    Manners,
    NoInput,
    PausePrompt,
    ResumePrompt,
    SpeechEnded,
    SpeechStarted,
    TakeFloor,
    TurnTaking,
)

FRAME = 0.02


class Driver:
    """Feeds a machine and keeps its decisions."""

    def __init__(self, *, partials: bool = True) -> None:
        self.machine = TurnTaking(partials=partials)
        self.at = 0.0
        self.decisions: list[Decision] = []

    def feed(self, seconds: float, probability: float, *, words: bool = False) -> list[Decision]:
        fresh: list[Decision] = []
        for _ in range(round(seconds / FRAME)):
            self.at += FRAME
            fresh += self.machine.frame(self.at, probability, words=words)
        self.decisions += fresh
        return fresh

    def kinds(self) -> list[type[Decision]]:
        return [type(decision) for decision in self.decisions]


def test_a_turn_ends_after_the_pause_and_tells_when_the_voice_did() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=6.0, pause=1.0)
    driver.feed(0.5, 0.0)
    driver.feed(1.0, 0.9)
    driver.feed(0.9, 0.1)
    assert driver.kinds() == [SpeechStarted]
    driver.feed(0.2, 0.1)
    ended = driver.decisions[-1]
    assert isinstance(ended, SpeechEnded)
    assert abs(ended.voice_ended - 1.5) < 1e-6
    assert abs(ended.at - 2.5) < 1e-6
    assert abs(ended.voiced - 1.0) < 1e-6
    assert driver.machine.floor is Floor.NOBODYS


def test_a_click_is_no_speech() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=6.0, pause=1.0)
    for _ in range(20):
        driver.feed(0.04, 0.9)
        driver.feed(0.1, 0.0)
    assert driver.decisions == []


def test_no_input_after_the_patience_and_only_once() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=3.0, pause=1.0)
    driver.feed(10.0, 0.0)
    assert driver.kinds() == [NoInput]
    assert abs(driver.decisions[0].at - 3.0) < 2 * FRAME


def test_speech_that_began_in_time_may_take_its_time() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=3.0, pause=1.0)
    driver.feed(2.9, 0.0)
    driver.feed(5.0, 0.9)
    driver.feed(2.0, 0.0)
    assert driver.kinds() == [SpeechStarted, SpeechEnded]


def test_the_longest_turn_is_cut() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=3.0, pause=1.0)
    driver.feed(31.0, 0.9)
    assert driver.kinds()[:2] == [SpeechStarted, SpeechEnded]
    assert 30.0 <= driver.decisions[1].at <= 30.1


def test_a_word_into_a_prompt_takes_the_floor() -> None:
    driver = Driver()
    driver.machine.speak(interruptible=True, pause=1.0)
    driver.feed(0.1, 0.9)
    driver.feed(0.4, 0.9, words=True)
    driver.feed(1.2, 0.0, words=True)
    assert driver.kinds() == [SpeechStarted, PausePrompt, TakeFloor, SpeechEnded]
    assert driver.decisions[1].at <= 0.1, "paused at once, before any word is known"


def test_a_cough_into_a_prompt_lets_it_go_on() -> None:
    driver = Driver()
    driver.machine.speak(interruptible=True, pause=2.0)
    driver.feed(0.3, 0.9)
    driver.feed(3.0, 0.0)
    assert driver.kinds() == [SpeechStarted, PausePrompt, ResumePrompt, SpeechEnded]
    assert driver.decisions[2].at - driver.decisions[1].at < 1.1


def test_a_television_pauses_the_prompt_once() -> None:
    driver = Driver()
    driver.machine.speak(interruptible=True)
    driver.feed(20.0, 0.9)
    assert driver.kinds() == [SpeechStarted, PausePrompt, ResumePrompt]
    assert driver.decisions[2].at - driver.decisions[1].at <= Manners().longest_wait + FRAME


def test_without_partial_words_enough_voice_is_a_word() -> None:
    driver = Driver(partials=False)
    driver.machine.speak(interruptible=True)
    driver.feed(1.0, 0.9)
    assert driver.kinds() == [SpeechStarted, PausePrompt, TakeFloor]


def test_without_partial_words_a_short_sound_is_left_to_the_ears() -> None:
    driver = Driver(partials=False)
    driver.machine.speak(interruptible=True)
    driver.feed(0.3, 0.9)
    driver.feed(2.0, 0.0)
    assert driver.kinds() == [SpeechStarted, PausePrompt, SpeechEnded]
    assert driver.machine.floor is Floor.NOBODYS


def test_a_prompt_that_may_not_be_interrupted_hears_all_the_same() -> None:
    driver = Driver()
    driver.machine.speak(interruptible=False)
    driver.feed(0.5, 0.9, words=True)
    driver.feed(1.5, 0.0)
    assert driver.kinds() == [SpeechStarted, SpeechEnded]


def test_a_hole_in_the_sound_is_a_pause() -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=6.0, pause=1.0)
    driver.feed(0.5, 0.9)
    driver.at += 1.5
    assert [type(d) for d in driver.feed(0.02, 0.0)] == [SpeechEnded]


Step = tuple[str, float, float, bool]
steps = st.lists(
    st.tuples(
        st.sampled_from(["frame"] * 12 + ["hole", "speak", "firm", "listen", "think"]),
        st.sampled_from([0.0, 0.2, 0.4, 0.9, 1.0]),
        st.floats(0.02, 3.0),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps, st.booleans())
def test_whatever_happens(script: list[Step], partials: bool) -> None:
    """Stretches alternate; the floor's decisions fit the floor; a paused prompt never stays so."""
    driver = Driver(partials=partials)
    machine = driver.machine
    for kind, probability, seconds, words in script:
        match kind:
            case "frame":
                driver.feed(seconds, probability, words=words)
            case "hole":
                driver.at += seconds
            case "speak" | "firm":
                machine.speak(interruptible=kind == "speak", pause=0.3 + seconds / 2)
            case "listen":
                machine.listen(driver.at, patience=seconds, pause=0.3 + seconds / 2)
            case "think":
                machine.think()
    paused = machine.floor is Floor.PAUSED
    tail = driver.feed(35.0, 0.0)
    assert machine.floor is not Floor.PAUSED
    assert not machine.speaking
    if paused:
        assert any(isinstance(d, TakeFloor | ResumePrompt | SpeechEnded) for d in tail)
    speech = [d for d in driver.decisions if isinstance(d, SpeechStarted | SpeechEnded)]
    assert all(isinstance(d, SpeechStarted) for d in speech[::2])
    assert all(isinstance(d, SpeechEnded) for d in speech[1::2])
    assert len(speech) % 2 == 0
    for started, ended in zip(speech[::2], speech[1::2], strict=True):
        assert isinstance(ended, SpeechEnded)
        assert started.at <= ended.voice_ended <= ended.at
        assert 0 < ended.voiced <= ended.voice_ended - started.at + 1e-6
    times = [d.at for d in driver.decisions if not isinstance(d, SpeechStarted)]
    assert times == sorted(times)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.06, 3.0), st.floats(0.02, 0.9)), min_size=1, max_size=12))
def test_pauses_shorter_than_the_rule_never_end_a_turn(speech: list[tuple[float, float]]) -> None:
    driver = Driver()
    driver.machine.listen(0.0, patience=5.0, pause=1.0)
    for voiced, pause in speech:
        if driver.at + voiced + pause > 28.0:
            break
        driver.feed(max(voiced, 0.1), 0.9)
        driver.feed(min(pause, 0.9), 0.0)
    assert driver.kinds() == [SpeechStarted]
