from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.alignment import TOLERANCE, align
from recordings.pieces import Piece, Side, decode, encode

FRAME = 160


def sound(value: int, samples: int = FRAME) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def patient(value: int, at: float, samples: int = FRAME) -> Piece:
    return Piece(Side.PATIENT, at, sound(value, samples))


def system(value: int, at: float, samples: int = FRAME) -> Piece:
    return Piece(Side.SYSTEM, at, sound(value, samples))


def test_each_side_has_its_channel_at_its_time() -> None:
    both = align([patient(1, 0.5), system(2, 1.0, 8000)])
    assert both.shape == (2, 16000)
    assert np.flatnonzero(both[0]).tolist() == list(range(4000, 4160))
    assert np.flatnonzero(both[1]).tolist() == list(range(8000, 16000))


def test_jitter_leaves_no_seam() -> None:
    jitter = [0.0, 0.012, 0.003, 0.019, 0.001, 0.008]
    both = align([patient(7, 1 + n * 0.02 + late) for n, late in enumerate(jitter)])
    assert np.flatnonzero(both[0]).tolist() == list(range(8000, 8000 + 6 * FRAME))


slowness = st.one_of(st.just(0.0), st.floats(0, 0.08))


@given(late=st.lists(slowness, min_size=30, max_size=60), start=st.floats(0, 5))
def test_slow_packets_open_no_gap(late: list[float], start: float) -> None:
    # A speaker without a pause. Packets arrive in order, so one slow packet holds up the next ones,
    # but some packets of any ten are on time.
    late = [extra if n % 9 in (1, 2, 3, 4) else 0.0 for n, extra in enumerate(late)] + [0.0] * 5
    arrivals = accumulate((start + n * 0.02 + extra for n, extra in enumerate(late)), max)
    both = align([patient(n + 1, at) for n, at in enumerate(arrivals)])
    spoken = np.repeat(np.arange(1, len(late) + 1), FRAME)
    heard = np.flatnonzero(both[0])
    assert abs(int(heard[0]) - round(start * 8000)) <= TOLERANCE
    assert np.array_equal(both[0][heard[0] :], spoken)


def test_a_pause_is_silence_of_the_same_length() -> None:
    frames = [patient(1, n * 0.02) for n in range(20)]
    frames += [patient(2, 3 + n * 0.02) for n in range(20)]
    both = align(frames)
    assert np.flatnonzero(both[0] == 2)[0] == 24000
    assert not both[0][20 * FRAME : 24000].any()


def test_a_slow_first_packet_does_not_delay_the_rest() -> None:
    late = [patient(1, 0.09), *(patient(1, 0.09) for _ in range(4))]
    both = align([*late, *(patient(2, n * 0.02) for n in range(5, 20))])
    assert np.flatnonzero(both[0] == 2)[0] == 5 * FRAME


def test_a_newer_clip_ends_the_older() -> None:
    both = align([system(1, 0.0, 16000), system(2, 1.0, 800)])
    assert both.shape == (2, 8800)
    assert both[1][:8000].tolist() == [1] * 8000
    assert both[1][8000:].tolist() == [2] * 800


def test_sound_that_is_told_late_still_stands_at_its_time() -> None:
    both = align([patient(9, 3.0), system(1, 0.5, 800)])
    assert np.flatnonzero(both[1]).tolist() == list(range(4000, 4800))


def test_clips_that_follow_each_other_are_joined() -> None:
    both = align([system(1, 0.0, 8000), system(2, 1.015, 8000)])
    assert both.shape == (2, 16000)
    assert both[1].all()


def test_nothing_heard_is_nothing() -> None:
    assert align([]).shape == (2, 0)


pieces_of_a_call = st.lists(
    st.builds(
        Piece,
        st.sampled_from(Side),
        st.floats(0, 20),
        st.integers(0, 500).map(lambda samples: sound(5, samples)),
    ),
    max_size=30,
)


@given(pieces=pieces_of_a_call)
def test_whatever_the_times_the_sound_is_bounded_and_nothing_is_louder(pieces: list[Piece]) -> None:
    both = align(pieces)
    last = max((p.at * 8000 + len(p.pcm) / 2 for p in pieces), default=0)
    assert both.shape[1] <= last + TOLERANCE + 1
    assert set(np.unique(both)) <= {0, 5}


@given(pieces=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 500)), min_size=1, max_size=30))
def test_what_the_system_said_starts_within_20_ms_of_its_time(
    pieces: list[tuple[float, int]],
) -> None:
    ordered = sorted(pieces, key=lambda piece: piece[0])
    both = align([system(n + 1, at, size) for n, (at, size) in enumerate(ordered)])
    for number, (at, _) in enumerate(ordered):
        heard = np.flatnonzero(both[1] == number + 1)
        if heard.size:
            assert abs(int(heard[0]) - at * 8000) <= TOLERANCE + 1


@given(pieces=pieces_of_a_call, cut=st.integers(0, 3000))
def test_a_log_reads_back_up_to_where_it_breaks_off(pieces: list[Piece], cut: int) -> None:
    log = b"".join(encode(piece) for piece in pieces)
    assert list(decode(log)) == pieces
    left = list(decode(log[:cut]))
    whole = left[:-1] if left else []
    assert whole == pieces[: len(whole)]


@pytest.mark.parametrize("odd", [b"\x01", b"\x01\x00\x02"])
def test_half_a_sample_is_left_out(odd: bytes) -> None:
    assert align([Piece(Side.PATIENT, 0.0, odd)]).shape == (2, len(odd) // 2)
