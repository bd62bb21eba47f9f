"""Latency as a telephone hears it: what the benchmark of calls measures with."""

from __future__ import annotations

import pytest

from tests.benchmarks.at_the_phone import answered, spoken
from tests.support.callee import square_wave
from tests.support.sip_call import Take


def _take(begins: float, *parts: tuple[float, bool]) -> Take:
    """Sound (True) and quiet, one after the other, in frames of 20 ms."""
    pcm = b"".join(
        square_wave(seconds) if loud else bytes(2 * round(seconds * 8000))
        for seconds, loud in parts
    )
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    return Take([(begins + 0.02 * index, frame) for index, frame in enumerate(frames)])


def test_latency_runs_from_the_last_loud_sample_to_our_first() -> None:
    said = _take(100.0, (1.0, False), (0.505, True), (3.0, False), (0.2, True))
    heard = _take(100.007, (0.5, True), (2.4, False), (1.0, True))
    (only,) = answered(said, heard)
    assert only.patient_ended == pytest.approx(101.505, abs=0.0002)
    assert only.latency == pytest.approx(102.907 - 101.505, abs=0.0002)


def test_a_pause_inside_a_reply_is_not_an_end() -> None:
    said = _take(0.0, (0.2, True), (0.4, False), (0.2, True))
    heard = _take(0.0, (2.0, False), (1.0, True))
    (only,) = answered(said, heard)
    assert only.patient_ended == pytest.approx(0.8, abs=0.0002)


def test_stretches_of_speech_come_with_the_quiet_around_them() -> None:
    said = _take(
        7.0, (1.0, False), (0.3, True), (0.5, False), (0.2, True), (2.0, False), (1.0, True)
    )
    first, second = spoken(said)
    assert len(first) == 2 * round((0.5 + 1.0 + 1.0) * 8000)
    assert first[8000:8320] == square_wave(0.02)
    assert second.startswith(bytes(8000))
