"""Streaming recognition with Kaldi models through Vosk.

The models are trained on 16 kHz; Kaldi upsamples the telephone's 8 kHz itself when it is told the
rate of the sound.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vosk

from asr.recogniser import SAMPLE_RATE, Decoder, EarsError, Hints, Transcript, Word

# Kaldi takes sound in pieces of this many bytes (0.2 s). What it hears depends on how sound is cut,
# so it is cut alike however it came; and small pieces cost more.
_PIECE = 3200


class VoskEngine:
    """A Vosk model, loaded once.

    Closed hints become a grammar only where the model knows every word of them and a word for
    "something else". A grammar bends whatever is said to its phrases, with full confidence
    (measured: "my chest hurts" became "yes", "no"), so a stream in which something else was heard,
    or nothing, is decoded again without it before the turn ends.

    Args:
        folder: the unpacked model.
        language: two-letter code.
        model: its name in the catalogue.
        something_else: the model's word for sound outside the grammar.

    Raises:
        EarsError: the folder holds no usable model.
    """

    name = "vosk"
    streaming = True

    def __init__(
        self, folder: Path, language: str, model: str, *, something_else: str = "[unk]"
    ) -> None:
        self.language = language
        self.model = model
        self._something_else = something_else
        # Kaldi's own log tells words that were said.
        vosk.SetLogLevel(-1)
        if not (folder / "am").is_dir():
            raise EarsError(f"the folder of the Vosk model {model} is incomplete; fetch it anew")
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # Vosk raises nothing narrower
            raise EarsError(f"the Vosk model {model} cannot be loaded; fetch it anew") from error

    def decoder(self, hints: Hints) -> Decoder:
        """Open a stream."""
        phrases = [" ".join(phrase.split()) for phrase in hints.phrases]
        if hints.closed and phrases and self._knows([*phrases, self._something_else]):
            return _ClosedDecoder(self._model, phrases, self._something_else)
        return _OpenDecoder(vosk.KaldiRecognizer(self._model, SAMPLE_RATE))

    def _knows(self, phrases: list[str]) -> bool:
        words = {word for phrase in phrases for word in phrase.split()}
        return all(self._model.vosk_model_find_word(word) >= 0 for word in words)


class _OpenDecoder:
    """The whole vocabulary."""

    def __init__(self, recogniser: vosk.KaldiRecognizer) -> None:
        self._recogniser = recogniser
        recogniser.SetWords(True)
        # Vosk closes a piece at every pause it finds; a turn may hold several.
        self._words: tuple[Word, ...] = ()
        self._rest = b""

    def accept(self, pcm: bytes) -> Transcript:
        sound = self._rest + pcm
        whole = len(sound) // _PIECE * _PIECE
        for at in range(0, whole, _PIECE):
            self._decode(sound[at : at + _PIECE])
        self._rest = sound[whole:]
        partial = str(json.loads(self._recogniser.PartialResult()).get("partial", ""))
        closed = " ".join(word.text for word in self._words)
        return Transcript(text=f"{closed} {partial}".strip(), words=self._words)

    def finish(self) -> Transcript:
        if self._rest:
            self._decode(self._rest)
        self._words += _words(self._recogniser.FinalResult())
        return _transcript(self._words)

    def _decode(self, piece: bytes) -> None:
        if self._recogniser.AcceptWaveform(piece):
            self._words += _words(self._recogniser.Result())


class _ClosedDecoder:
    """A grammar, and the whole vocabulary where the grammar does not fit."""

    def __init__(self, model: vosk.Model, phrases: list[str], something_else: str) -> None:
        grammar = json.dumps([*phrases, something_else], ensure_ascii=False)
        self._model = model
        self._something_else = something_else
        self._closed = _OpenDecoder(vosk.KaldiRecognizer(model, SAMPLE_RATE, grammar))
        self._sound = bytearray()

    def accept(self, pcm: bytes) -> Transcript:
        self._sound += pcm
        return self._closed.accept(pcm)

    def finish(self) -> Transcript:
        heard = self._closed.finish()
        if heard.words and all(word.text != self._something_else for word in heard.words):
            return heard
        openly = _OpenDecoder(vosk.KaldiRecognizer(self._model, SAMPLE_RATE))
        openly.accept(bytes(self._sound))
        return openly.finish()


def _words(result: str) -> tuple[Word, ...]:
    heard: list[dict[str, Any]] = json.loads(result).get("result", [])
    return tuple(
        Word(
            text=str(word["word"]),
            start=float(word["start"]),
            end=float(word["end"]),
            confidence=min(1.0, float(word["conf"])),
        )
        for word in heard
    )


def _transcript(words: tuple[Word, ...]) -> Transcript:
    sure = [word.confidence for word in words if word.confidence is not None]
    return Transcript(
        text=" ".join(word.text for word in words),
        words=words,
        final=True,
        confidence=sum(sure) / len(sure) if sure else None,
    )
