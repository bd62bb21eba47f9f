"""Whisper through faster-whisper: hears a turn after it ended, in many languages.

It is the fallback where no streaming model is to be had. It invents sentences when it hears no
speech; what looks invented is thrown away, because a question asked again costs less than an answer
nobody gave.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment

from asr.audio import upsample
from asr.decoding import NOTHING_HEARD
from asr.recogniser import SAMPLE_RATE, Decoder, EarsError, Hints, Transcript

# As hot words, not as a prompt: after a prompt the model repeats it when it hears little (measured).
_MOST_HINTS = 24
# Mandarin at six syllables a second, at two tokens for a rare character.
_TOKENS_A_SECOND = 12
_SPARE_TOKENS = 16
# A segment is invented when the model itself doubts that there is speech and the words fit badly,
# or when the text compresses too well, that is, repeats itself. Bounds as in Whisper's own decoder.
_NO_SPEECH = 0.6
_POOR_FIT = -1.0
_REPETITIVE = 2.4
_STUTTER = re.compile(r"(.{1,8}?)\1{3,}")
# What subtitles say where nobody speaks; the model learned it from them.
_SUBTITLES = re.compile(
    r"字幕|点赞|订阅|打赏|明镜|点点栏目|谢谢(大家)?(观看|收看)|thanks? (you )?for watching|subtitles? by",
    re.IGNORECASE,
)


class WhisperEngine:
    """A Whisper model, loaded once; decodes one turn at a time.

    Args:
        folder: a CTranslate2 conversion with its tokenizer.
        language: two-letter code; forced, never guessed.
        model: its name in the catalogue.
        threads: for one decode.

    Raises:
        EarsError: the folder is not such a model.
    """

    name = "whisper"
    streaming = False

    def __init__(self, folder: Path, language: str, model: str, *, threads: int = 2) -> None:
        self.language = language
        self.model = model
        try:
            self._whisper = WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise EarsError(f"the Whisper model {model} cannot be loaded; fetch it anew") from error

    def decoder(self, hints: Hints) -> Decoder:
        """Open a stream; it only collects until the end."""
        return _WhisperDecoder(self._whisper, self.language, hints)


class _WhisperDecoder:
    def __init__(self, whisper: WhisperModel, language: str, hints: Hints) -> None:
        self._whisper = whisper
        self._language = language
        self._hot_words = ", ".join(hints.phrases[:_MOST_HINTS]) or None
        self._sound = bytearray()

    def accept(self, pcm: bytes) -> Transcript:
        self._sound += pcm
        return NOTHING_HEARD

    def finish(self) -> Transcript:
        if not self._sound:
            return Transcript(text="", final=True)
        seconds = len(self._sound) / (2 * SAMPLE_RATE)
        segments, _ = self._whisper.transcribe(
            upsample(bytes(self._sound)),
            language=self._language,
            beam_size=5,
            # Nobody speaks faster; without a bound a decode that repeats itself takes ten seconds.
            max_new_tokens=_SPARE_TOKENS + round(_TOKENS_A_SECOND * seconds),
            # One pass: the repeated passes with more randomness cost seconds and invent more.
            temperature=0.0,
            condition_on_previous_text=False,
            hotwords=self._hot_words,
            # One window, and no times: asked for them, faster-whisper decodes the silence behind
            # the last word once more, and hot words (fever!) are "heard" there (measured).
            without_timestamps=True,
        )
        return transcript_of(segments, self._language)


def transcript_of(segments: Iterable[Segment], language: str) -> Transcript:
    """What the segments say, less those that look invented, in Simplified characters for ``zh``."""
    kept = [segment for segment in segments if not looks_invented(segment)]
    sure = [math.exp(min(0.0, s.avg_logprob)) * (1 - s.no_speech_prob) for s in kept]
    return Transcript(
        text=_tidy("".join(segment.text for segment in kept), language),
        final=True,
        confidence=min(sure) if sure else None,
    )


def looks_invented(segment: Segment) -> bool:
    """Whether a segment is more likely the model's own than the speaker's."""
    text = segment.text.strip()
    silent = segment.no_speech_prob > _NO_SPEECH
    stutter = _STUTTER.search(text)
    return (
        not text
        or (silent and segment.avg_logprob < _POOR_FIT)
        or segment.compression_ratio > _REPETITIVE
        or (silent and stutter is not None and len(stutter[0]) * 2 > len(text))
        or _SUBTITLES.search(text) is not None
    )


def simplified(text: str) -> str:
    """The text with the Traditional characters of everyday and clinical speech made Simplified."""
    return text.translate(_to_simplified())


def _tidy(text: str, language: str) -> str:
    return simplified(text).strip() if language == "zh" else text.strip()


@cache
def _to_simplified() -> dict[int, str]:
    loaded: dict[str, str] = yaml.safe_load(
        Path(__file__).with_name("traditional_characters.yaml").read_text(encoding="utf-8")
    )
    return {ord(pair[0]): pair[1] for pair in loaded["pairs"].split()}
