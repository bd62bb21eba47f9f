"""Even loudness and tight ends, checked against the norm's own test signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.loudness import PEAK, TARGET_LUFS, Samples, from_pcm, level, loudness, to_pcm, trim


def tone(seconds: float, rate: int, *, frequency: float = 1000.0, gain: float = 0.1) -> Samples:
    time = np.arange(int(seconds * rate)) / rate
    return np.asarray(gain * np.sin(2 * np.pi * frequency * time), dtype=np.float64)


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_a_tone_of_the_norm_measures_as_the_norm_says(rate: int) -> None:
    # BS.1770: a full-scale 997 Hz sine on one channel reads -3.01 LKFS; 20 dB less, -23.01.
    assert loudness(tone(3, rate), rate) == pytest.approx(-23.0, abs=0.1)


def test_low_tones_count_less_than_the_ear_hears_them() -> None:
    assert loudness(tone(3, 8000, frequency=40), 8000) < loudness(tone(3, 8000), 8000) - 5


def test_pauses_do_not_make_a_clip_quieter() -> None:
    spoken = tone(2, 8000)
    with_pause = np.concatenate([spoken, np.zeros(16000), spoken])
    assert loudness(with_pause, 8000) == pytest.approx(loudness(spoken, 8000), abs=0.8)


def test_silence_has_no_loudness_and_is_left_alone() -> None:
    silence = np.zeros(8000)
    assert loudness(silence, 8000) == float("-inf")
    assert not level(silence, 8000).any()
    assert not len(trim(silence, 8000))


@given(gain=st.floats(0.001, 1.0), seconds=st.floats(0.3, 2.0))
def test_any_clip_comes_out_equally_loud(gain: float, seconds: float) -> None:
    levelled = level(tone(seconds, 8000, gain=gain), 8000)
    assert loudness(levelled, 8000) == pytest.approx(TARGET_LUFS, abs=0.2)


def test_lonely_peaks_are_rounded_not_clipped() -> None:
    clip = tone(1, 8000, gain=0.01)
    clip[4000] = 1.0
    levelled = level(clip, 8000, target=-10)
    assert np.abs(levelled).max() <= PEAK


def test_both_ends_are_cut_to_the_margin() -> None:
    clip = np.concatenate([np.zeros(4000), tone(0.5, 8000), np.zeros(6000)])
    assert len(trim(clip, 8000)) / 8000 == pytest.approx(0.56, abs=0.021)


@given(st.binary(max_size=400).filter(lambda data: len(data) % 2 == 0))
def test_pcm_survives_the_way_there_and_back(pcm: bytes) -> None:
    assert to_pcm(from_pcm(pcm)) == pcm
