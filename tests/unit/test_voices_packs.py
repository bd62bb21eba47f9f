"""The packs that are shipped: every script's sentences, every name, every patient of the ward."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from services.demo.rendered import WantedPack, prompt_packs, ward_packs
from tts.loudness import TARGET_LUFS, Samples, loudness, trim
from tts.recorded import read_manifest, text_key
from tts.sound_files import decode
from tts.voice import SAMPLE_RATE

PACKS = [*prompt_packs(), *ward_packs()]
MEGABYTE = 1_000_000


@cache
def _decoded(folder: Path) -> list[tuple[str, Samples]]:
    entries = read_manifest(folder).entries
    return [(entry.text, decode((folder / entry.file).read_bytes())) for entry in entries]


def clips(pack: WantedPack) -> list[tuple[str, Samples]]:
    """Text and sound of every clip, after Opus."""
    return _decoded(pack.folder)


@pytest.fixture(params=PACKS, ids=lambda pack: f"{pack.language}-{pack.voice}")
def pack(request: pytest.FixtureRequest) -> WantedPack:
    wanted: WantedPack = request.param
    return wanted


def test_nothing_is_missing_and_nothing_left_over(pack: WantedPack) -> None:
    # Red after a script changed: render it with `python -m services.demo.rendered`.
    entries = read_manifest(pack.folder).entries
    assert {entry.sha256 for entry in entries} == {text_key(text) for text in pack.texts}
    assert {entry.file for entry in entries} == {f.name for f in pack.folder.glob("*.opus")}


def test_the_manifest_tells_the_truth(pack: WantedPack) -> None:
    manifest = read_manifest(pack.folder)
    assert (manifest.voice, manifest.language) == (pack.voice, pack.language)
    measured = dict(clips(pack))
    for entry in manifest.entries:
        assert entry.seconds == pytest.approx(len(measured[entry.text]) / SAMPLE_RATE, abs=0.03)
        assert entry.sha256 == text_key(entry.text)


def test_every_clip_sounds_as_loud_as_the_next(pack: WantedPack) -> None:
    for text, samples in clips(pack):
        assert loudness(samples, SAMPLE_RATE) == pytest.approx(TARGET_LUFS, abs=1.5), text


def test_no_clip_is_clipped(pack: WantedPack) -> None:
    for text, samples in clips(pack):
        assert np.abs(samples).max() < 0.999, text


def test_no_clip_begins_or_ends_with_a_pause(pack: WantedPack) -> None:
    for text, samples in clips(pack):
        tight = trim(samples, SAMPLE_RATE, margin=0.0)
        assert len(samples) - len(tight) < 2 * 0.15 * SAMPLE_RATE, text


def test_no_clip_is_shorter_or_longer_than_speech(pack: WantedPack) -> None:
    letters_a_second = (2.0, 9.0) if pack.language == "zh" else (3.0, 26.0)
    for text, samples in clips(pack):
        letters = sum(character.isalnum() for character in text)
        pace = letters / (len(samples) / SAMPLE_RATE)
        assert letters_a_second[0] < pace < letters_a_second[1], text


def test_all_packs_together_stay_small() -> None:
    size = sum(file.stat().st_size for pack in PACKS for file in pack.folder.glob("*"))
    assert size < 6 * MEGABYTE
