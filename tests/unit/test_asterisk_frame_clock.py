"""Frames find their place on the leg's clock whatever the network does to their arrival."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.asterisk.frame_clock import FrameClock
from dialer.line import FRAME_BYTES, Audio

FRAME = b"\x01\x02" * (FRAME_BYTES // 2)


def placed(arrivals: list[float], pcm: bytes = FRAME) -> list[Audio]:
    clock = FrameClock()
    frames = [frame for arrival in arrivals for frame in clock.place(pcm, arrival)]
    return frames + clock.settle()


def test_an_unbroken_stream_is_placed_every_20_ms() -> None:
    frames = placed([1.0 + 0.02 * i + (0.004 if i % 3 else 0.0) for i in range(50)])
    assert [f.at for f in frames] == pytest.approx([1.0 + 0.02 * i for i in range(50)])


@given(st.lists(st.floats(0, 0.012), min_size=2, max_size=200))
def test_jitter_never_shows(jitter: list[float]) -> None:
    frames = placed([5.0 + 0.02 * i + late for i, late in enumerate(jitter)])
    steps = {round(b.at - a.at, 6) for a, b in pairwise(frames)}
    assert len(frames) == len(jitter)
    assert steps <= {0.02}


def test_frames_held_up_together_keep_their_places() -> None:
    arrivals = [0.02 * i for i in range(20)]
    arrivals += [0.9] * 25  # our process slept from 0.4 to 0.9
    arrivals += [0.9 + 0.02 * i for i in range(1, 20)]
    frames = placed(arrivals)
    assert [f.at for f in frames] == pytest.approx([0.02 * i for i in range(64)], abs=0.021)


def test_after_a_gap_the_arrival_counts() -> None:
    arrivals = [0.02 * i for i in range(10)] + [3.0 + 0.02 * i for i in range(10)]
    frames = placed(arrivals)
    assert [f.at for f in frames] == pytest.approx(arrivals)


def test_a_gap_and_then_frames_held_up_together() -> None:
    arrivals = [0.0, 0.02] + [3.1] * 6 + [3.12, 3.14]  # first of them due at 3.0
    frames = placed(arrivals)
    assert [f.at for f in frames[2:]] == pytest.approx([3.0 + 0.02 * i for i in range(8)])


def test_one_lost_packet_is_made_up_for() -> None:
    arrivals = [0.02 * i for i in range(100) if i != 20]
    frames = placed(arrivals)
    assert frames[19].at == pytest.approx(0.38)
    assert [f.at for f in frames[60:]] == pytest.approx(arrivals[60:], abs=0.006)


def test_a_slower_telephone_clock_is_followed() -> None:
    arrivals = [i * 0.02 * 1.0002 for i in range(20_000)]  # 200 ppm, 400 s
    frames = placed(arrivals)
    assert max(abs(f.at - a) for f, a in zip(frames, arrivals, strict=True)) < 0.02


def test_packets_of_30_ms_become_frames_of_20_ms() -> None:
    frames = placed([0.03 * i for i in range(40)], pcm=FRAME + FRAME[:160])
    assert [f.at for f in frames] == pytest.approx([0.02 * i for i in range(60)])
    assert {len(f.pcm) for f in frames} == {FRAME_BYTES}


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 6)), min_size=1, max_size=40),
)
def test_no_sound_is_lost_and_none_comes_from_the_future(bursts: list[tuple[float, int]]) -> None:
    clock, now, frames, count = FrameClock(), 0.0, [], 0
    for pause, together in bursts:
        now += pause
        for _ in range(together):
            frames += clock.place(FRAME, now)
            count += 1
    frames += clock.settle()
    assert b"".join(f.pcm for f in frames) == FRAME * count
    assert all(f.at <= now + 0.02 * max(n for _, n in bursts) for f in frames)
