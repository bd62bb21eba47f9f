"""The retry policy, and the calling window."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.turns import Disposition
from services.calls.calling_window import CallingWindow
from services.calls.retry import Again, Done, Person, RetryPolicyError, load_policy

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
POLICY = load_policy()
WINDOW = CallingWindow(time(9, 0), time(19, 30))


@pytest.mark.parametrize("last", [Disposition.COMPLETED, Disposition.REFUSED])
def test_what_is_finished_is_never_called_again(last: Disposition) -> None:
    assert POLICY.decide([Disposition.BUSY, last], NOW, LATER) == Done()


@pytest.mark.parametrize("last", [Disposition.WRONG_PERSON, Disposition.PARTIAL])
def test_what_needs_a_person_gets_one(last: Disposition) -> None:
    assert POLICY.decide([last], NOW, LATER) == Person()


def test_an_interrupted_call_is_placed_again_within_minutes() -> None:
    decision = POLICY.decide([Disposition.INTERRUPTED], NOW, LATER)
    assert isinstance(decision, Again)
    assert timedelta(minutes=2) <= decision.at - NOW <= timedelta(minutes=5)


def test_delays_grow_by_how_often_the_same_happened() -> None:
    busy, none = Disposition.BUSY, Disposition.NO_ANSWER
    assert POLICY.decide([busy], NOW, LATER) == Again(NOW + timedelta(minutes=15))
    assert POLICY.decide([busy, none, busy], NOW, LATER) == Again(NOW + timedelta(minutes=60))
    assert POLICY.decide([busy] * 4, NOW, LATER) == Person()


def test_a_retry_that_would_come_too_late_goes_to_a_person() -> None:
    assert POLICY.decide([Disposition.BUSY], NOW, NOW + timedelta(minutes=15)) == Person()


@given(st.lists(st.sampled_from(Disposition), min_size=1))
def test_every_follow_up_comes_to_an_end(ended: list[Disposition]) -> None:
    decision = POLICY.decide(ended, NOW, LATER)
    if isinstance(decision, Again):
        assert len(ended) < POLICY.most_attempts
        assert NOW < decision.at < LATER


@pytest.mark.parametrize(
    "source",
    [
        "{",
        "[]",
        "version: 2",
        "{version: 1, most_attempts: 0}",
        "{version: 1, most_attempts: 2, after: {busy: done}}",
    ],
)
def test_a_useless_policy_is_refused(source: str) -> None:
    with pytest.raises(RetryPolicyError):
        load_policy(source)


@pytest.mark.parametrize("rule", ["often", "[]", "[0]", "[1.5]"])
def test_a_useless_rule_is_named(rule: str) -> None:
    rules = ", ".join(f"{d}: {rule if d is Disposition.BUSY else 'done'}" for d in Disposition)
    with pytest.raises(RetryPolicyError, match="busy"):
        load_policy(f"{{version: 1, most_attempts: 2, after: {{{rules}}}}}")


def test_the_window_follows_the_patients_own_clock() -> None:
    assert WINDOW.open_at(NOW, "Asia/Shanghai")
    assert not WINDOW.open_at(NOW, "Europe/London")
    assert not WINDOW.open_at(NOW.replace(hour=11, minute=30), "Asia/Shanghai")
    assert WINDOW.open_at(NOW.replace(hour=11, minute=29), "Asia/Shanghai")
    assert WINDOW.open_at(NOW.replace(hour=1, minute=0), "Asia/Shanghai")


@pytest.mark.parametrize("zone", ["", "Middle/Earth", "../etc", "Asia/"])
def test_in_an_unknown_zone_nobody_is_called(zone: str) -> None:
    assert not WINDOW.open_at(NOW, zone)
