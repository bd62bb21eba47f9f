"""pyttsx3 in its own process: real espeak-ng, killed and stopped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tts.loudness import TARGET_LUFS, from_pcm, loudness
from tts.pyttsx3_voice import Pyttsx3Voice
from tts.voice import SAMPLE_RATE, VoiceError

SENTENCE = "您好，这里是健康随访中心，请问您最近有没有头痛或者发烧？"


@pytest.fixture
async def voice() -> AsyncIterator[Pyttsx3Voice]:
    voice = Pyttsx3Voice(patience=5)
    yield voice
    await voice.close()


def pid(voice: Pyttsx3Voice) -> int:
    assert voice.worker_pid is not None
    return voice.worker_pid


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / SAMPLE_RATE


@pytest.mark.parametrize(
    ("text", "language"),
    [(SENTENCE, "zh"), ("Hello, how are you today?", "en"), ("안녕하세요, 오늘은 어떠세요?", "ko")],
)
async def test_speaks_even_and_tight(voice: Pyttsx3Voice, text: str, language: str) -> None:
    assert voice.speaks(language)
    samples = from_pcm(await voice.render(text, language))
    assert loudness(samples, SAMPLE_RATE) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert 0.05 * len(text) < len(samples) / SAMPLE_RATE < 0.6 * len(text)
    assert abs(samples).max() < 1


async def test_mandarin_is_mandarin(voice: Pyttsx3Voice) -> None:
    # espeak-ng 1.51 spelt every character out in English: "Chinese letter ...", seconds each.
    assert seconds(await voice.render("王先生", "zh")) < 2


async def test_every_answer_belongs_to_its_question(voice: Pyttsx3Voice) -> None:
    texts = ["第一句。" * count for count in (1, 5, 2, 4, 3)]
    clips = await asyncio.gather(*(voice.render(text, "zh") for text in texts))
    lengths = [seconds(clip) for clip in clips]
    assert sorted(lengths) == [lengths[index] for index in (0, 2, 4, 3, 1)]


async def test_many_sentences_one_after_the_other(voice: Pyttsx3Voice) -> None:
    first: int | None = None
    for turn in range(40):
        await voice.render(SENTENCE if turn % 3 else "王先生", "en" if turn % 5 == 0 else "zh")
        first = first or voice.worker_pid
    assert voice.worker_pid == first


async def test_a_killed_worker_is_replaced(voice: Pyttsx3Voice) -> None:
    before = await voice.render("王先生", "zh")
    killed = pid(voice)
    os.kill(killed, signal.SIGKILL)
    assert await voice.render("王先生", "zh") == before
    assert voice.worker_pid != killed


async def test_a_hanging_worker_is_replaced(voice: Pyttsx3Voice) -> None:
    voice = Pyttsx3Voice(patience=1)
    before = await voice.render("王先生", "zh")
    hanging = pid(voice)
    os.kill(hanging, signal.SIGSTOP)
    try:
        assert await voice.render("王先生", "zh") == before
        assert voice.worker_pid != hanging
    finally:
        await voice.close()
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)


async def test_a_cancelled_request_does_not_shift_the_answers(voice: Pyttsx3Voice) -> None:
    short = await voice.render("王先生", "zh")
    request = asyncio.create_task(voice.render(SENTENCE, "zh"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await voice.render("王先生", "zh") == short


@pytest.mark.parametrize(("text", "language"), [("。", "zh"), ("", "zh"), ("您好", "xx")])
async def test_what_cannot_be_spoken_is_an_error_at_once(
    voice: Pyttsx3Voice, text: str, language: str
) -> None:
    with pytest.raises(VoiceError) as raised:
        await voice.render(text, language)
    assert not raised.value.retryable
    assert voice.worker_pid is None


async def test_errors_name_no_words(voice: Pyttsx3Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(VoiceError) as raised:
        await voice.render("王先生", "zh")
    assert raised.value.retryable
    assert "王" not in str(raised.value)


async def test_nothing_spoken_touches_a_disk(
    voice: Pyttsx3Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    await voice.render("王先生", "zh")
    assert os.listdir(tmp_path) == []
