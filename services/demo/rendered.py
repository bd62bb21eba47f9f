"""Everything that is rendered ahead, and the command that brings it up to date.

    python -m services.demo.rendered

It needs the extra ``voices`` and the models' folder; what is rendered already is kept.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from scripts.reading import library, load
from services.settings import Settings
from tts.family_names import spoken_names
from tts.kokoro import Kokoro
from tts.rendering import PACE, render_pack
from tts.voice import VoiceError

ROOT = Path(__file__).parents[2]
PACKS = ROOT / "tts" / "packs"
WARD = Path(__file__).with_name("ward")

PROMPT_VOICES = {"zh": "zf_xiaoxiao", "en": "af_heart"}
"""Who reads the scripts; nobody of the ward has these voices."""

PATIENT_PACE = 1.0


@dataclass(frozen=True, slots=True)
class WantedPack:
    """A pack as it must be."""

    folder: Path
    voice: str
    language: str
    texts: dict[str, str]
    """What is looked up, to what the voice is told to say."""
    pace: float = PACE


def prompt_texts(language: str) -> dict[str, str]:
    """Every clip of every library script that is not a patient's, with the default caller."""
    caller = Settings.model_fields["caller_name"].default[language]
    return {
        segment.text: segment.text
        for script in map(load, library())
        if language in script.languages
        for _, segments in script.sentences(language, caller)
        for segment in segments
        if not segment.personal
    }


def prompt_packs() -> Iterator[WantedPack]:
    """The packs in which the product speaks."""
    for language, voice in PROMPT_VOICES.items():
        texts = prompt_texts(language) | spoken_names(language)
        yield WantedPack(PACKS / language, voice, language, texts)


def ward_packs() -> Iterator[WantedPack]:
    """The packs in which the ward answers, one a voice."""
    ward = yaml.safe_load((WARD / "ward.yaml").read_text(encoding="utf-8"))
    texts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for persona in ward["personas"]:
        if persona["voice"] is not None:
            said = (text for replies in persona["replies"].values() for text in replies)
            texts[persona["voice"], persona["language"]].update((text, text) for text in said)
    for (voice, language), said_by_all in texts.items():
        yield WantedPack(WARD / "clips" / voice, voice, language, said_by_all, PATIENT_PACE)


def main() -> int:
    """Render what is missing; the exit status."""
    try:
        kokoro = Kokoro(Path(os.environ.get("HUIFANG_MODELS", "models")) / "kokoro-voices")
        for wanted in (*ward_packs(), *prompt_packs()):
            for text in render_pack(
                wanted.folder,
                wanted.texts,
                voice=wanted.voice,
                language=wanted.language,
                speak=partial(kokoro.speak, voice=wanted.voice, speed=wanted.pace),
            ):
                print(wanted.folder.name, text, flush=True)
    except VoiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
