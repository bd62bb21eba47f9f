"""Who is dead, judged by whether heartbeats move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.calls.workers import BEAT_SECONDS, LOOK_SECONDS, LOST_SECONDS, SURE_SECONDS, Pulses

T0 = datetime(2026, 11, 23, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_a_heartbeat_that_stands_still_is_a_dead_workers() -> None:
    pulses = Pulses()
    assert pulses.look([("a", at(0))], now=100.0) == set()
    assert pulses.look([("a", at(0))], now=100.0 + LOST_SECONDS - 0.1) == set()
    assert pulses.look([("a", at(0))], now=100.0 + LOST_SECONDS) == {"a"}


def test_one_that_moves_again_is_alive_again() -> None:
    pulses = Pulses()
    pulses.look([("a", at(0))], now=0.0)
    assert pulses.look([("a", at(0))], now=50.0) == {"a"}
    assert pulses.look([("a", at(1))], now=50.1) == set()


def test_a_worker_whose_row_is_gone_is_forgotten() -> None:
    pulses = Pulses()
    pulses.look([("a", at(0))], now=0.0)
    assert pulses.look([], now=50.0) == set()
    assert pulses.look([("a", at(0))], now=51.0) == set()


@given(
    skew=st.floats(-1e6, 1e6),
    lateness=st.lists(st.floats(0, 1.5), min_size=1, max_size=40),
)
def test_a_live_worker_is_never_taken_for_dead_whatever_its_clock_says(
    skew: float, lateness: list[float]
) -> None:
    pulses, now = Pulses(), 0.0
    for late in lateness:
        beat = at(skew + now)
        until = now + BEAT_SECONDS + late
        while now < until:
            assert pulses.look([("a", beat)], now) == set()
            now += LOOK_SECONDS


@given(phase=st.floats(0, LOOK_SECONDS), died=st.floats(0, 100))
def test_a_dead_worker_is_known_within_eight_seconds(phase: float, died: float) -> None:
    pulses, now = Pulses(), phase
    while True:
        beats = int(min(now, died) / BEAT_SECONDS)
        if pulses.look([("a", at(beats))], now):
            break
        now += LOOK_SECONDS
    assert now - died <= LOST_SECONDS + 2 * LOOK_SECONDS


def test_a_worker_stops_dialling_before_others_think_it_dead() -> None:
    assert SURE_SECONDS < LOST_SECONDS
    assert SURE_SECONDS > BEAT_SECONDS
