"""Prompts recorded or rendered ahead: a folder of sound files and the words they say.

A pack is a folder with ``manifest.json``::

    {"voice": "zf_xiaoxiao", "language": "zh",
     "entries": [{"text": "请问您是", "file": "ab12….opus", "sha256": "ab12…", ...}]}

Only ``text`` and ``file`` must be there, so a hospital can write one by hand for its own recordings
(any format FFmpeg reads). Clips are found by their words alone: one found by a prompt's name would
go on saying the old words after the script has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tts.loudness import level, to_pcm, trim
from tts.sound_files import decode
from tts.voice import SAMPLE_RATE, VoiceError

MANIFEST = "manifest.json"

_ENDS = " \t\n,.;:!…、，。；：！—-\"'“”‘’"
"""Dropped from both ends of a text. Not the question mark: it is heard."""


def spoken_form(text: str) -> str:
    """The text as clips are looked up by: what differs in writing only is made equal."""
    written = unicodedata.normalize("NFKC", text)
    return " ".join(written.split()).strip(_ENDS).casefold()


def text_key(text: str) -> str:
    """SHA-256 of the spoken form, in hexadecimal digits."""
    return hashlib.sha256(spoken_form(text).encode()).hexdigest()


class Entry(BaseModel):
    """One clip of a pack."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    file: str
    """Path inside the pack's folder."""
    sha256: str | None = None
    """``text_key`` of the text."""
    seconds: float | None = None
    loudness: float | None = None
    """Integrated, in LUFS."""


class Manifest(BaseModel):
    """What a pack says of itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    voice: str
    language: str
    entries: tuple[Entry, ...]


def read_manifest(pack: Path) -> Manifest:
    """The manifest of a pack.

    Raises:
        VoiceError: there is none, or it is not as described above.
    """
    try:
        return Manifest.model_validate_json((pack / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise VoiceError(f"{pack} is no pack of recorded prompts: {error}") from error


class RecordedVoice:
    """Speaks exactly what its pack holds.

    Args:
        pack: the folder.

    Raises:
        VoiceError: the folder is no pack, or a clip that its manifest names is missing.
    """

    def __init__(self, pack: Path) -> None:
        manifest = read_manifest(pack)
        self.name = f"recorded:{manifest.voice}"
        self._language = manifest.language
        self._files = {text_key(entry.text): pack / entry.file for entry in manifest.entries}
        absent = [file.name for file in self._files.values() if not file.is_file()]
        if absent:
            raise VoiceError(f"{pack} lacks {len(absent)} clips of its manifest, as {absent[0]}")

    def speaks(self, language: str) -> bool:
        """Whether the pack is of this language."""
        return language == self._language

    def has(self, text: str) -> bool:
        """Whether this text was recorded."""
        return text_key(text) in self._files

    async def render(self, text: str, language: str) -> bytes:
        """The clip of ``text``, its ends trimmed and its loudness that of every other clip.

        Raises:
            VoiceError: it was not recorded, or its file cannot be read.
        """
        file = self._files.get(text_key(text)) if self.speaks(language) else None
        if file is None:
            raise VoiceError("this text is not among the recorded prompts")
        return await asyncio.to_thread(_clip, file)


def _clip(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise VoiceError(f"the recorded prompt {file.name} cannot be read: {error}") from error
    samples = trim(decode(data), SAMPLE_RATE)
    return to_pcm(level(samples, SAMPLE_RATE))
