"""Which model is found, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr.catalogue import CATALOGUE, CatalogueModel, Packages, models_for
from asr.models import default_cache, find


def put(parent: Path, model: CatalogueModel, name: str | None = None) -> Path:
    folder = parent / (name or model.name)
    for pattern in model.holds:
        file = folder / pattern.replace("*", "x")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def known(name: str) -> CatalogueModel:
    return next(model for model in CATALOGUE if model.name == name)


VOSK, SHERPA, WHISPER = (
    known(name) for name in ("vosk-model-small-cn-0.22", "sherpa-zh-3.3m", "whisper-base")
)


def test_nothing_is_found_on_a_bare_machine(tmp_path: Path) -> None:
    assert find("zh", models_folder=tmp_path / "none", cache=tmp_path / "cache") is None


def test_the_preferred_engine_wins_wherever_it_is(tmp_path: Path) -> None:
    folder, cache = tmp_path / "models", tmp_path / "cache"
    put(folder, WHISPER)
    found = find("zh", models_folder=folder, cache=cache)
    assert found is not None
    assert found.engine == "whisper"
    assert found.why == (
        "the models folder; preferred but not on this machine: "
        "vosk-model-small-cn-0.22, sherpa-zh-3.3m"
    )
    put(folder, SHERPA)
    assert (found := find("zh", models_folder=folder, cache=cache))
    assert found.engine == "sherpa"
    put(cache, VOSK)
    assert (found := find("zh", models_folder=folder, cache=cache))
    assert found.engine == "vosk"
    assert found.why == "the cache"
    assert (found := find("en", models_folder=folder, cache=cache))
    assert found.engine == "whisper"
    assert found.language == "en"


def test_the_models_folder_comes_before_the_cache(tmp_path: Path) -> None:
    put(tmp_path / "cache", SHERPA)
    brought = put(tmp_path / "models", SHERPA)
    found = find("zh", models_folder=tmp_path / "models", cache=tmp_path / "cache")
    assert found is not None
    assert found.folder == brought


def test_an_asked_for_engine_is_the_only_one(tmp_path: Path) -> None:
    put(tmp_path, SHERPA)
    put(tmp_path, WHISPER)
    found = find("zh", "whisper", tmp_path, cache=tmp_path / "cache")
    assert found is not None
    assert found.engine == "whisper"
    assert find("zh", "vosk", tmp_path, cache=tmp_path / "cache") is None


def test_a_larger_model_of_the_hospital_serves_under_its_own_name(tmp_path: Path) -> None:
    put(tmp_path, VOSK, "vosk-model-cn-0.22")
    found = find("zh", models_folder=tmp_path, cache=tmp_path / "cache")
    assert found is not None
    assert found.model == "vosk-model-cn-0.22"


def test_half_a_model_is_no_model(tmp_path: Path) -> None:
    folder = put(tmp_path, SHERPA)
    (folder / "tokens.txt").unlink()
    assert find("zh", models_folder=tmp_path, cache=tmp_path / "cache") is None


def test_the_cache_is_where_the_desktop_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "huifang" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "huifang" / "models"


def test_weights_of_third_parties_are_pinned_and_known_by_their_sums() -> None:
    for model in CATALOGUE:
        if isinstance(model.source, Packages):
            assert all("==" in requirement for requirement in model.source.requirements)
            assert "model.bin" in model.sha256
    assert [model.engine for model in models_for("zh", "auto")] == ["vosk", "sherpa", "whisper"]
    assert [model.engine for model in models_for("en", "auto")] == ["vosk", "whisper"]
