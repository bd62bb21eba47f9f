"""Streaming Mandarin with a small zipformer transducer through sherpa-onnx.

The model (3.3 M parameters, trained as a keyword spotter) hears initials and toned finals; they
become syllables, and Hanzi where ``asr.syllables`` is sure of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import sherpa_onnx

from asr.audio import MODEL_RATE, Samples, Upsampler
from asr.recogniser import Decoder, EarsError, Hints, Transcript, Word
from asr.syllables import Speller, TimedSyllable, join_text, join_tokens

# Telephone sound ends at 4 kHz and may hold true silence, where the features of a model trained on
# 16 kHz fall to a floor it has never seen. A little white noise after upsampling lifts them; more
# of it drowns a quiet speaker. See docs/reference/recognition.md for the figures.
_NOISE = 1e-4
# The same noise for every stream: what is heard does not depend on chance.
_NOISE_SEED = 20240101
# Silence after the end, in seconds: the last chunk and the look-ahead must be full.
_TAIL = 0.66
# A token is placed where it was emitted; the last of a syllable sounds about this long, in seconds.
_FINAL_LASTS = 0.16
_PATHS = 8


class SherpaEngine:
    """A zipformer of syllables, loaded once.

    Args:
        folder: holds ``tokens.txt`` and one ``encoder*``, ``decoder*`` and ``joiner*`` ``.onnx``.
        language: two-letter code; the model's, ``zh``.
        model: its name in the catalogue.
        threads: for one decode; one is enough (see the figures).

    Raises:
        EarsError: a file is missing or is not such a model.
    """

    name = "sherpa"
    streaming = True

    def __init__(self, folder: Path, language: str, model: str, *, threads: int = 1) -> None:
        self.language = language
        self.model = model
        try:
            self._recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
                tokens=str(_only(folder, "tokens.txt")),
                encoder=str(_only(folder, "encoder*.onnx")),
                decoder=str(_only(folder, "decoder*.onnx")),
                joiner=str(_only(folder, "joiner*.onnx")),
                num_threads=threads,
                sample_rate=MODEL_RATE,
                decoding_method="modified_beam_search",
                max_active_paths=_PATHS,
                temperature_scale=1.0,
            )
        except RuntimeError as error:
            raise EarsError(f"the sherpa model {model} cannot be loaded; fetch it anew") from error

    def decoder(self, hints: Hints) -> Decoder:
        """Open a stream. Hints decide between words that sound alike; they never add a sound."""
        return _SherpaDecoder(self._recogniser, _speller(hints.phrases))


@lru_cache(maxsize=256)
def _speller(phrases: tuple[str, ...]) -> Speller:
    # A question has the same hints in every call; to look their pinyin up takes milliseconds.
    return Speller(phrases)


class _SherpaDecoder:
    def __init__(self, recogniser: sherpa_onnx.OnlineRecognizer, speller: Speller) -> None:
        self._recogniser = recogniser
        self._stream = recogniser.create_stream()
        self._speller = speller
        self._upsampler = Upsampler()
        self._noise = np.random.default_rng(_NOISE_SEED)
        self._syllables: list[TimedSyllable] = []
        self._words: tuple[Word, ...] = ()

    def accept(self, pcm: bytes) -> Transcript:
        self._decode(self._upsampler.feed(pcm))
        return self._transcript(final=False)

    def finish(self) -> Transcript:
        rest = self._upsampler.feed(b"", last=True)
        self._decode(np.concatenate([rest, np.zeros(int(_TAIL * MODEL_RATE), np.float32)]))
        self._stream.input_finished()
        self._decode(np.zeros(0, np.float32))
        return self._transcript(final=True)

    def _decode(self, samples: Samples) -> None:
        if samples.size:
            noise = self._noise.standard_normal(samples.size, dtype=np.float32)
            self._stream.accept_waveform(MODEL_RATE, samples + np.float32(_NOISE) * noise)
        decoded = False
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
            decoded = True
        if decoded:
            heard = self._recogniser.get_result_all(self._stream)
            self._syllables = time_syllables(heard.tokens, heard.timestamps, heard.ys_probs)
            self._words = spell_words(self._speller, self._syllables)

    def _transcript(self, *, final: bool) -> Transcript:
        return Transcript(
            text=join_text(word.text for word in self._words),
            words=self._words,
            final=final,
            confidence=_mean([s.confidence for s in self._syllables]),
        )


def time_syllables(
    tokens: Sequence[str], times: Sequence[float], log_probabilities: Sequence[float]
) -> list[TimedSyllable]:
    """Put tokens together to syllables with their times and confidences.

    Args:
        tokens: initials and toned finals.
        times: seconds at which each token was emitted.
        log_probabilities: natural logarithms; may be empty where the model gives none.
    """
    joined = join_tokens(tokens)
    syllables: list[TimedSyllable] = []
    for index, (pinyin, first, after) in enumerate(joined):
        end = times[after - 1] + _FINAL_LASTS
        if index + 1 < len(joined):
            end = min(end, times[joined[index + 1][1]])
        logs = log_probabilities[first:after]
        confidence = min(1.0, math.exp(sum(logs) / len(logs))) if logs else None
        syllables.append(TimedSyllable(pinyin, times[first], end, confidence))
    return syllables


def spell_words(speller: Speller, syllables: Sequence[TimedSyllable]) -> tuple[Word, ...]:
    """Words of the text with the times and the pinyin of their syllables.

    A word is as sure as its least sure syllable.
    """
    words: list[Word] = []
    for piece in speller.spell([syllable.pinyin for syllable in syllables]):
        part = syllables[piece.first : piece.last]
        sure = [s.confidence for s in part if s.confidence is not None]
        words.append(
            Word(
                text=piece.text,
                start=part[0].start,
                end=part[-1].end,
                confidence=min(sure) if sure else None,
                pinyin=" ".join(syllable.pinyin for syllable in part),
            )
        )
    return tuple(words)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise EarsError(
            f"the model folder {folder.name} must hold one {pattern}, it holds {len(found)}; "
            "fetch the model anew"
        )
    return found[0]
