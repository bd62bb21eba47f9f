"""Rendering ahead: a list of texts becomes a pack of clips in one voice.

    python -m tts.rendering tts/packs/zh --language zh --voice zf_xiaoxiao texts.json

``texts.json`` is a list; an item is a text, or ``{"text": …, "spoken": …}`` where the voice must be
told another spelling than the one a script uses. Clips that are in the pack already are kept, those
whose text is no longer in the list are removed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import soxr

from tts.kokoro import RATE, Kokoro
from tts.loudness import Samples, level, loudness, trim
from tts.recorded import MANIFEST, Entry, Manifest, read_manifest, text_key
from tts.sound_files import encode
from tts.voice import SAMPLE_RATE, VoiceError

SENTENCE_GAP = 0.35
"""Seconds between the sentences of one clip."""

PACE = 0.92
"""Of the voice's own pace: many who listen are old."""

Speak = Callable[[str], Samples]
"""One sentence to samples at ``kokoro.RATE``."""


def sentences(text: str) -> list[str]:
    """The sentences of a text; each is spoken on its own, so that none is too long to be clear."""
    pieces = re.split(r"(?<=[。！？])|(?<=[.!?])\s+", text)
    return [piece.strip() for piece in pieces if piece.strip()]


def render_clip(text: str, speak: Speak) -> Samples:
    """One clip at the telephone's rate: sentences joined, ends trimmed, loudness even."""
    joined: list[Samples] = []
    for sentence in sentences(text):
        if joined:
            joined.append(np.zeros(int(SENTENCE_GAP * RATE)))
        joined.append(level(trim(speak(sentence), RATE), RATE))
    narrow = soxr.resample(np.concatenate(joined), RATE, SAMPLE_RATE, quality="VHQ")
    clip = trim(np.asarray(narrow, dtype=np.float64), SAMPLE_RATE)
    return level(clip, SAMPLE_RATE)


def render_pack(
    pack: Path, texts: Mapping[str, str], *, voice: str, language: str, speak: Speak
) -> Iterable[str]:
    """Bring a pack up to date; yields each text as its clip is written.

    The manifest is written after each clip, so that a stopped run goes on where it was.

    Args:
        pack: folder, made where there is none.
        texts: what must be in the pack, to what the voice is told to say.
        voice: its name; a pack of another voice is rendered anew.
        language: two-letter code.
        speak: the voice.
    """
    pack.mkdir(parents=True, exist_ok=True)
    kept = _kept(pack, texts, voice, language)
    for text, spoken in texts.items():
        key = text_key(text)
        if key in kept:
            continue
        clip = render_clip(spoken, speak)
        file = f"{key[:16]}.opus"
        (pack / file).write_bytes(encode(clip))
        kept[key] = Entry(
            text=text,
            file=file,
            sha256=key,
            seconds=round(len(clip) / SAMPLE_RATE, 3),
            loudness=round(loudness(clip, SAMPLE_RATE), 2),
        )
        _write(pack, Manifest(voice=voice, language=language, entries=tuple(kept.values())))
        yield text
    _write(pack, Manifest(voice=voice, language=language, entries=tuple(kept.values())))
    named = {entry.file for entry in kept.values()}
    for file_path in pack.glob("*.opus"):
        if file_path.name not in named:
            file_path.unlink()


def _kept(pack: Path, texts: Iterable[str], voice: str, language: str) -> dict[str, Entry]:
    if not (pack / MANIFEST).is_file():
        return {}
    manifest = read_manifest(pack)
    if (manifest.voice, manifest.language) != (voice, language):
        return {}
    wanted = {text_key(text) for text in texts}
    entries = {text_key(entry.text): entry for entry in manifest.entries}
    return {k: e for k, e in entries.items() if k in wanted and (pack / e.file).is_file()}


def _write(pack: Path, manifest: Manifest) -> None:
    ordered = sorted(manifest.entries, key=lambda entry: entry.text)
    content = manifest.model_copy(update={"entries": tuple(ordered)}).model_dump(exclude_none=True)
    written = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    unfinished = pack / f"{MANIFEST}.new"
    unfinished.write_text(written, encoding="utf-8")
    unfinished.replace(pack / MANIFEST)


def read_texts(file: Path) -> dict[str, str]:
    """The list of texts: what is looked up, to what is spoken."""
    items = json.loads(file.read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    for item in items:
        if isinstance(item, str):
            texts[item] = item
        else:
            texts[item["text"]] = item.get("spoken", item["text"])
    return texts


def main(arguments: list[str] | None = None) -> int:
    """The command described above; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tts.rendering", description=main.__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--language", required=True)
    parser.add_argument("--voice", required=True)
    parser.add_argument("--speed", type=float, default=PACE)
    parser.add_argument("--models", type=Path, default=os.environ.get("HUIFANG_MODELS", "models"))
    chosen = parser.parse_args(arguments)
    try:
        kokoro = Kokoro(Path(chosen.models) / "kokoro-voices")
        for text in render_pack(
            chosen.pack,
            read_texts(chosen.texts),
            voice=chosen.voice,
            language=chosen.language,
            speak=lambda sentence: kokoro.speak(sentence, chosen.voice, speed=chosen.speed),
        ):
            print(text, flush=True)
    except VoiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
