"""The small Mandarin model on real recorded words, through mu-law at 8 kHz."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asr.decoding import DecodingPool, PooledRecogniser
from asr.models import find, open_engine
from asr.recogniser import EarsError, Engine, Hints
from asr.sherpa_engine import SherpaEngine
from asr.syllables import pinyin_of, toneless
from asr.voice_activity import SileroVoiceActivity
from tests.support.ears import hear, leave_out, models_folder, recordings, telephone


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = find("zh", "sherpa", models_folder())
    if found is None:
        leave_out("the model sherpa-zh-3.3m is missing: ../shared/models or HUIFANG_MODELS")
    return open_engine(found)


@pytest.fixture(scope="module")
def words() -> Path:
    return recordings("words")


def test_most_isolated_words_are_heard_syllable_by_syllable(engine: Engine, words: Path) -> None:
    files = sorted(words.glob("*.flac"))
    assert len(files) == 60
    right = 0
    for file in files:
        _, final = hear(engine.decoder(Hints()), telephone(file))
        heard = [toneless(s) for word in final.words for s in (word.pinyin or "").split()]
        right += heard == [toneless(s) for s in pinyin_of(file.stem)] or final.text == file.stem
    # 51 when this was written; the bound leaves room for another processor's arithmetic.
    assert right >= 48


@pytest.mark.parametrize("said", ["没有", "是", "不是", "可以", "发烧", "高血压", "大夫", "伤口"])
def test_answers_come_out_in_hanzi(engine: Engine, words: Path, said: str) -> None:
    _, final = hear(engine.decoder(Hints()), telephone(words / f"{said}.flac"))
    assert final.text == said


def test_words_have_times_confidences_and_pinyin(engine: Engine, words: Path) -> None:
    sound = telephone(words / "高血压.flac")
    partials, final = hear(engine.decoder(Hints()), bytes(16000) + sound)
    (word,) = final.words
    assert word.pinyin == "gāo xuè yā"
    assert word.confidence is not None
    assert 0.2 < word.confidence <= 1
    # One second of quiet went before; the word ends where the sound does, not behind it.
    assert 1.2 < word.start < word.end < 1 + len(sound) / 16000 + 0.2
    assert final.final
    assert partials[0].text == ""
    assert any(partial.text for partial in partials)
    assert not any(partial.final for partial in partials)


def test_a_hint_decides_between_words_that_sound_alike(engine: Engine, words: Path) -> None:
    sound = telephone(words / "是.flac")
    assert hear(engine.decoder(Hints()), sound)[1].text == "是"
    assert hear(engine.decoder(Hints(phrases=("试",))), sound)[1].text == "试"


def test_nothing_is_heard_in_silence(engine: Engine) -> None:
    assert hear(engine.decoder(Hints()), bytes(32000))[1].text == ""


async def test_one_model_hears_many_calls_at_once_as_it_hears_them_alone(
    engine: Engine, words: Path
) -> None:
    sounds = [telephone(words / f"{word}.flac") for word in ("没有", "发烧", "二", "高血压", "喂")]
    alone = [hear(engine.decoder(Hints()), sound)[1] for sound in sounds]
    pool = DecodingPool(workers=4)
    recogniser = PooledRecogniser(engine, pool)
    streams = [recogniser.open(Hints()) for _ in sounds]
    for stream, sound in zip(streams, sounds, strict=True):
        stream.feed(sound)
    together = await asyncio.gather(*(stream.finish() for stream in streams))
    pool.close()
    assert [t.text for t in together] == [t.text for t in alone]


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EarsError, match=r"must hold one tokens\.txt"):
        SherpaEngine(tmp_path, "zh", "broken")


def test_voice_activity_tells_words_from_quiet_and_noise(words: Path) -> None:
    activity = SileroVoiceActivity()

    def probabilities(pcm: bytes) -> list[float]:
        return [activity.probability(pcm[at : at + 320]) for at in range(0, len(pcm) - 319, 320)]

    for said in ("发烧", "没有", "医院", "今天"):
        assert max(probabilities(bytes(8000))) < 0.3
        assert max(probabilities(telephone(words / f"{said}.flac"))) > 0.8
        activity.reset()
        assert activity.probability(bytes(320)) == 0.0
