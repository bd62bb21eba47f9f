"""Finding a model on this machine and opening it; fetching one is ``asr.fetching``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from asr.catalogue import CatalogueModel, EngineName, InstalledPackage, models_for
from asr.recogniser import Engine


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model on this machine."""

    engine: EngineName
    language: str
    model: str
    """Its name; of a model the hospital brought, the folder's."""
    folder: Path
    why: str
    """Where it was found and why this one, for the log and the operator."""


def default_cache() -> Path:
    """Where fetched models are kept: ``huifang/models`` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "huifang" / "models"


def find(
    language: str,
    engine: EngineName | Literal["auto"] = "auto",
    models_folder: Path | None = None,
    *,
    cache: Path | None = None,
) -> FoundModel | None:
    """Find the preferred model of a language on this machine; nothing is fetched.

    The order: Vosk, sherpa, Whisper; of each, the folder named in the settings, then the cache,
    then an installed Python package.

    Args:
        language: two-letter code.
        engine: only this engine, or ``auto``.
        models_folder: the folder of the settings (HUIFANG_MODELS).
        cache: None: ``default_cache()``.
    """
    missing: list[str] = []
    for model in models_for(language, engine):
        for folder, place in _places(model, models_folder, cache or default_cache()):
            if is_complete(model, folder):
                known = folder.name == model.name or place == _PACKAGE
                return FoundModel(
                    engine=model.engine,
                    language=language,
                    model=model.name if known else folder.name,
                    folder=folder,
                    why=f"{place}{_instead_of(missing, engine)}",
                )
        missing.append(model.name)
    return None


def is_complete(model: CatalogueModel, folder: Path) -> bool:
    """Whether the folder holds every kind of file the model needs."""
    return all(any(folder.glob(pattern)) for pattern in model.holds)


def open_engine(found: FoundModel) -> Engine:
    """Load a model; takes seconds and hundreds of megabytes, so once for all calls.

    Raises:
        EarsError: the folder is damaged.
    """
    # Each engine brings a native library of tens of megabytes; only the one in use is loaded.
    if found.engine == "vosk":
        from asr.vosk_engine import VoskEngine

        return VoskEngine(found.folder, found.language, found.model)
    if found.engine == "sherpa":
        from asr.sherpa_engine import SherpaEngine

        return SherpaEngine(found.folder, found.language, found.model)
    from asr.whisper_engine import WhisperEngine

    return WhisperEngine(found.folder, found.language, found.model)


_PACKAGE = "an installed Python package"


def _places(
    model: CatalogueModel, models_folder: Path | None, cache: Path
) -> Iterator[tuple[Path, str]]:
    for parent, place in ((models_folder, "the models folder"), (cache, "the cache")):
        if parent is not None and parent.is_dir():
            for pattern in (model.name, *model.like):
                for folder in sorted(parent.glob(pattern), reverse=True):
                    yield folder, place
    if isinstance(model.source, InstalledPackage):
        spec = find_spec(model.source.module)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent / model.source.folder, _PACKAGE


def _instead_of(missing: list[str], engine: str) -> str:
    if engine == "auto" and missing:
        return f"; preferred but not on this machine: {', '.join(missing)}"
    return ""
