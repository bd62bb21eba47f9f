"""Packs: how texts are found, how a pack is brought up to date, what a bad one says."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.family_names import CHINESE, spoken_names
from tts.kokoro import RATE, english_phonemes
from tts.loudness import TARGET_LUFS, Samples, from_pcm, loudness
from tts.recorded import RecordedVoice, read_manifest, spoken_form, text_key
from tts.rendering import Speak, read_texts, render_pack, sentences
from tts.sound_files import decode, encode
from tts.voice import SAMPLE_RATE, VoiceError


class Singer:
    """A voice that hums 100 ms a character and counts what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, sentence: str) -> Samples:
        self.told.append(sentence)
        time = np.arange(int(RATE * 0.1 * len(sentence))) / RATE
        return np.asarray(0.3 * np.sin(2 * np.pi * 300 * time), dtype=np.float64)


def render(
    folder: Path, texts: Iterable[str] | dict[str, str], speak: Speak, *, voice: str = "hum"
) -> list[str]:
    wanted = texts if isinstance(texts, dict) else {text: text for text in texts}
    return list(render_pack(folder, wanted, voice=voice, language="zh", speak=speak))


def damage(pack: Path) -> None:
    for clip in pack.glob("*.opus"):
        clip.write_bytes(b"no sound at all")


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("您好，", "您好"),
        ("您 好。", "您 好"),
        ("Goodbye.", "goodbye"),
        ("有没有疼？", "有没有疼?"),
        ("，打电话", "打电话"),
    ],
)
def test_texts_that_sound_the_same_are_the_same(written: str, same: str) -> None:
    assert text_key(written) == text_key(same)


@pytest.mark.parametrize(
    ("one", "other"), [("疼？", "疼。"), ("疼", "不疼"), ("一，二", "一二"), ("is he", "ishe")]
)
def test_texts_that_sound_different_are_different(one: str, other: str) -> None:
    assert text_key(one) != text_key(other)


@given(st.text())
def test_the_spoken_form_is_final(text: str) -> None:
    assert spoken_form(spoken_form(text)) == spoken_form(text)


async def test_what_is_rendered_is_found_by_its_words(tmp_path: Path) -> None:
    render(tmp_path, ["您好，这里是", "再见。"], Singer())
    voice = RecordedVoice(tmp_path)
    assert voice.name == "recorded:hum"
    assert voice.speaks("zh")
    assert not voice.speaks("en")
    sound = await voice.render("再见", "zh")
    assert loudness(from_pcm(sound), SAMPLE_RATE) == pytest.approx(TARGET_LUFS, abs=0.5)


@pytest.mark.parametrize(("text", "language"), [("再会", "zh"), ("再见", "en")])
async def test_what_is_not_in_the_pack_is_not_spoken(
    tmp_path: Path, text: str, language: str
) -> None:
    render(tmp_path, ["再见。"], Singer())
    with pytest.raises(VoiceError) as raised:
        await RecordedVoice(tmp_path).render(text, language)
    assert text not in str(raised.value)


def test_only_what_changed_is_rendered_again(tmp_path: Path) -> None:
    singer = Singer()
    render(tmp_path, ["一", "二"], singer)
    singer.told.clear()
    assert render(tmp_path, ["二", "三"], singer) == ["三"]
    assert singer.told == ["三"]
    manifest = read_manifest(tmp_path)
    assert {entry.text for entry in manifest.entries} == {"二", "三"}
    assert {file.name for file in tmp_path.glob("*.opus")} == {e.file for e in manifest.entries}


def test_another_voice_renders_everything_anew(tmp_path: Path) -> None:
    render(tmp_path, ["一", "二"], Singer())
    assert render(tmp_path, ["一", "二"], Singer(), voice="other") == ["一", "二"]


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    texts = {"一": "一", "二": "二", "三": "三"}
    clips = render_pack(tmp_path, texts, voice="hum", language="zh", speak=Singer())
    assert next(iter(clips)) == "一"
    assert render(tmp_path, texts, Singer()) == ["二", "三"]


