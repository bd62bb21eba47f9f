"""When a grammar may be used, and that it never hides what else was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from asr.recogniser import EarsError, Hints
from asr.vosk_engine import VoskEngine

VOCABULARY = {"yes", "no", "a", "little", "my", "chest", "hurts"}


class FakeModel:
    """Knows a few words; the tests say whether one of them is ``[unk]``."""

    words = VOCABULARY | {"[unk]"}

    def __init__(self, path: str) -> None:
        self.path = path

    def vosk_model_find_word(self, word: str) -> int:
        return 1 if word in self.words else -1


class FakeRecogniser:
    """Hears the sound as text; a grammar bends a foreign word to ``[unk]``."""

    grammars: ClassVar[list[list[str] | None]] = []

    pieces: ClassVar[list[int]] = []

    def __init__(self, model: FakeModel, rate: int, grammar: str | None = None) -> None:
        assert rate == 8000
        self.grammar = None if grammar is None else json.loads(grammar)
        self.grammars.append(self.grammar)
        self.heard = ""

    def SetWords(self, on: bool) -> None:
        assert on

    def AcceptWaveform(self, pcm: bytes) -> int:
        self.pieces.append(len(pcm))
        self.heard += pcm.decode()
        return int(self.heard.endswith("."))

    def PartialResult(self) -> str:
        return json.dumps({"partial": self.heard.strip()})

    def Result(self) -> str:
        words = self.heard.strip(".").split()
        self.heard = ""
        if self.grammar is not None:
            allowed = {word for phrase in self.grammar for word in phrase.split()}
            words = [word if word in allowed else "[unk]" for word in words]
        timed = [
            {"word": word, "start": at, "end": at + 0.5, "conf": 1.0}
            for at, word in enumerate(words)
        ]
        return json.dumps({"text": " ".join(words), **({"result": timed} if timed else {})})

    FinalResult = Result


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoskEngine:
    monkeypatch.setattr("vosk.Model", FakeModel)
    monkeypatch.setattr("vosk.KaldiRecognizer", FakeRecogniser)
    FakeRecogniser.grammars.clear()
    FakeRecogniser.pieces.clear()
    (tmp_path / "am").mkdir()
    return VoskEngine(tmp_path, "en", "small-en")


def sound(word: str) -> bytes:
    """One piece of sound that the fake hears as the word."""
    return word.rjust(3200).encode()


CLOSED = Hints(phrases=("yes", "no", "a little"), closed=True)


def test_pauses_inside_a_turn_lose_nothing(engine: VoskEngine) -> None:
    decoder = engine.decoder(Hints())
    assert decoder.accept(sound("yes")).text == "yes"
    assert decoder.accept(sound("my.")).text == "yes my"  # Vosk found a pause here
    partial = decoder.accept(sound("chest"))
    assert partial.text == "yes my chest"
    assert not partial.final
    decoder.accept(b" hurts")  # less than a piece
    final = decoder.finish()
    assert final.text == "yes my chest hurts"
    assert final.final
    assert final.confidence == 1.0
    assert [word.text for word in final.words] == ["yes", "my", "chest", "hurts"]


@pytest.mark.parametrize("frame", [1, 320, 3199, 100_000])
def test_sound_reaches_the_model_in_the_same_pieces_however_it_was_fed(
    engine: VoskEngine, frame: int
) -> None:
    pcm = sound("yes") + sound("no") + b"chest"
    decoder = engine.decoder(Hints())
    for at in range(0, len(pcm), frame):
        decoder.accept(pcm[at : at + frame])
    decoder.finish()
    assert FakeRecogniser.pieces == [3200, 3200, 5]


def test_closed_hints_become_a_grammar_with_a_way_out(engine: VoskEngine) -> None:
    decoder = engine.decoder(CLOSED)
    decoder.accept(b"a little")
    assert decoder.finish().text == "a little"
    assert FakeRecogniser.grammars == [["yes", "no", "a little", "[unk]"]]


def test_a_danger_said_to_a_closed_question_is_heard(engine: VoskEngine) -> None:
    decoder = engine.decoder(CLOSED)
    decoder.accept(b"no my chest ")
    decoder.accept(b"hurts")
    assert decoder.finish().text == "no my chest hurts"


def test_silence_under_a_grammar_is_decoded_openly_too(engine: VoskEngine) -> None:
    decoder = engine.decoder(CLOSED)
    assert decoder.finish().text == ""
    assert FakeRecogniser.grammars[-1] is None


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        (Hints(phrases=("yes",), closed=False), VOCABULARY | {"[unk]"}),
        (Hints(phrases=(), closed=True), VOCABULARY | {"[unk]"}),
        (Hints(phrases=("yes", "dyspnea"), closed=True), VOCABULARY | {"[unk]"}),
        (Hints(phrases=("yes", "no"), closed=True), VOCABULARY),  # no way out of the grammar
    ],
)
def test_otherwise_the_whole_vocabulary_is_used(
    engine: VoskEngine, monkeypatch: pytest.MonkeyPatch, hints: Hints, words: set[str]
) -> None:
    monkeypatch.setattr(FakeModel, "words", words)
    engine.decoder(hints)
    assert FakeRecogniser.grammars == [None]


def test_an_incomplete_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EarsError, match="incomplete"):
        VoskEngine(tmp_path, "en", "small-en")
