"""What of Whisper's output is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from faster_whisper.transcribe import Segment
from pypinyin import lazy_pinyin

import asr.whisper_engine
from asr.whisper_engine import looks_invented, simplified, transcript_of


def segment(
    text: str,
    *,
    avg_logprob: float = -0.3,
    no_speech_prob: float = 0.1,
    compression_ratio: float = 0.7,
) -> Segment:
    return Segment(
        id=1,
        seek=0,
        start=0.0,
        end=2.0,
        text=text,
        tokens=[],
        avg_logprob=avg_logprob,
        compression_ratio=compression_ratio,
        no_speech_prob=no_speech_prob,
        words=None,
        temperature=0.0,
    )


@pytest.mark.parametrize(
    "invented",
    [
        segment("普通话", avg_logprob=-1.3, no_speech_prob=0.87),
        segment("诶诶诶诶诶诶诶", no_speech_prob=0.88),
        segment("胸口疼胸口疼胸口疼胸口疼胸口疼", compression_ratio=2.6),
        segment("字幕由志愿者提供"),
        segment("Thank you for watching!"),
        segment("  "),
    ],
)
def test_what_looks_invented_is_thrown_away(invented: Segment) -> None:
    assert looks_invented(invented)
    heard = transcript_of([invented], "zh")
    assert heard.text == ""
    assert heard.confidence is None
    assert heard.final


@pytest.mark.parametrize(
    "said",
    [
        segment("有", avg_logprob=-0.4, no_speech_prob=0.81),  # a short answer looks like silence
        segment("对对对对对对"),  # eager, not invented
        segment("13800000000"),
        segment("谢谢", avg_logprob=-1.1),
        segment("Thank you."),
    ],
)
def test_short_and_repeated_answers_are_kept(said: Segment) -> None:
    assert not looks_invented(said)


def test_confidence_is_that_of_the_worst_segment_and_counts_doubt_about_speech() -> None:
    sure, doubtful = segment("没有。"), segment("疼", avg_logprob=-0.4, no_speech_prob=0.8)
    assert transcript_of([sure], "zh").confidence == pytest.approx(0.667, abs=0.01)
    both = transcript_of([sure, doubtful], "zh")
    assert both.text == "没有。疼"
    assert both.confidence == pytest.approx(0.134, abs=0.01)


def test_traditional_characters_become_simplified_in_mandarin_only() -> None:
    assert simplified("胸口有點悶，頭暈，沒發燒") == "胸口有点闷，头晕，没发烧"
    assert transcript_of([segment(" 嚴重 ")], "zh").text == "严重"
    assert transcript_of([segment(" 嚴重 ")], "ja").text == "嚴重"


def test_every_pair_of_characters_sounds_the_same() -> None:
    file = Path(asr.whisper_engine.__file__).with_name("traditional_characters.yaml")
    pairs = yaml.safe_load(file.read_text(encoding="utf-8"))["pairs"].split()
    assert len(pairs) > 300
    for pair in pairs:
        traditional, simple = pair
        assert lazy_pinyin(traditional) == lazy_pinyin(simple), pair