def test_a_voice_may_be_told_another_spelling(tmp_path: Path) -> None:
    singer = Singer()
    render(tmp_path, {"曾先生": "增先生"}, singer)
    assert singer.told == ["增先生"]
    assert RecordedVoice(tmp_path).has("曾先生")


def test_long_texts_are_spoken_sentence_by_sentence() -> None:
    assert sentences("好的。能请他来吗？能，请按一。") == ["好的。", "能请他来吗？", "能，请按一。"]
    assert sentences("All right. Press 3.5 now! Goodbye.") == [
        "All right.", "Press 3.5 now!", "Goodbye.",
    ]  # fmt: skip


def test_lists_of_texts_may_name_a_spelling(tmp_path: Path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps(["一", {"text": "曾", "spoken": "增"}]), encoding="utf-8")
    assert read_texts(file) == {"一": "一", "曾": "增"}


def test_a_hospital_writes_its_own_pack_by_hand(tmp_path: Path) -> None:
    (tmp_path / "hello.opus").write_bytes(encode(Singer()("您好您好")[::3]))
    (tmp_path / "manifest.json").write_text(
        json.dumps(
            {
                "voice": "head nurse",
                "language": "zh",
                "entries": [{"text": "您好", "file": "hello.opus"}],
            }
        ),
        encoding="utf-8",
    )
    assert RecordedVoice(tmp_path).has("您好。")


@pytest.mark.parametrize("manifest", [None, "{}", "not json", '{"voice": 3}'])
def test_a_folder_that_is_no_pack_says_so(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(VoiceError, match="no pack"):
        RecordedVoice(tmp_path)


def test_a_missing_clip_is_noticed_before_any_call(tmp_path: Path) -> None:
    render(tmp_path, ["一", "二"], Singer())
    next(tmp_path.glob("*.opus")).unlink()
    with pytest.raises(VoiceError, match="lacks 1 clip"):
        RecordedVoice(tmp_path)


async def test_a_damaged_clip_is_an_error(tmp_path: Path) -> None:
    render(tmp_path, ["一"], Singer())
    damage(tmp_path)
    with pytest.raises(VoiceError, match="no sound file"):
        await RecordedVoice(tmp_path).render("一", "zh")


def test_opus_keeps_length_and_start() -> None:
    clip = Singer()("一二三四")[:: RATE // SAMPLE_RATE]
    back = decode(encode(clip))
    assert abs(len(back) - len(clip)) <= 0.02 * SAMPLE_RATE
    shift = int(np.argmax(np.correlate(back, clip, mode="full"))) - (len(clip) - 1)
    assert abs(shift) <= 0.005 * SAMPLE_RATE


def test_every_name_has_both_honorifics_and_its_reading_as_a_name() -> None:
    names = spoken_names("zh")
    assert len(names) == 2 * len(CHINESE) == 120
    assert names["曾女士"] == "增女士"
    assert names["王先生"] == "王先生"
    english = spoken_names("en")
    assert english["Mr Xu"] == "/mˈɪstəɹ ʃˈu/"
    assert english["Ms Smith"] == "Miz Smith"
    assert spoken_names("ko") == {}


def test_english_sounds_become_the_symbols_of_the_model() -> None:
    assert english_phonemes("həlˈo^ʊ", british=False) == "həlˈO"
    assert english_phonemes("həlˈə^ʊ", british=True) == "həlˈQ"
    assert english_phonemes("t^ʃˈɛst pˈe^ɪn", british=False) == "ʧˈɛst pˈAn"


def test_the_vocabulary_of_kokoro_must_be_there(tmp_path: Path) -> None:
    from tts.kokoro import Kokoro

    with pytest.raises(VoiceError, match="HUIFANG_MODELS"):
        Kokoro(tmp_path)
