"""What the shipped Mandarin clips say, as the small streaming model hears them on a telephone."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from asr.models import find, open_engine
from asr.recogniser import Engine, Hints
from asr.syllables import pinyin_of, toneless
from services.demo.rendered import WantedPack, prompt_packs, ward_packs
from tests.support.ears import hear, leave_out, models_folder, through_mulaw
from tts.family_names import spoken_names
from tts.recorded import RecordedVoice

QUIET = bytes(2 * 2400)
PACKS = [pack for pack in (*prompt_packs(), *ward_packs()) if pack.language == "zh"]


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = find("zh", "sherpa", models_folder())
    if found is None:
        leave_out("the Mandarin model is missing: ../shared/models/sherpa-zh-3.3m")
    return open_engine(found)


def errors(said: list[str], heard: list[str]) -> int:
    """Syllables to change, add and take away (edit distance)."""
    row = list(range(len(heard) + 1))
    for number, syllable in enumerate(said, 1):
        diagonal, row[0] = row[0], number
        for index, other in enumerate(heard, 1):
            changed = diagonal + (syllable != other)
            diagonal, row[index] = row[index], min(changed, row[index] + 1, row[index - 1] + 1)
    return row[-1]


async def syllables(engine: Engine, voice: RecordedVoice, text: str) -> tuple[list[str], list[str]]:
    """Toneless syllables that a clip says, and those that are heard."""
    said = chain.from_iterable(map(pinyin_of, re.findall("[\u4e00-\u9fff]+", text)))
    sound = through_mulaw(QUIET + await voice.render(text, "zh") + QUIET)
    _, transcript = hear(engine.decoder(Hints()), sound)
    heard = chain.from_iterable((word.pinyin or "").split() for word in transcript.words)
    return [toneless(one) for one in said], [toneless(one) for one in heard]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.voice)
async def test_the_clips_say_their_words(engine: Engine, pack: WantedPack) -> None:
    voice, names = RecordedVoice(pack.folder), spoken_names("zh")
    wrong = total = 0
    for text in list(pack.texts)[:: 1 if len(pack.texts) < 100 else 4]:
        if text not in names:
            said, heard = await syllables(engine, voice, text)
            wrong, total = wrong + errors(said, heard), total + len(said)
    assert wrong / total < 0.12


async def test_the_warning_sign_of_the_ward_is_heard(engine: Engine) -> None:
    pack = next(pack for pack in PACKS if pack.voice == "zf_xiaobei")
    voice = RecordedVoice(pack.folder)
    _, heard = await syllables(engine, voice, "有，胸口疼得厉害，还喘不上气，出冷汗。")
    assert "xiong kou teng" in " ".join(heard)
    assert "chuan bu shang qi" in " ".join(heard)
