"""The prompt book: which voice speaks, what is kept for whom, how clips are joined."""

import json
import logging
from dataclasses import dataclass

import pytest

from tts.prompts import CLAUSE_PAUSE, SENTENCE_PAUSE, WORD_PAUSE, Clips, PromptBook, pause
from tts.voice import SAMPLE_RATE, VoiceError


@dataclass(frozen=True)
class Piece:
    text: str
    personal: bool = False


class Actor:
    """Knows some texts; says each as its length in samples."""

    def __init__(
        self,
        name: str,
        knows: set[str] | None = None,
        *,
        language: str = "zh",
        retryable: bool = False,
    ) -> None:
        self.name = name
        self.said: list[str] = []
        self._knows = knows
        self._language = language
        self._retryable = retryable

    def speaks(self, language: str) -> bool:
        return language == self._language

    async def render(self, text: str, language: str) -> bytes:
        if self._knows is not None and text not in self._knows:
            raise VoiceError("not mine", retryable=self._retryable)
        self.said.append(text)
        return self.name.encode().ljust(2, b" ")[:2] * 100


QUESTION = (Piece("请问，您是"), Piece("王先生", personal=True), Piece("本人吗？"))


async def test_the_first_voice_that_can_speaks_each_segment() -> None:
    recorded, synthetic = Actor("rr", {"请问，您是", "本人吗？"}), Actor("ss")
    sound = await PromptBook([recorded, synthetic]).clip(QUESTION, "zh")
    silence = bytes(2 * round(WORD_PAUSE * SAMPLE_RATE))
    assert sound == b"rr" * 100 + silence + b"ss" * 100 + silence + b"rr" * 100
    assert synthetic.said == ["王先生"]


async def test_a_prepared_call_renders_nothing_more() -> None:
    voice = Actor("vv")
    book = PromptBook([voice])
    await book.prepare([QUESTION, (Piece("再见。"),), QUESTION], "zh")
    assert sorted(voice.said) == sorted(["请问，您是", "王先生", "本人吗？", "再见。"])
    voice.said.clear()
    await book.clip(QUESTION, "zh")
    assert voice.said == []


async def test_what_is_personal_stays_with_its_call() -> None:
    voice = Actor("vv")
    shared: Clips = {}
    await PromptBook([voice], shared).prepare([QUESTION], "zh")
    assert all("王" not in text for _, text in shared)
    voice.said.clear()
    await PromptBook([voice], shared).prepare([QUESTION], "zh")
    assert voice.said == ["王先生"]


async def test_the_same_words_are_not_shared_between_personal_and_public() -> None:
    voice = Actor("vv")
    shared: Clips = {}
    book = PromptBook([voice], shared)
    await book.clip((Piece("林"),), "zh")
    await book.clip((Piece("林", personal=True),), "zh")
    assert voice.said == ["林", "林"]


async def test_a_voice_of_another_language_is_not_asked() -> None:
    english, mandarin = Actor("ee", language="en"), Actor("mm")
    await PromptBook([english, mandarin]).clip((Piece("再见。"),), "zh")
    assert english.said == []


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_segment_nobody_can_speak_is_an_error_without_its_words(
    retryable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    book = PromptBook([Actor("rr", set(), retryable=retryable)])
    with caplog.at_level(logging.DEBUG), pytest.raises(VoiceError) as raised:
        await book.prepare([(Piece("王先生", personal=True),)], "zh")
    assert raised.value.retryable is retryable
    assert "王" not in str(raised.value) + caplog.text + json.dumps(caplog.messages)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        ("请问，您是", "王先生", WORD_PAUSE),
        ("健康随访中心", "，打电话是", CLAUSE_PAUSE),
        ("您好，", "王先生", CLAUSE_PAUSE),
        ("好的。", "能请", SENTENCE_PAUSE),
        ("Is this", "Mr Wang", WORD_PAUSE),
        ("", "", WORD_PAUSE),
    ],
)
def test_joints_pause_as_a_reader_would(before: str, after: str, seconds: float) -> None:
    assert pause(before, after) == seconds
